"""`dvc_border/workspace.py`: assumptions about outputs that will be restored equal what is there after the restore."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from support.plain_repository import make_repository
from swath.dvc_border.repository import Repository
from swath.dvc_border.workspace import Workspace
from swath.execute.save import restore_outputs, save_outputs
from swath.files.removal import remove
from swath.model.lock_entry import LockEntry
from swath.model.stage import Dependency, Output, ParamsRead, Stage

OUTS: Final = ("data/raw", "data/one.txt")
MAKER: Final = Stage("make", "dvc.yaml", "make", "make", "true", ".", (), tuple(Output(p, p) for p in OUTS))
FILES: Final = {"data/raw/a": "1", "data/raw/sub/b": "22", "data/raw/sub/c": "3", "data/one.txt": "4"}


def reader(path: str) -> Stage:
    """A stage with one dep."""
    return Stage("read", "dvc.yaml", "read", "read", "true", ".", (Dependency(path, path),))


def asked(workspace: Workspace, path: str) -> object:
    """The hash that the workspace says for a dep."""
    stage = reader(path)
    item = workspace.dep(stage, stage.deps[0], None)
    return None if item is None else (item["md5"], item.get("nfiles"))


@pytest.fixture
def saved(tmp_path: Path) -> tuple[Repository, LockEntry]:
    """A repository whose outputs are in the cache, beside files that no stage makes."""
    repository = make_repository(tmp_path, {**FILES, "data/mine/d": "5", "data/raw.txt": "6"})
    return repository, save_outputs(Workspace(repository, {}), MAKER, {"cmd": "true"})


@pytest.mark.parametrize(
    "path",
    ["data", "data/raw", "data/raw/sub", "data/raw/sub/c", "data/one.txt", "data/mine", "data/raw.txt", "data/no"],
)
@pytest.mark.parametrize("state", ["gone", "edited", "there", "a file"])
def test_an_assumed_dep_is_what_is_there_after_the_restore(
    saved: tuple[Repository, LockEntry], path: str, state: str
) -> None:
    repository, entry = saved
    spoil(repository.root, state)
    planned = Workspace(repository, {"make": entry})
    planned.assume(MAKER, entry)
    expected = asked(planned, path)
    done = Workspace(repository, {"make": entry})
    restore_outputs(done, MAKER, entry, {"cmd": "true"})
    assert expected == asked(done, path)


def spoil(root: Path, state: str) -> None:
    """Bring outputs out of order in one way."""
    if state == "there":
        return
    remove(str(root / "data/raw"))
    remove(str(root / "data/one.txt"))
    if state == "edited":
        (root / "data/raw").mkdir()
        (root / "data/raw/other").write_text("x")
    if state == "a file":
        (root / "data/raw").write_text("x")


def test_without_assumptions_the_disk_counts_again(saved: tuple[Repository, LockEntry]) -> None:
    repository, entry = saved
    remove(str(repository.root / "data/raw"))
    workspace = Workspace(repository, {})
    workspace.assume(MAKER, entry)
    assert asked(workspace, "data/raw") is not None
    workspace.drop_assumptions()
    assert asked(workspace, "data/raw") is None


def test_the_locks_item_is_in_dvcs_order(saved: tuple[Repository, LockEntry]) -> None:
    repository, _ = saved
    stage = reader("data/raw")
    item = Workspace(repository, {}).dep(stage, stage.deps[0], None)
    assert item is not None
    assert list(item) == ["path", "hash", "md5", "size", "nfiles"]
    assert (item["size"], item["nfiles"]) == (4, 3)


def test_an_item_of_dvc_2_is_answered_in_its_hash(saved: tuple[Repository, LockEntry]) -> None:
    repository, _ = saved
    (repository.root / "text").write_bytes(b"a\r\n")
    stage = reader("text")
    workspace = Workspace(repository, {})
    new = workspace.dep(stage, stage.deps[0], None)
    old = workspace.dep(stage, stage.deps[0], {"path": "text", "md5": "x"})
    assert new is not None
    assert old is not None
    assert ("hash" in new, "hash" in old) == (True, False)
    assert old["md5"] == "60b725f10c9c85c70d97880dfe8191b3"  # md5 of "a\n"


def test_parameters_come_from_the_file(tmp_path: Path) -> None:
    repository = make_repository(tmp_path, {"params.yaml": "lr: 0.1\n"})
    workspace = Workspace(repository, {})
    assert workspace.params(ParamsRead("params.yaml", "params.yaml", ("lr", "no"))) == {"lr": 0.1}
    assert workspace.params(ParamsRead("no.yaml", "no.yaml", ("lr",))) is None


def test_an_entry_that_was_recorded_is_the_locked_one(tmp_path: Path) -> None:
    workspace = Workspace(make_repository(tmp_path, {}), {"make": {"cmd": "old"}})
    workspace.record(MAKER, {"cmd": "new"})
    assert workspace.locked(MAKER) == {"cmd": "new"}
    assert workspace.locked(reader("x")) is None


@pytest.mark.parametrize("out", ["data/raw", "no"])
def test_outputs_are_answered_like_deps(saved: tuple[Repository, LockEntry], out: str) -> None:
    repository, _ = saved
    workspace = Workspace(repository, {})
    item = workspace.out(MAKER, Output(out, out), None)
    assert (None if item is None else (item["md5"], item["nfiles"])) == asked(workspace, out)
