"""Runs a GitLab pipeline job by job: `needs`, ci stages, rules, retries, timeouts, artifacts, child pipelines.

What this cannot do it refuses: a keyword that is not listed here fails the test that has it.
"""

from __future__ import annotations

import re
import secrets
import shutil
import threading
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import yaml

from support.gitlab_variables import expand, holds
from support.job_container import Attempt, Task, collect_artifacts, run_attempt

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from support.gitlab_house import House, HouseRunner

_GLOBAL: Final = {"stages", "workflow", "variables", "default"}
_JOB: Final = {
    "stage", "image", "services", "tags", "script", "before_script", "after_script", "needs", "rules", "when", "retry",
    "timeout", "interruptible", "resource_group", "variables", "artifacts", "trigger", "allow_failure", "cache", "inherit", "dependencies",
}  # fmt: skip
_UNITS: Final = {"d": 86400, "h": 3600, "m": 60, "s": 1}
_DEFAULT_TIMEOUT_S: Final = 3600.0
_SYSTEM_WAITS: Final = {"script_failure", "runner_system_failure", "job_execution_timeout", "stuck_or_timeout_failure"}


@dataclass
class JobRun:
    """One job of a pipeline.

    Attributes:
        status: `success`, `failed`, `skipped` or `manual`.
        attempts: the first and those that `retry` made.
        child: the pipeline that a trigger job started.
        artifacts: what it left for the jobs behind it.
    """

    name: str
    keywords: Mapping[str, Any]
    artifacts: Path
    status: str = "created"
    attempts: list[Attempt] = field(default_factory=list)
    child: PipelineRun | None = None

    @property
    def log(self) -> str:
        """Of the last attempt."""
        return self.attempts[-1].log if self.attempts else ""

    @property
    def ended(self) -> bool:
        """Whether nothing more comes of it."""
        return self.status in {"success", "failed", "skipped", "manual"}

    @property
    def let_through(self) -> bool:
        """Whether jobs behind it may start."""
        return self.status == "success" or (self.status == "failed" and self.keywords.get("allow_failure") is True)


@dataclass
class PipelineRun:
    """A pipeline that has ended."""

    id: str
    document: Mapping[str, Any]
    jobs: dict[str, JobRun]

    @property
    def status(self) -> str:
        """`success` or `failed`."""
        failed = any(job.status == "failed" and not job.let_through for job in self.jobs.values())
        return "failed" if failed else "success"

    def all_jobs(self) -> Iterator[JobRun]:
        """Its jobs and those of its children."""
        for job in self.jobs.values():
            yield job
            if job.child:
                yield from job.child.all_jobs()

    def names(self, status: str = "success") -> list[str]:
        """The jobs with a status, children's included, sorted."""
        return sorted(job.name for job in self.all_jobs() if job.status == status)

    def job(self, name: str) -> JobRun:
        """A job by its name, here or in a child."""
        return next(job for job in self.all_jobs() if job.name == name)

    def story(self) -> str:
        """All jobs with their ends, and the logs of those that failed: what a test shows when it fails."""
        lines = [f"{job.status:8} {job.name} {[a.exit_code for a in job.attempts]}" for job in self.all_jobs()]
        logs = [f"--- {job.name}\n{a.log}" for job in self.all_jobs() for a in job.attempts if a.reason]
        return "\n".join(["", *lines, *logs])


