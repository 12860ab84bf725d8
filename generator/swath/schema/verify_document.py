"""The document that `swath verify --json` prints, version 1."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypedDict

if TYPE_CHECKING:
    from collections.abc import Iterable

    from swath.model.verdict import Verdict

VERSION: Final = 1


class FileDocument(TypedDict):
    """A file of a folder; `change` is changed, added or missing."""

    path: str
    change: str


class OutDocument(TypedDict):
    """An output that differs; hashes as in dvc.lock."""

    path: str
    recorded: str
    now: str
    files: list[FileDocument]


class VerdictDocument(TypedDict):
    """A stage; `result` is same, differs, failed or skipped."""

    name: str
    result: str
    message: str
    wall_s: float
    outs: list[OutDocument]


class VerifyDocument(TypedDict):
    """All stages that were asked for, in the graph's order."""

    version: int
    commit: str
    stages: list[VerdictDocument]


def verify_document(commit: str, verdicts: Iterable[Verdict]) -> VerifyDocument:
    """The document of what came of a verification."""
    stages: list[VerdictDocument] = [
        {
            "name": verdict.stage,
            "result": verdict.kind,
            "message": verdict.message,
            "wall_s": round(verdict.wall_s, 3),
            "outs": [
                {
                    "path": out.path,
                    "recorded": out.recorded,
                    "now": out.now,
                    "files": [{"path": path, "change": change} for path, change in out.files],
                }
                for out in verdict.outs
            ],
        }
        for verdict in verdicts
    ]
    return {"version": VERSION, "commit": commit, "stages": stages}
