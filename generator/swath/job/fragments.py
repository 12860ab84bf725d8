"""Fragments of a pipeline in the DVC remote: those of the jobs before, and this job's own.

Each is trusted only as far as it says of itself: of this commit, of this plan, whole.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from swath.dvc_border.cache import Cache
from swath.dvc_border.content import Hasher, hash_bytes
from swath.errors import UserError
from swath.files.access import open_file
from swath.files.copying import copy_file
from swath.model.content import Content
from swath.model.fragment import FileRecord, Fragment, fragment_path
from swath.record.merge import fault_of
from swath.schema.folder_listing import is_private
from swath.schema.fragment_text import read_fragment, write_fragment

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from swath.dvc_border.remote_store import RemoteStore
    from swath.dvc_border.repository import Repository
    from swath.model.fragment import StageRecord
    from swath.model.jobs import Job, PipelinePlan

LARGEST_TEXT: Final = 2**20  # bytes of a file that a fragment holds itself


@dataclass(slots=True)
class OwnFragment:
    """This job's fragment: read when the job starts, written after each stage.

    Attributes:
        path: in the remote.
        earlier: whether an attempt before this one left something.
    """

    store: RemoteStore
    path: str
    fragment: Fragment
    earlier: bool = False

    def add(self, name: str, record: StageRecord, files: Mapping[str, FileRecord]) -> None:
        """Note what became of a stage, and write it to the remote.

        Raises:
            PassingFaultError: the remote does not answer.
        """
        stages = {key: value for key, value in self.fragment.stages.items() if key != name}
        self.fragment = replace(self.fragment, stages={**stages, name: record}, files={**self.fragment.files, **files})
        self.store.write_text(self.path, self.text)

    @property
    def text(self) -> str:
        """Its text as it is now."""
        return write_fragment(self.fragment)


def open_own(store: RemoteStore, pipeline: str, plan: PipelinePlan, job: Job) -> OwnFragment:
    """This job's fragment: what an attempt before left, or a new one.

    One that cannot be read, or is of another plan, is left aside: this job writes it anew.
    """
    path = fragment_path(pipeline, plan.level, job.name, plan.subfolder)
    text = store.read_text(path)
    fresh = Fragment(plan.commit, plan.digest, job.name, 1)
    if text is None:
        return OwnFragment(store, path, fresh)
    try:
        found = read_fragment(text, path)
    except UserError:
        return OwnFragment(store, path, replace(fresh, attempt=2))
    if fault_of(found, plan.commit, plan.digest) or found.job != job.name:
        return OwnFragment(store, path, fresh)
    done = {name: record for name, record in found.stages.items() if record.lock is not None}
    return OwnFragment(store, path, replace(found, attempt=found.attempt + 1, stages=done), earlier=bool(done))


def upstream_fragments(store: RemoteStore, pipeline: str, plan: PipelinePlan, job: Job) -> list[Fragment]:
    """The fragments of all jobs before this one, in the order of the YAML.

    Raises:
        UserError: one is missing, damaged, of another commit or plan, or has not all of its job's stages.
        PassingFaultError: the remote does not answer.
    """
    jobs = _all_upstream(plan, job)
    paths = [fragment_path(pipeline, plan.level, each.name, plan.subfolder) for each in jobs]
    texts = store.files.read_all(paths)
    return [_checked(plan, each, path, text) for each, path, text in zip(jobs, paths, texts, strict=True)]


def _checked(plan: PipelinePlan, job: Job, path: str, data: bytes | None) -> Fragment:
    hint = f"retry the job {job.name!r}, then this one"
    if data is None:
        raise UserError(f"the job {job.name!r} left no fragment in the DVC remote ({path})", hint=hint)
    fragment = read_fragment(data.decode(errors="replace"), path)
    fault = fault_of(fragment, plan.commit, plan.digest)
    if fault:
        raise UserError(f"the fragment {path} is not of this pipeline: {fault}", hint="start a new pipeline")
    lacking = [name for name in job.stages if name not in fragment.stages or fragment.stages[name].lock is None]
    if lacking:
        message = f"the fragment {path} has no result of the stage {lacking[0]}: its job did not end well"
        raise UserError(message, hint=hint)
    return fragment


def _all_upstream(plan: PipelinePlan, job: Job) -> list[Job]:
    """All jobs before a job, not only the nearest, in the order of the YAML."""
    found: set[str] = set()
    waiting = list(plan.upstream(job))
    while waiting:
        each = waiting.pop()
        if each.name not in found:
            found.add(each.name)
            waiting.extend(plan.upstream(each))
    return [each for each in plan.jobs if each.name in found]


def put_files(repository: Repository, store: RemoteStore, files: Mapping[str, FileRecord]) -> None:
    """Write files of fragments into the checkout; `.gitignore` files are left to who ignores outputs.

    Raises:
        UserError: a path leads out of the checkout, or the remote lacks an object.
        PassingFaultError: the remote does not answer.
    """
    wanted = {path: file for path, file in files.items() if os.path.basename(path) != ".gitignore"}
    store.pull([Content(file.md5) for file in wanted.values() if file.text is None])
    cache = Cache(repository, Hasher(repository))
    for path, file in wanted.items():
        target = repository.root / path
        if not target.resolve().is_relative_to(repository.root) or is_private(path):
            raise UserError(f"a fragment names the file {path!r}, outside the checkout", hint="start a new pipeline")
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
        if file.text is None:
            copy_file(cache.path(Content(file.md5)), str(temporary))
        else:
            temporary.write_bytes(file.text.encode())
        os.replace(temporary, target)


def file_records(root: str, paths: Iterable[str]) -> dict[str, FileRecord]:
    """What fragments say of files of the checkout; the text of small ones that are text.

    Args:
        paths: from the root; those that are not there are left out, and `.gitignore` files that are links: Git reads
            none behind a link, and a service may have put it there.
    """
    found: dict[str, FileRecord] = {}
    for path in paths:
        try:
            data = _read(os.path.join(root, path))
        except OSError:
            continue
        found[path] = FileRecord(hash_bytes(data), _text(data))
    return found


def _read(path: str) -> bytes:
    with open(open_file(path) if os.path.basename(path) == ".gitignore" else path, "rb") as file:
        return file.read()


def _text(data: bytes) -> str | None:
    """The bytes as text, if a fragment should hold it, and gives back the same bytes."""
    if len(data) > LARGEST_TEXT or b"\0" in data:
        return None
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None
