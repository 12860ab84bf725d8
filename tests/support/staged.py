"""A small repository, and attempts laid out in it; no engine needed."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest

from swath.execute.mounts import HOME, REPOSITORY
from swath.execute.staging import stage_invocation
from swath.model.invocation import Invocation
from swath.model.service import Parameter, Service

if TYPE_CHECKING:
    import threading
    from pathlib import Path

    from swath.execute.staging import Staging

OWN = {REPOSITORY, HOME, "/tmp", "/var/tmp", "/run", f"{REPOSITORY}/services/task"}


@pytest.fixture
def small_root(tmp_path: Path) -> Path:
    """A repository with a service and two files."""
    for name in ("services/task/program.sh", "data/a.txt", "data/deep/b.txt"):
        path = tmp_path / "repository" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return tmp_path / "repository"


def stage(
    root: Path,
    *arguments: tuple[str, str | tuple[str, ...]],
    stop: threading.Event | None = None,
    **changes: object,
) -> Staging:
    """Lay out an attempt; a parameter's type and direction are those of its name."""
    kinds = {"file": "file", "folder": "directory", "files": "list[file]"}
    parameters = [
        Parameter(name=f"{direction}-{kind}", type=type_, direction=direction)  # type: ignore[arg-type]
        for kind, type_ in kinds.items()
        for direction in ("input", "output")
    ]
    service = Service(
        name="task", kind="processing", description="", entrypoint=["sh"], parameters=[*parameters, Parameter(
            name="text", type="string")]
    )  # fmt: skip
    invocation = Invocation(service, root / "services/task", arguments, root, ".", root / "scratch")
    invocation = dataclasses.replace(invocation, **changes)  # type: ignore[arg-type] # a test's free choice
    folder = root.parent / "attempt"
    folder.mkdir()
    return stage_invocation(invocation, folder, stop)


def shown(staging: Staging) -> dict[str, str]:
    """What the container sees beside its own folders: target and source."""
    return {bind.target: bind.source for bind in staging.layout.binds if bind.target not in OWN}
