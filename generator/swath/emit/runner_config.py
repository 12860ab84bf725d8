"""Runner classes of swath.yaml -> the `config.toml` of gitlab-runner (17 and later). Pure.

    runner classes + demands of stages + volumes ─▶ one [[runners]] per class ─▶ TOML

Tokens are never in it: each class has a placeholder that `envsubst` fills in. Tags are not in it either: since runner
authentication tokens (`glrt-…`) they live on the server, so they stand in comments.
Keys: https://docs.gitlab.com/runner/configuration/advanced-configuration/
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

import tomlkit

from swath.emit.job import kubernetes
from swath.errors import UserError
from swath.model.service import Resources
from swath.model.volumes import volume_variable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tomlkit.items import Table

    from swath.model.invocation import Volume
    from swath.model.runner import Runner
    from swath.model.settings import Settings

Executor = Literal["docker", "kubernetes", "docker-autoscaler"]
EXECUTORS: Final[tuple[Executor, ...]] = get_args(Executor)
_OUTPUT_LIMIT_KIB: Final = 65_536  # of a job's log; the runner's own 4 MiB cut long trainings, GitLab fails at 100 MB
_FALLBACK_IMAGE: Final = "debian:12-slim"  # gitlab-runner wants one; all jobs of Swath name theirs
_SOCKET: Final = "/var/run/docker.sock"
_OPENSTACK: Final = "ghcr.io/sardinasystems/fleeting-plugin-openstack:latest"
# What rootless builders do (user namespaces, mounts) is forbidden by Docker's default profiles.
_ROOTLESS: Final = ("seccomp=unconfined", "apparmor=unconfined")
_APPARMOR: Final = "container.apparmor.security.beta.kubernetes.io/build"
_ROOTLESS_BUILDERS: Final = frozenset({"buildkit", "buildah"})
_SHARED_MEMORY: Final = "/dev/shm"  # noqa: S108 - a mount point, no temporary file of ours
_MIB: Final = 2**20


@dataclass(frozen=True, slots=True)
class RunnerOptions:
    """What swath.yaml does not say.

    Attributes:
        executor: how the runners start jobs.
        url: of the GitLab server.
        tags: only the classes that have all of these; empty: all classes.
        volumes: what jobs find outside their checkout, by name, with paths of the runners' machines; an empty path:
            nobody has said it.
        builds_on: the class on which Swath's own jobs run, builds of images among them.
    """

    executor: Executor
    url: str
    tags: tuple[str, ...]
    volumes: Mapping[str, Volume]
    builds_on: Runner


def runner_config(settings: Settings, demands: Iterable[Resources], options: RunnerOptions) -> str:
    """The text of `config.toml`.

    Args:
        demands: what the stages ask for: the shared memory of a class is the most that one of those asks for that it
            can run.

    Raises:
        UserError: no class has the tags, or a path cannot be mounted.
    """
    chosen = [runner for runner in settings.runners if set(options.tags) <= set(runner.tags)]
    if not chosen:
        known = "; ".join(", ".join(runner.tags) for runner in settings.runners)
        wanted = ", ".join(options.tags)
        raise UserError(f"no class of runners has the tags {wanted}", hint=f"swath.yaml has: {known}")
    asked = list(demands)
    tokens = token_variables(settings.runners)
    document = tomlkit.document()
    names = [tokens[settings.runners.index(runner)] for runner in chosen]
    for line in _preface(names):
        document.add(tomlkit.comment(line))
    document["concurrent"] = sum(runner.concurrency for runner in chosen)
    document["check_interval"] = 3
    document["shutdown_timeout"] = 0
    runners = tomlkit.aot()
    for runner, token in zip(chosen, names, strict=True):
        shm = max((demand.shm or 0 for demand in asked if not runner.lacking(demand)), default=0)
        runners.append(_runner(runner, token, shm, settings, options))
    document["runners"] = runners
    return tomlkit.dumps(document)


def token_variables(runners: Sequence[Runner]) -> list[str]:
    """For each class the variable that holds its token: letters, digits and _; no two equal."""
    names: list[str] = []
    for runner in runners:
        name = "SWATH_RUNNER_TOKEN_" + (re.sub(r"[^A-Z0-9]+", "_", "_".join(runner.tags).upper()).strip("_") or "ALL")
        number = 2
        unique = name
        while unique in names:
            unique, number = f"{name}_{number}", number + 1
        names.append(unique)
    return names


def _preface(tokens: Sequence[str]) -> list[str]:
    wanted = " ".join(tokens)
    return [
        "Written by `swath runner config`. One [[runners]] for each class in swath.yaml; a machine keeps only its own.",
        "For each: create the runner in GitLab (New runner: the tags of the comment; Run untagged jobs: off; Protected",
        "as you like), put its token (glrt-...) into the environment under the name below, then:",
        f"""  envsubst "$(printf '${{%s}} ' {wanted})" < swath-runners.toml > /etc/gitlab-runner/config.toml""",
        "The file then holds tokens: mode 0600, owner root, never in Git.",
    ]


def _runner(runner: Runner, token: str, shm: int, settings: Settings, options: RunnerOptions) -> Table:
    table = tomlkit.table()
    table.add(tomlkit.comment(f"tags, to be set in GitLab: {_quoted(runner.tags)}"))
    table.add(tomlkit.comment(f"free space that a job may ask for: {runner.disk}"))
    for note in _notes(runner, options):
        table.add(tomlkit.comment(note))
    table["name"] = f"swath {' '.join(runner.tags)}".strip()
    table["url"] = options.url
    table["token"] = f"${{{token}}}"
    table["executor"] = options.executor
    table["limit"] = runner.concurrency
    table["request_concurrency"] = min(runner.concurrency, 4)
    table["output_limit"] = _OUTPUT_LIMIT_KIB
    environment = [f"{variable}={path}" for variable, path in _volume_variables(options)]
    if environment:
        table["environment"] = environment
    table["feature_flags"] = _feature_flags(runner, options)
    if options.executor == "kubernetes":
        table["kubernetes"] = _kubernetes(runner, shm, settings, options)
    else:
        table["docker"] = _docker(runner, shm, settings, options)
    if options.executor == "docker-autoscaler":
        table["autoscaler"] = _autoscaler(runner)
    return table


def _notes(runner: Runner, options: RunnerOptions) -> list[str]:
    notes = []
    unsaid = [name for name, volume in options.volumes.items() if not volume.path]
    if unsaid:
        notes.append(f"no path on the runners is known for the volumes {_quoted(unsaid)}:")
        notes.append("set SWATH_VOLUME_NAME and write this anew")
    if runner.gpus and runner.concurrency > 1 and options.executor != "kubernetes":
        notes.append("each job sees all GPUs of its machine: for several jobs on one machine, one [[runners]] for each")
        notes.append('GPU with limit = 1 and gpus = "device=0", "device=1", ...')
    return notes


def _feature_flags(runner: Runner, options: RunnerOptions) -> dict[str, bool]:
    flags = {"FF_GIT_URLS_WITHOUT_TOKENS": True}  # no token in .git/config, where a service could read it
    if options.executor == "kubernetes" and runner.gpus:
        flags["FF_USE_ADVANCED_POD_SPEC_CONFIGURATION"] = True
    return flags


def _docker(runner: Runner, shm: int, settings: Settings, options: RunnerOptions) -> dict[str, Any]:
    builds = runner == options.builds_on
    volumes = ["/cache", *_mounts(runner, options)]
    if settings.execution == "docker" or (builds and settings.builder == "docker"):
        volumes.append(f"{_SOCKET}:{_SOCKET}")
    if builds and settings.builder == "dind":
        volumes.append("/certs/client")
    memory = f"{runner.memory // _MIB}m"
    keys: dict[str, Any] = {
        "image": _FALLBACK_IMAGE,
        "cpus": f"{runner.cpus:g}",
        "memory": memory,
        "memory_swap": memory,  # equal: a job that asks for more is ended, it does not make the machine swap
        "privileged": builds and settings.builder == "dind",
        "pull_policy": ["always", "if-not-present"],  # the second when the registry does not answer
        "volumes": volumes,
    }
    if builds and settings.builder in _ROOTLESS_BUILDERS:
        keys["security_opt"] = list(_ROOTLESS)
    if shm:
        keys["shm_size"] = int(shm)  # not a Size, whose text has a unit
    if runner.gpus:
        keys["gpus"] = "all"
    return keys


def _mounts(runner: Runner, options: RunnerOptions) -> list[str]:
    """What the host gives, as ``path:path`` and, read-only, ``path:path:ro``."""
    return [f"{path}:{path}{':ro' if read_only else ''}" for _, path, read_only in _shared(runner, options)]


def _shared(runner: Runner, options: RunnerOptions) -> list[tuple[str, str, bool]]:
    """Folders of the machine that jobs see: name, path (the same inside), whether it is read-only.

    Raises:
        UserError: Docker cannot mount such a path.
    """
    found = [("dvc-cache", runner.cache, False)] if runner.cache else []
    found += [(f"volume-{name}", each.path, each.read_only) for name, each in options.volumes.items() if _local(each)]
    for _, path, _ in found:
        if ":" in path or any(ord(letter) < ord(" ") for letter in path):
            raise UserError(f"{path!r} cannot be mounted into jobs", hint="no colons, no control characters")
    return found


def _local(volume: Volume) -> bool:
    return volume.path.startswith("/")


def _volume_variables(options: RunnerOptions) -> list[tuple[str, str]]:
    return [(volume_variable(name), volume.path) for name, volume in options.volumes.items() if volume.path]


def _kubernetes(runner: Runner, shm: int, settings: Settings, options: RunnerOptions) -> dict[str, Any]:
    """Jobs say what they need in KUBERNETES_* variables; one above an overwrite_max_allowed value fails the job.

    So these are what a job asks for that takes the whole class, rounded as it is there.

    Source: gitlab-runner, executors/kubernetes/overwrites.go (evaluateMaxResourceOverwrite), read 2026-11-28.
    """
    whole = kubernetes(Resources(cpus=runner.cpus, memory=runner.memory, disk=runner.disk))
    most = {name: whole[f"KUBERNETES_{name.upper()}_LIMIT"] for name in ("cpu", "memory", "ephemeral_storage")}
    keys: dict[str, Any] = {"namespace": "gitlab-runner", "image": _FALLBACK_IMAGE}
    keys["pull_policy"] = ["always", "if-not-present"]
    keys["privileged"] = runner == options.builds_on and settings.builder == "dind"
    for name, value in most.items():
        for side in ("request", "limit"):
            keys[f"{name}_{side}_overwrite_max_allowed"] = value
    if runner == options.builds_on and settings.builder in _ROOTLESS_BUILDERS:
        keys["pod_annotations"] = {_APPARMOR: "unconfined"}
    volumes = _kubernetes_volumes(runner, shm, options)
    if volumes:
        keys["volumes"] = volumes
    if runner.gpus:
        keys["runtime_class_name"] = "nvidia"
        keys["pod_spec"] = [_gpu_patch(runner.gpus)]
    return keys


def _kubernetes_volumes(runner: Runner, shm: int, options: RunnerOptions) -> dict[str, Any]:
    volumes: dict[str, Any] = {}
    shared = _shared(runner, options)
    if shared:
        volumes["host_path"] = [
            {"name": _label(name), "mount_path": path, "host_path": path, "read_only": read_only}
            for name, path, read_only in shared
        ]
    if shm:
        size = f"{-(-shm // _MIB)}Mi"
        volumes["empty_dir"] = [{"name": "shm", "mount_path": _SHARED_MEMORY, "medium": "Memory", "size_limit": size}]
    return volumes


def _label(name: str) -> str:
    """A name as Kubernetes wants it."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:63]


