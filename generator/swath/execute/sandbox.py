"""What a service in a container may do: from an invocation to the engine's settings for one container. Pure.

Everything is denied that is not given: the image's files are read-only, no capability beyond those of file owners, no
new privileges, no network, no GPU, no variable of the caller's. See docs/explanation/runtimes.md for the reasons.
Called by `execute/container.py`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from swath.execute.environment import SCRATCH, SERVICE_DIR, VISIBLE_DEVICES, service_environment
from swath.execute.mounts import HOME, REPOSITORY, Bind
from swath.execute.service_argv import argument_words, entrypoint_words, host_volume_path

if TYPE_CHECKING:
    from collections.abc import Mapping

    from swath.execute.engine import EngineFacts
    from swath.execute.mounts import Layout
    from swath.model.invocation import Invocation
    from swath.model.service import Resources

SCRATCH_FOLDER: Final = "/swath/scratch"
SERVICE_FOLDER: Final = "/opt/service"
LABEL: Final = "swath"
_FILE_CAPABILITIES: Final = ("CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID")
DEFAULT_PIDS: Final = 4096  # a service that forks without end stops here, before the machine has no process left
_SMALLEST_MEMORY: Final = 6 * 2**20  # the engine refuses less


@dataclass(frozen=True, slots=True)
class Caller:
    """Who runs Swath: numbers and a name."""

    uid: int
    gid: int
    groups: tuple[int, ...]
    name: str


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a container gets beside the invocation.

    Attributes:
        environ: the caller's whole environment, from which a few variables are chosen.
        binds: further mounts: the account files.
        labels: name, without the common prefix, and value.
    """

    caller: Caller
    environ: Mapping[str, str]
    binds: tuple[Bind, ...]
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Sandbox:
    """The settings of one container.

    Attributes:
        command: the whole argv.
        user: ``uid:gid``.
        groups: further groups.
        capabilities: all that it keeps.
        cpus: cores, may be a fraction; None: no limit.
        memory: bytes; None: no limit.
        shm: bytes of /dev/shm; None: the engine's default.
        pids: most processes and threads at a time.
        gpus: names of the GPUs, as the engine knows them.
        security: the engine's security options.
        userns: the engine's user namespace mode; None: its default.
    """

    image: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    workdir: str
    user: str
    groups: tuple[str, ...]
    capabilities: tuple[str, ...]
    binds: tuple[Bind, ...]
    labels: Mapping[str, str]
    network: bool
    cpus: float | None
    memory: int | None
    shm: int | None
    pids: int
    gpus: tuple[str, ...]
    security: tuple[str, ...]
    userns: str | None


def sandbox_for(
    invocation: Invocation, layout: Layout, image: str, facts: EngineFacts, surroundings: Surroundings
) -> Sandbox:
    """The settings of the container that runs `invocation`.

    Args:
        invocation: what runs.
        layout: its staged paths.
        image: the id of the image that it runs in.
        facts: the engine.
        surroundings: the caller, its environment, and what else is mounted.
    """
    caller, service = surroundings.caller, invocation.service
    is_built = service.image is not None and service.image.build is not None
    arguments = replace(invocation, arguments=layout.arguments)
    words = [*entrypoint_words(invocation, SERVICE_FOLDER), *argument_words(arguments, host_volume_path)]
    scratch = Bind(str(invocation.scratch.resolve()), SCRATCH_FOLDER, read_only=False)
    binds = [*layout.binds, scratch, *surroundings.binds]
    if not is_built:
        binds.append(Bind(str(invocation.folder.resolve()), SERVICE_FOLDER))
    asked = invocation.resources
    is_root = facts.rootless or caller.uid == 0
    return Sandbox(
        image=image,
        command=tuple(words),
        environment=_environment(invocation, surroundings.environ),
        workdir=os.path.normpath(f"{REPOSITORY}/{invocation.wdir}"),
        user="0:0" if facts.rootless else f"{caller.uid}:{caller.gid}",
        groups=() if facts.rootless else tuple(str(group) for group in caller.groups),
        capabilities=_FILE_CAPABILITIES if is_root else (),
        binds=tuple(binds),
        labels={f"{LABEL}.{key}": value for key, value in surroundings.labels.items()},
        network=service.network,
        cpus=min(float(asked.cpus), float(facts.cpus)) if asked.cpus else None,
        memory=max(int(asked.memory), _SMALLEST_MEMORY) if asked.memory else None,
        shm=int(asked.shm) if asked.shm else None,
        pids=pids_of(asked),
        gpus=invocation.gpus,
        security=("no-new-privileges", *(("label=disable",) if facts.selinux else ())),
        userns="host" if facts.remaps_users else None,
    )


def pids_of(asked: Resources) -> int:
    """The most processes and threads of a container at a time."""
    return asked.pids or DEFAULT_PIDS


def _environment(invocation: Invocation, environ: Mapping[str, str]) -> dict[str, str]:
    """The allow-listed variables, with the paths and the numbers that hold inside the container."""
    root = str(invocation.root)
    chosen = service_environment(invocation, environ)
    for name in invocation.environment:
        if chosen[name] == root or chosen[name].startswith(f"{root}/"):
            chosen[name] = REPOSITORY + chosen[name].removeprefix(root)
    chosen |= {SERVICE_DIR: SERVICE_FOLDER, SCRATCH: SCRATCH_FOLDER, "HOME": HOME}
    # In the container GPUs are numbered from 0, while UUIDs hold there too; "void" keeps an NVIDIA runtime from handing
    # over all.
    numbered = all(name.isdecimal() for name in invocation.gpus)
    chosen[VISIBLE_DEVICES] = ",".join(map(str, range(len(invocation.gpus))) if numbered else invocation.gpus)
    if not invocation.gpus:
        chosen["NVIDIA_VISIBLE_DEVICES"] = "void"
    return chosen


def account_files(caller: Caller, *, rootless: bool) -> dict[str, str]:
    """The container's /etc/passwd and /etc/group, so that the caller has a name and a home there.

    Returns:
        Path in the container, and text.
    """
    users = {0: "root", 65534: "nobody"}
    groups = {0: "root", 65534: "nogroup"}
    if not rootless:
        users.setdefault(caller.uid, caller.name)
        groups.setdefault(caller.gid, users[caller.uid])
        for group in caller.groups:
            groups.setdefault(group, f"group{group}")
    me, my_group = (0, 0) if rootless else (caller.uid, caller.gid)
    passwd = "".join(
        f"{name}:x:{uid}:{my_group if uid == me else uid}:{name}:{HOME if uid == me else '/'}:/bin/sh\n"
        for uid, name in users.items()
    )
    lines = "".join(f"{name}:x:{gid}:\n" for gid, name in groups.items())
    return {"/etc/passwd": passwd, "/etc/group": lines}