class Pipeline:
    """A pipeline that is to run."""

    def __init__(
        self,
        house: House,
        pipeline_id: str,
        document: dict[str, Any],
        known: Mapping[str, str],
        chosen: Mapping[str, str],
        commit: str,
        ref: str,
    ) -> None:
        self.house, self.id, self.document, self.commit, self.ref = house, pipeline_id, document, commit, ref
        self.known, self.chosen = dict(known), dict(chosen)
        self.ci_stages = [".pre", *document.get("stages", ["build", "test", "deploy"]), ".post"]
        self.globals = _texts(document.get("variables", {}))
        folder = house.folder / f"pipeline-{pipeline_id}"
        self.jobs = {
            name: JobRun(name, {**document.get("default", {}), **keywords}, folder / f"{at}-artifacts")
            for at, (name, keywords) in enumerate(document.items())
            if name not in _GLOBAL and not name.startswith(".")
        }
        for job in self.jobs.values():
            unknown = set(job.keywords) - _JOB
            assert not unknown, f"{job.name}: the test's pipeline runner does not know {sorted(unknown)}"

    def run(self) -> PipelineRun:
        """Run it to its end."""
        assert self._may_be_created(), "GitLab would create no pipeline: workflow rules"
        self.jobs = {name: job for name, job in self.jobs.items() if self._when(job) != "never"}
        assert self.jobs, "GitLab would create no pipeline: no job"
        self._check_needs()
        futures: dict[Future[None], JobRun] = {}
        with ThreadPoolExecutor(max_workers=16) as pool:
            while True:
                for job in self.jobs.values():
                    if job.status == "created" and self._verdict(job) == "start":
                        job.status = "running"
                        futures[pool.submit(self._run_job, job)] = job
                if not futures:
                    break
                for future in wait(futures, return_when=FIRST_COMPLETED).done:
                    del futures[future]
                    future.result()
        left = [job.name for job in self.jobs.values() if not job.ended]
        assert not left, f"GitLab would wait for ever for {left}"
        return PipelineRun(self.id, self.document, self.jobs)

    # --- when

    def _may_be_created(self) -> bool:
        rules = self.document.get("workflow", {}).get("rules")
        return rules is None or self._first_rule(rules, self._base()).get("when", "always") != "never"

    def _first_rule(self, rules: Iterable[Mapping[str, Any]], variables: Mapping[str, str]) -> Mapping[str, Any]:
        for rule in rules:
            assert set(rule) <= {"if", "when", "variables", "allow_failure"}, f"unknown in rules: {rule}"
            if "if" not in rule or holds(str(rule["if"]), variables):
                return rule
        return {"when": "never"}

    def _when(self, job: JobRun) -> str:
        if "rules" not in job.keywords:
            return str(job.keywords.get("when", "on_success"))
        variables = {**self._base(), **_texts(job.keywords.get("variables", {}))}
        return str(self._first_rule(job.keywords["rules"], variables).get("when", "on_success"))

    def _check_needs(self) -> None:
        for job in self.jobs.values():
            for need in self._needs(job):
                assert need["job"] in self.jobs or need.get("optional"), (
                    f"{job.name} needs {need['job']}, which is not there"
                )

    def _needs(self, job: JobRun) -> list[dict[str, Any]]:
        return [need if isinstance(need, dict) else {"job": need} for need in job.keywords.get("needs") or []]

    def _before(self, job: JobRun) -> list[JobRun]:
        if "needs" in job.keywords:
            return [self.jobs[need["job"]] for need in self._needs(job) if need["job"] in self.jobs]
        at = self.ci_stages.index(job.keywords.get("stage", "test"))
        return [other for other in self.jobs.values() if self.ci_stages.index(other.keywords.get("stage", "test")) < at]

    def _verdict(self, job: JobRun) -> str:
        when = self._when(job)
        before = self._before(job)
        if not all(other.ended for other in before):
            return "wait"
        failed = any(other.status == "failed" and not other.let_through for other in before)
        # Ci::ProcessBuildService: between ci stages what was skipped is no hindrance, in `needs` it is.
        good = all(other.let_through for other in before) if "needs" in job.keywords else not failed
        if when == "manual":
            job.status = "manual"
        elif when == "always" or (good and when == "on_success") or (failed and when == "on_failure"):
            return "start"
        else:
            job.status = "skipped"
        return "wait"

    # --- run

    def _base(self) -> dict[str, str]:
        """What GitLab knows when it creates the pipeline: predefined, the project's, the YAML's, the pipeline's own."""
        return {**self.known, **self.globals, **self.house.variables, **self.chosen}

    def _variables(self, job: JobRun) -> dict[str, str]:
        own = _texts(job.keywords.get("variables", {}))
        job_id = str(next(self.house.job_ids))
        found = {
            **self.known, **self.globals, **own, **self.house.variables, **self.chosen,
            "CI_JOB_ID": job_id, "CI_JOB_NAME": job.name, "CI_JOB_STAGE": job.keywords.get("stage", "test"),
            "CI_JOB_TOKEN": f"job-token-{job_id}-{secrets.token_hex(4)}", "CI_JOB_STATUS": "running",
            "CI_JOB_URL": f"{self.known['CI_PROJECT_URL']}/-/jobs/{job_id}",
        }  # fmt: skip
        yaml_names = {*self.globals, *own, *self.chosen} - set(self.house.variables)
        for _ in range(3):  # variables in variables
            found = {name: expand(value, found) if name in yaml_names else value for name, value in found.items()}
        return found

    def _run_job(self, job: JobRun) -> None:
        group = job.keywords.get("resource_group")
        lock = self.house.resource_group(expand(group, self._base())) if group else threading.Lock()
        with lock:
            if "trigger" in job.keywords:
                self._trigger(job)
                return
            for number in range(1, 2 + _retries(job)):
                attempt = self._attempt(job, number)
                if attempt.reason is None or not _again(job, attempt):
                    break
        job.status = "failed" if attempt.reason else "success"

    def _attempt(self, job: JobRun, number: int) -> Attempt:
        variables = self._variables(job)
        runner = self.house.runner_for(job.keywords.get("tags", []))
        attempt = Attempt(number, self.house.folder / f"job-{variables['CI_JOB_ID']}")
        attempt.folder.mkdir(parents=True)
        job.attempts.append(attempt)
        task = self._task(job, variables, runner)
        with runner.slots, self.house.git.job_token(variables["CI_JOB_TOKEN"], self.house.project):
            run_attempt(task, attempt, self._inputs(job), self.house.watch)
        artifacts = job.keywords.get("artifacts", {})
        when = artifacts.get("when", "on_success")
        if when == "always" or (when == "on_success") == (attempt.reason is None):
            shutil.rmtree(job.artifacts, ignore_errors=True)
            collect_artifacts(attempt, [expand(path, variables) for path in artifacts.get("paths", [])], job.artifacts)
        return attempt

    def _task(self, job: JobRun, variables: dict[str, str], runner: HouseRunner) -> Task:
        assert not job.keywords.get("services"), "services are not run here"
        image = job.keywords["image"]
        entrypoint = image.get("entrypoint") if isinstance(image, dict) else None
        ref = variables.get("CI_MERGE_REQUEST_REF_PATH")
        refs = (f"+{ref}:{ref}",) if ref else (f"+refs/heads/{self.ref}:refs/remotes/origin/{self.ref}",)
        return Task(
            name=job.name,
            image=expand(image["name"] if isinstance(image, dict) else image, variables),
            entrypoint=None if entrypoint is None else tuple(entrypoint),
            variables=variables,
            files=self.house.files,
            lines=(*_lines(job.keywords.get("before_script")), *_lines(job.keywords["script"])),
            after=tuple(_lines(job.keywords.get("after_script"))),
            git=self.house.address,
            commit=self.commit,
            depth=int(variables.get("GIT_DEPTH", "20")),
            refs=refs,
            timeout_s=_seconds(job.keywords.get("timeout")),
            volumes=runner.volumes,
            user=runner.user,
            options=runner.options,
        )

    def _inputs(self, job: JobRun) -> list[Path]:
        if "dependencies" in job.keywords:
            wanted = [self.jobs[name] for name in job.keywords["dependencies"]]
        elif "needs" in job.keywords:
            wanted = [
                self.jobs[n["job"]] for n in self._needs(job) if n["job"] in self.jobs and n.get("artifacts", True)
            ]
        else:
            wanted = self._before(job)
        return [other.artifacts for other in wanted if other.artifacts.is_dir()]

    def _trigger(self, job: JobRun) -> None:
        trigger = job.keywords["trigger"]
        assert set(trigger) <= {"include", "strategy", "forward"}, f"unknown in trigger: {trigger}"
        (include,) = trigger["include"]
        text = (self.jobs[include["job"]].artifacts / include["artifact"]).read_text()
        inherited = {} if job.keywords.get("inherit", {}).get("variables") is False else self.globals
        handed_down = {**inherited, **_texts(job.keywords.get("variables", {}))}
        handed_down = {name: expand(value, self._base()) for name, value in handed_down.items()}
        if trigger.get("forward", {}).get("pipeline_variables"):
            handed_down = {**handed_down, **self.chosen}
        document = yaml.safe_load(text)
        if self.house.refuses and self.house.refuses(document):
            job.status = "failed"
            return
        child_id = str(next(self.house.pipeline_ids))
        known = {
            **self.known,
            "CI_PIPELINE_ID": child_id,
            "CI_PIPELINE_SOURCE": "parent_pipeline",
            "CI_PIPELINE_CREATED_AT": datetime.now(UTC).isoformat(),
        }
        child = Pipeline(self.house, child_id, document, known, handed_down, self.commit, self.ref)
        job.child = child.run()
        waits = trigger.get("strategy") in {"mirror", "depend"}
        job.status = job.child.status if waits else "success"