def _gpu_patch(gpus: int) -> dict[str, str]:
    """No variable of a job asks for GPUs: the class gives them to each of its jobs."""
    limits = {"containers": [{"name": "build", "resources": {"limits": {"nvidia.com/gpu": gpus}}}]}
    return {"name": "gpus", "patch_type": "strategic", "patch": json.dumps(limits)}


def _autoscaler(runner: Runner) -> dict[str, Any]:
    """Machines on demand; the values in <...> are the cloud's."""
    return {
        "plugin": _OPENSTACK,
        "capacity_per_instance": 1,
        "max_instances": runner.concurrency,
        "max_use_count": 20,
        "plugin_config": {
            "cloud": "<name in clouds.yaml>",
            "clouds_config": "/etc/gitlab-runner/clouds.yaml",
            "name": _label(f"swath-{'-'.join(runner.tags)}"),
            "boot_time": "10m",
            "server_spec": {
                "name": f"{_label('swath-' + '-'.join(runner.tags))}-%d",
                "imageRef": "<id of an image with Docker>",
                "flavorRef": f"<id of a flavour with {runner.cpus:g} cores, {runner.memory}, {runner.gpus} GPUs>",
                "key_name": "<name of the key pair>",
                "networks": [{"uuid": "<id of the network>"}],
            },
        },
        "connector_config": {
            "username": "<user of the image>",
            "key_path": "/etc/gitlab-runner/id_ed25519",
            "use_static_credentials": True,
            "use_external_addr": False,
        },
        "policy": [{"idle_count": 0, "idle_time": "20m0s"}],
    }


def _quoted(words: Iterable[str]) -> str:
    """Words for a comment: in quotes, on one line, whatever they hold."""
    return json.dumps(list(words), ensure_ascii=True)[1:-1]
