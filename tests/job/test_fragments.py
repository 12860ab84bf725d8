"""`job/fragments.py`: a remote in a folder; fragments are trusted only as far as they say of themselves."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from support.repositories import make_repository
from swath.dvc_border.content import hash_bytes
from swath.dvc_border.remote_store import RemoteStore
from swath.dvc_border.repository import Repository
from swath.errors import UserError
from swath.job.fragments import LARGEST_TEXT, file_records, open_own, put_files, upstream_fragments
from swath.model.fragment import FileRecord, Fragment, StageRecord
from swath.model.jobs import Job, PipelinePlan
from swath.model.runner import Runner
from swath.model.service import Resources
from swath.schema.fragment_text import write_fragment


def job(name: str, *needs: str) -> Job:
    """A job of one stage of its name."""
    return Job(name, (name,), "image", Runner(), Resources(), needs, 600, interruptible=True, key="", level=0)


A, B, C = job("a"), job("b", "a"), job("c", "b")
PLAN = PipelinePlan("c" * 40, 1, (A, B, C))
DONE = StageRecord({"cmd": "make"})


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    config = f"[core]\n    remote = far\n['remote \"far\"']\n    url = {tmp_path}/far\n"
    return Repository(make_repository(tmp_path / "repo", {".dvc/config": config}).root)


@pytest.fixture
def store(repository: Repository) -> RemoteStore:
    return RemoteStore(repository)


def leave(store: RemoteStore, each: Job, **change: object) -> None:
    """What a job left."""
    fragment = Fragment(PLAN.commit, PLAN.digest, each.name, 1, {each.name: DONE})
    store.write_text(f"swath/7/1/{each.name}.json", write_fragment(replace(fragment, **change)))  # type: ignore[arg-type]


def test_the_first_attempt_begins_a_new_one_and_the_second_goes_on(store: RemoteStore) -> None:
    first = open_own(store, "7", PLAN, A)
    assert (first.path, first.earlier, first.fragment.attempt, store.read_text(first.path)) == (
        "swath/7/1/a.json", False, 1, None,
    )  # fmt: skip
    first.add("x", DONE, {"f": FileRecord(hash_bytes(b"text"), "text")})
    first.add("y", StageRecord(None, exit=3), {})
    assert store.read_text(first.path) == first.text
    second = open_own(store, "7", PLAN, A)
    assert (second.earlier, second.fragment.attempt) == (True, 2)
    assert second.fragment.stages == {"x": DONE}  # the failed one is done again
    assert second.fragment.files == {"f": FileRecord(hash_bytes(b"text"), "text")}


def test_faults_of_upstream_are_told(store: RemoteStore) -> None:
    leave(store, A)
    with pytest.raises(UserError) as caught:
        upstream_fragments(store, "7", PLAN, C)
    assert str(caught.value) == (
        "the job 'b' left no fragment in the DVC remote (swath/7/1/b.json)\n  retry the job 'b', then this one"
    )
    leave(store, B, stages={"b": StageRecord(None, exit=1)})
    with pytest.raises(UserError) as caught:
        upstream_fragments(store, "7", PLAN, C)
    assert str(caught.value) == (
        "the fragment swath/7/1/b.json has no result of the stage b: its job did not end well\n"
        "  retry the job 'b', then this one"
    )
    leave(store, B, plan="0" * 16)
    with pytest.raises(UserError) as caught:
        upstream_fragments(store, "7", PLAN, C)
    assert str(caught.value) == (
        "the fragment swath/7/1/b.json is not of this pipeline: it is of the plan 0000000000000000, "
        f"this pipeline's is {PLAN.digest}\n  start a new pipeline"
    )
    leave(store, B)
    assert [each.job for each in upstream_fragments(store, "7", PLAN, C)] == ["a", "b"]
    assert upstream_fragments(store, "7", PLAN, A) == []


def test_files_of_fragments_are_written_but_ignore_files(repository: Repository, store: RemoteStore) -> None:
    text = "ä\r\n"
    files = {"x/y": FileRecord(hash_bytes(text.encode()), text), "x/.gitignore": FileRecord("m", "/y")}
    put_files(repository, store, files)
    assert (repository.root / "x/y").read_bytes() == text.encode()
    assert [path.name for path in (repository.root / "x").iterdir()] == ["y"]


@pytest.mark.parametrize(
    "path", ["../out", "/etc/swath-out", ".git/config", "x/.git/hooks/post-checkout", ".dvc/config", "link/f"]
)
def test_no_file_leads_out_of_the_checkout(repository: Repository, store: RemoteStore, path: str) -> None:
    (repository.root / "link").symlink_to(repository.root.parent)
    with pytest.raises(UserError) as caught:
        put_files(repository, store, {path: FileRecord(hash_bytes(b"text"), "text")})
    assert str(caught.value) == (f"a fragment names the file {path!r}, outside the checkout\n  start a new pipeline")


@pytest.mark.parametrize(
    ("data", "is_text"),
    [
        (b"", True),
        (b"a\r\n", True),
        (b"a" * LARGEST_TEXT, True),
        (b"a" * (LARGEST_TEXT + 1), False),
        (b"a\0", False),
        (b"\xff", False),
        (b"\xef\xbb\xbfa", True),
    ],
)
def test_small_texts_are_held_and_other_files_only_named(tmp_path: Path, data: bytes, is_text: bool) -> None:  # noqa: FBT001
    (tmp_path / "f").write_bytes(data)
    (found,) = file_records(str(tmp_path), ["f", "none"]).values()
    assert found.md5 == hash_bytes(data)
    assert (found.text.encode() if found.text is not None else None) == (data if is_text else None)


def test_the_gitignore_of_a_fragment_is_no_link_to_something_else(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "repository/data").mkdir(parents=True)
    (tmp_path / "repository/.gitignore").write_text("/out\n")
    (tmp_path / "repository/data/.gitignore").symlink_to(tmp_path / "secret")
    assert list(file_records(str(tmp_path / "repository"), [".gitignore", "data/.gitignore"])) == [".gitignore"]