def _texts(variables: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(value["value"] if isinstance(value, dict) else value) for name, value in variables.items()}


def _lines(script: Any) -> list[str]:
    if script is None:
        return []
    return [script] if isinstance(script, str) else [str(line) for line in script]


def _retries(job: JobRun) -> int:
    retry = job.keywords.get("retry", 0)
    return int(retry.get("max", 0)) if isinstance(retry, dict) else int(retry)


def _again(job: JobRun, attempt: Attempt) -> bool:
    """Whether GitLab tries again: one of `when` and `exit_codes` is enough; neither given means always."""
    retry = job.keywords.get("retry")
    if not isinstance(retry, dict):
        return True
    when, codes = _lines(retry.get("when")), retry.get("exit_codes")
    if not when and codes is None:
        return True
    codes = [codes] if isinstance(codes, int) else codes or []
    assert attempt.reason in _SYSTEM_WAITS
    return "always" in when or attempt.reason in when or attempt.exit_code in codes


def _seconds(timeout: str | None) -> float:
    """`2h 30m` and its like."""
    if timeout is None:
        return _DEFAULT_TIMEOUT_S
    parts = re.findall(r"(\d+) *([a-z])", str(timeout))
    return float(sum(int(number) * _UNITS[unit] for number, unit in parts))
