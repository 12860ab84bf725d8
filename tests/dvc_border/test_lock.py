"""`dvc_border/lock.py`: what is written is what DVC would write, under DVC's own lock."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from dvc.lock import Lock, LockError, make_lock
from dvc.utils.serialize import dumps_yaml, loads_yaml

from support.plain_repository import make_repository
from swath.dvc_border.lock import entries_of_stages, lock_file, read_entries, repository_lock, update_locks
from swath.dvc_border.repository import Repository
from swath.errors import PassingFaultError, UserError
from swath.model.stage import Stage

A, B, C = ({"cmd": f"echo {name}", "outs": [{"path": name, "hash": "md5", "md5": name * 32}]} for name in "abc")
DATASETS = "datasets:\n  - name: d\n    url: s3://x\n    type: url\n"
LOCK = dumps_yaml({"schema": "2.0", "stages": {"b": B, "a": A}})


def test_the_lock_lies_beside_its_workflow() -> None:
    assert (lock_file("dvc.yaml"), lock_file("pipelines/use/dvc.yaml")) == ("dvc.lock", "pipelines/use/dvc.lock")


def test_existing_entries_keep_their_place_and_new_ones_follow_dvc_yaml(tmp_path: Path) -> None:
    repository = make_repository(tmp_path, {"dvc.lock": LOCK})
    changed = {**A, "cmd": "echo new"}
    update_locks(repository, {"dvc.yaml": {"e": {**B}, "c": C, "a": changed}}, {"dvc.yaml": ["a", "b", "c", "d", "e"]})
    expected = {"b": B, "a": changed, "c": C, "e": deepcopy(B)}
    assert (tmp_path / "dvc.lock").read_text() == dumps_yaml({"schema": "2.0", "stages": expected})


def test_when_a_run_writes_does_not_show_in_the_order(tmp_path: Path) -> None:
    repository = make_repository(tmp_path, {"dvc.lock": LOCK})
    order, own = {"dvc.yaml": ["a", "b", "c", "d", "e"]}, {"dvc.yaml": {"c", "d", "e"}}
    for keys in ("e", "d", "ca"):
        update_locks(repository, {"dvc.yaml": dict.fromkeys(keys, C)}, order, own)
    assert list(read_entries(repository, ["dvc.yaml"])["dvc.yaml"]) == ["b", "a", "c", "d", "e"]


def test_a_stage_that_dvc_yaml_does_not_name_comes_last(tmp_path: Path) -> None:
    repository = make_repository(tmp_path, {})
    update_locks(repository, {"dvc.yaml": {"gone": C, "a": A}}, {"dvc.yaml": ["a"]})
    assert list(read_entries(repository, ["dvc.yaml"])["dvc.yaml"]) == ["a", "gone"]


def test_several_locks_are_written_at_once(tmp_path: Path) -> None:
    repository = make_repository(tmp_path, {"sub/keep": ""})
    update_locks(repository, {"dvc.yaml": {"a": A}, "sub/dvc.yaml": {"b": B}, "other/dvc.yaml": {}}, {})
    read = read_entries(repository, ["dvc.yaml", "sub/dvc.yaml", "other/dvc.yaml"])
    assert read == {"dvc.yaml": {"a": A}, "sub/dvc.yaml": {"b": B}, "other/dvc.yaml": {}}


def test_no_changes_touch_nothing(tmp_path: Path) -> None:
    repository = make_repository(tmp_path, {"dvc.lock": "schema: '2.0'\n"})
    update_locks(repository, {"dvc.yaml": {}}, {})
    assert (tmp_path / "dvc.lock").read_text() == "schema: '2.0'\n"
    assert not (tmp_path / ".dvc/tmp/lock").exists()


@pytest.mark.parametrize("order", [["schema", "datasets", "stages"], ["schema", "stages", "datasets"]])
def test_the_datasets_section_is_kept(tmp_path: Path, order: list[str]) -> None:
    parts = {"schema": "schema: '2.0'\n", "datasets": DATASETS, "stages": LOCK.removeprefix("schema: '2.0'\n")}
    repository = make_repository(tmp_path, {"dvc.lock": "".join(parts[name] for name in order)})
    update_locks(repository, {"dvc.yaml": {"c": C}}, {})
    value = loads_yaml((tmp_path / "dvc.lock").read_text())
    assert value["datasets"] == [{"name": "d", "url": "s3://x", "type": "url"}]
    assert value["stages"] == {"b": B, "a": A, "c": C}


def test_the_mode_is_kept(tmp_path: Path) -> None:
    repository = make_repository(tmp_path, {"dvc.lock": LOCK})
    (tmp_path / "dvc.lock").chmod(0o664)
    update_locks(repository, {"dvc.yaml": {"c": C}}, {})
    assert (tmp_path / "dvc.lock").stat().st_mode & 0o777 == 0o664


def test_odd_text_is_written_as_by_dvc(tmp_path: Path) -> None:
    entry = {"cmd": "echo 'ü: #' | cat\nyes", "params": {"params.yaml": {"lr": 1e-05, "on": "yes", "none": None}}}
    repository = make_repository(tmp_path, {})
    update_locks(repository, {"dvc.yaml": {"a@1.0": entry}}, {})
    assert (tmp_path / "dvc.lock").read_text() == dumps_yaml({"schema": "2.0", "stages": {"a@1.0": entry}})


def test_a_held_lock_is_a_passing_fault(tmp_path: Path) -> None:
    repository = make_repository(tmp_path, {"dvc.lock": LOCK})
    with (
        make_lock(*_theirs(tmp_path)),
        pytest.raises(PassingFaultError) as caught,
        repository_lock(repository, wait_s=0.1),
    ):
        raise AssertionError("two hold it")
    assert str(caught.value) == "the DVC repository is locked by another process: wait for it, then run again"


@pytest.mark.parametrize("hardlink", ["false", "true"])
def test_dvc_waits_for_our_lock(tmp_path: Path, hardlink: str) -> None:
    make_repository(tmp_path, {})
    (tmp_path / ".dvc/config").write_text(f"[core]\n    hardlink_lock = {hardlink}\n")
    repository = Repository(tmp_path)
    path, folder = _theirs(tmp_path)
    theirs = make_lock(path, tmp_dir=folder, hardlink_lock=hardlink == "true")
    with repository_lock(repository):
        assert not _takes(theirs)
    assert _takes(theirs)


def test_a_lock_that_cannot_be_written_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    repository = make_repository(tmp_path, {"dvc.lock": LOCK})

    def no_space(number: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("swath.schema.atomic_file.os.fsync", no_space)
    with pytest.raises(PassingFaultError) as caught:
        update_locks(repository, {"dvc.yaml": {"c": C}}, {})
    message = "dvc.lock cannot be written: No space left on device; finished stages are kept in the journal"
    assert str(caught.value) == message
    assert (tmp_path / "dvc.lock").read_text() == LOCK
    assert sorted(path.name for path in tmp_path.iterdir()) == [".dvc", ".git", "dvc.lock"]


def test_a_lock_that_is_no_text_is_named(tmp_path: Path) -> None:
    repository = make_repository(tmp_path, {"dvc.lock": b"\xff"})
    with pytest.raises(UserError) as caught:
        read_entries(repository, ["dvc.yaml"])
    assert str(caught.value) == (
        "dvc.lock: cannot be read: 'utf-8' codec can't decode byte 0xff in position 0: invalid start byte\n"
        "  restore it from Git: git checkout -- dvc.lock"
    )


def test_entries_go_to_stages_by_file_and_key() -> None:
    stages = [Stage("a", "dvc.yaml", "a", "a", "x", "."), Stage("s/dvc.yaml:a", "s/dvc.yaml", "a", "a", "x", "s")]
    found = entries_of_stages([*stages, Stage("c", "dvc.yaml", "c", "c", "x", ".")], {"dvc.yaml": {"a": A}})
    assert found == {"a": A}
    assert entries_of_stages(stages, {"s/dvc.yaml": {"a": B}}) == {"s/dvc.yaml:a": B}


def _theirs(root: Path) -> tuple[str, str]:
    folder = root / ".dvc/tmp"
    folder.mkdir(exist_ok=True)
    return str(folder / "lock"), str(folder)


def _takes(theirs: Any) -> bool:
    try:
        theirs._do_lock() if isinstance(theirs, Lock) else theirs.lock()
    except LockError:
        return False
    theirs.unlock()
    return True
