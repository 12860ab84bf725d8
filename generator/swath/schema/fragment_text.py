"""The text of a fragment, version 1: a JSON document.

    {"version": 1, "commit", "plan", "job", "attempt",
     "stages": {NAME: {"lock", "wall_s", "cpu_s", "peak_memory_bytes", "pulled_bytes", "pushed_bytes", "exit"}},
     "files": {PATH: {"md5", "text"}}}

`lock` is as `schema/json_values.py` writes it: parameters may have keys and values that JSON lacks.

Written by `job/`, read by the jobs behind it and by the recording.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import msgspec

from swath.errors import UserError
from swath.model.content import Content
from swath.model.fragment import FileRecord, Fragment, StageRecord
from swath.model.lock_entry import form_fault
from swath.schema.folder_listing import is_path_inside, is_private
from swath.schema.json_values import from_json, to_json

if TYPE_CHECKING:
    from collections.abc import Mapping

VERSION: Final = 1


class _Stage(msgspec.Struct):
    lock: dict[str, Any] | None
    wall_s: float
    cpu_s: float
    peak_memory_bytes: int
    pulled_bytes: int
    pushed_bytes: int
    exit: int


class _File(msgspec.Struct):
    md5: str
    text: str | None


class _Document(msgspec.Struct):
    version: int
    commit: str
    plan: str
    job: str
    attempt: int
    stages: dict[str, _Stage]
    files: dict[str, _File]


def write_fragment(fragment: Fragment) -> str:
    """The text of a fragment; the order of stages is kept."""
    stages = {name: {"lock": to_json(record.lock), **record.figures} for name, record in fragment.stages.items()}
    files = {path: {"md5": file.md5, "text": file.text} for path, file in sorted(fragment.files.items())}
    document = {
        "version": VERSION,
        "commit": fragment.commit,
        "plan": fragment.plan,
        "job": fragment.job,
        "attempt": fragment.attempt,
        "stages": stages,
        "files": files,
    }
    return json.dumps(document, indent=1) + "\n"


def read_fragment(text: str, where: str) -> Fragment:
    """A fragment from its text.

    Args:
        where: its path in the remote, for messages.

    Raises:
        UserError: it is cut off, damaged, of another version of Swath, or names files outside the checkout.
    """
    hint = "retry the job that wrote it: it writes its fragment again"
    try:
        parsed = json.loads(text)
        json.dumps(parsed, ensure_ascii=False, allow_nan=False).encode()  # half characters, and seconds without end
        document = msgspec.convert(parsed, _Document)
        locks = {name: _read_lock(stage.lock) for name, stage in document.stages.items()}
    except (ValueError, RecursionError) as error:  # what msgspec and json raise are ValueErrors
        raise UserError(f"the fragment {where} is cut off or damaged: {error}", hint=hint) from error
    if document.version != VERSION:
        message = f"the fragment {where} is of version {document.version}; this Swath reads version {VERSION}"
        raise UserError(message, hint="use one version of Swath in all jobs of a pipeline")
    stages = {
        name: StageRecord(
            lock=locks[name],
            wall_s=stage.wall_s,
            cpu_s=stage.cpu_s,
            peak_memory_bytes=stage.peak_memory_bytes,
            pulled_bytes=stage.pulled_bytes,
            pushed_bytes=stage.pushed_bytes,
            exit=stage.exit,
        )
        for name, stage in document.stages.items()
    }
    files = {path: FileRecord(file.md5, file.text) for path, file in document.files.items()}
    _refuse_paths(files, where)
    return Fragment(document.commit, document.plan, document.job, document.attempt, stages, files)


def _read_lock(value: dict[str, Any] | None) -> dict[str, Any] | None:
    if value is None:
        return None
    entry = msgspec.convert(from_json(value), dict[str, Any])
    if fault := form_fault(entry):
        raise ValueError(f"not a lock entry: {fault.text}")
    return entry


def _refuse_paths(files: Mapping[str, FileRecord], where: str) -> None:
    """Whoever may write into the remote chooses the paths: check them before anybody joins them to a folder."""
    for path, file in files.items():
        if not is_path_inside(path) or is_private(path):
            message = f"the fragment {where} names the file {path!r}, which no stage may write"
            raise UserError(message, hint="see who can write into the DVC remote, then start a new pipeline")
        if file.text is None and not Content(file.md5).is_object:
            message = f"the fragment {where} names no object for the file {path!r}: its MD5 is {file.md5!r}"
            raise UserError(message, hint="see who can write into the DVC remote, then start a new pipeline")
