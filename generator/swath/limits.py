"""What GitLab allows: each limit as one named value, with its unit and where it stands.

Self-managed instances may set some of them; `ci.max_jobs` and `ci.needs` of swath.yaml say those that matter to a plan.

Sources, read 2026-11-22 (texts of GitLab 19): LIM https://docs.gitlab.com/administration/cicd/limits/ ·
YAML https://docs.gitlab.com/ci/yaml/ · DSP https://docs.gitlab.com/ci/pipelines/downstream_pipelines/ ·
JOBS https://docs.gitlab.com/ci/jobs/ · STUCK GitLab's `app/services/ci/stuck_builds/drop_pending_service.rb`, read
2026-11-28 · LINUX execve(2) · RUNNER gitlab-runner 19.4, graceful exit of the build container:
executors/docker/internal/wait/wait.go, shells/bash.go, read 2026-11-28.
"""

from __future__ import annotations

from typing import Final

YAML_BYTES: Final = 2 * 10**6  # of one file, as we want it; GitLab counts what it is parsed to. LIM
PARSED_BYTES: Final = 2 * 2**20  # of the objects that a file is parsed to (emit/parsed_size.py). LIM
PARSED_BYTES_BEFORE: Final = 2**20  # before LARGER_YAML_SINCE. LIM
PARSED_BYTES_OF_A_JOB: Final = 6000  # about, with some needs
YAML_DEPTH: Final = 100  # of nesting. LIM
JOB_NAME_CHARACTERS: Final = 255  # YAML needs
CI_STAGE_NAME_CHARACTERS: Final = 255  # YAML stage
TAGS: Final = 49  # of one job: fewer than 50. YAML tags
RETRIES: Final = 2  # YAML retry
CHILD_LEVELS: Final = 2  # of child pipelines below the parent. DSP
TRIGGER_INCLUDES: Final = 3  # files of one trigger job. DSP
JOB_TIMEOUT_S: Final = 30 * 24 * 3600 - 60  # less than a month, which GitLab asks for with <. YAML timeout
LEAST_JOB_TIMEOUT_S: Final = 600  # of a project; shorter ones of a job serve nobody. YAML timeout
PENDING_LIMIT_S: Final = 24 * 3600  # a job that waits for a runner for longer is dropped, and `retry` counts it. STUCK
NO_RUNNER_LIMIT_S: Final = 3600  # the same, where no runner that is online has all of its tags. STUCK
VARIABLE_BYTES: Final = 128 * 1024 - 1  # of one variable's NAME=value: MAX_ARG_STRLEN. LINUX
CHILD_VARIABLE_BYTES: Final = 64 * 1024  # of what this project writes into one variable: half of the above
# From SIGTERM, when a job is cancelled or its runner goes down, to SIGKILL, with the Docker executor: what all versions
# give. Newer ones stop the container after it, with another 10 s of the engine's. The runner goes through the processes
# of the job's container from the highest id down, and waits up to 6 s for the end of each, looking once a second: a
# service hears the signal before we do. RUNNER
STOP_S: Final = 10.0
SERVICE_STOP_S: Final = 6.0  # of it, for a service to end; the rest is for what it has left
SIGNAL_GAP_S: Final = 2.0  # between the end of a service that heard it first, and our own signal

RESERVED_JOB_NAMES: Final = frozenset(
    {
        "image", "services", "stages", "types", "before_script", "after_script", "variables", "cache", "include",
        "true", "false", "nil", "default", "workflow", "spec", "pages", "pages:deploy",
    }
)  # words of the file itself, and names with a meaning of their own. JOBS  # fmt: skip

# GitLab's versions that understand a keyword, as (major, minor). YAML
LARGER_YAML_SINCE: Final = (17, 3)
AUTO_CANCEL_SINCE: Final = (16, 10)  # `workflow: auto_cancel`
RETRY_EXIT_CODES_SINCE: Final = (16, 11)  # on by default; generally since 17.5
MIRROR_SINCE: Final = (18, 2)
FINER_RETRY_WORDS_SINCE: Final = (19, 1)  # in place of `stuck_or_timeout_failure`, and of some faults of runners


def parsed_bytes_of_a_file(version: tuple[int, int]) -> int:
    """What a file may take in the memory of a server of this version."""
    return PARSED_BYTES if version >= LARGER_YAML_SINCE else PARSED_BYTES_BEFORE
