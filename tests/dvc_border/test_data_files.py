"""`dvc_border/data_files.py`: data of `.dvc` files is read, fetched and saved as `dvc repro` does."""

from __future__ import annotations

import hashlib
import json
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from dvc.output import OutputIsIgnoredError
from dvc.repo import Repo

from support.plain_repository import make_repository, read_data_files
from swath.dvc_border.data_files import (
    DataOutput,
    bring_up_to_date,
    contents_by_path,
    tracked_paths,
)
from swath.dvc_border.repository import Repository
from swath.dvc_border.workspace import Workspace
from swath.errors import InterruptedRunError, PassingFaultError, UserError
from swath.files.removal import remove
from swath.model.content import Content


@pytest.fixture
def added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Repository]:
    """A file and a folder that DVC added."""
    make_repository(tmp_path, {"sub/file": "one", "folder/a": "two"}, track=False)
    monkeypatch.chdir(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # DVC's own
        with Repo(str(tmp_path)) as repo:
            repo.add(["sub/file", "folder"])
        yield Repository(tmp_path)


def up_to_date(repository: Repository) -> list[str]:
    return bring_up_to_date(Workspace(repository, {}), read_data_files(repository))


def test_what_dvc_added_is_read(added: Repository) -> None:
    folder, file = read_data_files(added)
    assert file == DataOutput("sub/file.dvc", "sub/file", Content(hashlib.md5(b"one").hexdigest(), 3))
    assert (folder.path, folder.content and folder.content.nfiles) == ("folder", 1)
    assert tracked_paths([folder, file]) == {"folder": "folder.dvc", "sub/file": "sub/file.dvc"}
    assert contents_by_path([file]) == {"sub/file": file.content}


def test_what_is_in_place_needs_nothing(added: Repository) -> None:
    assert up_to_date(added) == []


@pytest.mark.parametrize(("path", "inner"), [("sub/file", "sub/file"), ("folder", "folder/a")])
def test_what_is_missing_comes_from_the_cache(added: Repository, path: str, inner: str) -> None:
    remove(str(added.root / path))
    assert up_to_date(added) == []
    assert (added.root / inner).exists()


def test_a_stop_ends_what_comes_from_the_cache(added: Repository) -> None:
    remove(str(added.root / "sub/file"))
    stop = threading.Event()
    stop.set()
    with pytest.raises(InterruptedRunError):
        bring_up_to_date(Workspace(added, {}), read_data_files(added), stop)
    assert not (added.root / "sub/file").exists()


def test_what_was_edited_is_saved_again(added: Repository) -> None:
    (added.root / "sub/file").write_text("edited")
    assert up_to_date(added) == ["sub/file.dvc"]
    saved = yaml.safe_load((added.root / "sub/file.dvc").read_text())["outs"][0]
    assert saved["md5"] == hashlib.md5(b"edited").hexdigest()
    assert up_to_date(Repository(added.root)) == []


def test_what_the_cache_lost_is_saved_again(added: Repository) -> None:
    remove(str(added.root / ".dvc/cache"))
    assert up_to_date(added) == ["folder.dvc", "sub/file.dvc"]
    with Repo(str(added.root)) as repo:
        assert repo.status() == {}


def test_what_is_nowhere_is_named(added: Repository) -> None:
    remove(str(added.root / ".dvc/cache"))
    remove(str(added.root / "sub/file"))
    with pytest.raises(UserError) as caught:
        up_to_date(added)
    assert str(caught.value) == (
        "sub/file.dvc: sub/file is missing, and the cache does not have it\n"
        "  add a remote that has it (dvc remote add), or bring the data back by hand"
    )


@pytest.mark.parametrize("pushed", [True, False])
def test_what_the_cache_lost_is_pulled(added: Repository, tmp_path: Path, pushed: bool) -> None:  # noqa: FBT001
    config = f"[core]\n    remote = far\n['remote \"far\"']\n    url = {tmp_path}/.far\n"
    (added.root / ".dvc/config").write_text(config)
    if pushed:
        with Repo(str(added.root)) as repo:
            repo.push()
    remove(str(added.root / ".dvc/cache"))
    remove(str(added.root / "sub/file"))
    repository = Repository(added.root)
    outputs = [out for out in read_data_files(repository) if out.path == "sub/file"]
    if pushed:
        assert bring_up_to_date(Workspace(repository, {}), outputs) == []
        assert (added.root / "sub/file").read_text() == "one"
        return
    with pytest.raises(PassingFaultError) as caught:
        bring_up_to_date(Workspace(repository, {}), outputs)
    assert str(caught.value).startswith("sub/file cannot be fetched: sub/file.dvc: ")


@pytest.mark.parametrize("path", ["../escaped", "{root}-escaped"])
def test_data_is_never_written_outside_the_repository(added: Repository, path: str) -> None:
    path = path.format(root=added.root)
    out = {"path": path, "hash": "md5", "md5": hashlib.md5(b"one").hexdigest(), "size": 3}
    (added.root / "sub/file.dvc").write_text(yaml.safe_dump({"outs": [out], "wdir": ".."}))
    with pytest.raises(UserError) as caught:
        up_to_date(added)
    assert str(caught.value) == (
        f"sub/file.dvc: {path} is missing, and lies outside the repository: nothing is written there\n"
        "  correct `path` or `wdir`, or bring the data by hand"
    )
    assert not list(added.root.parent.glob("*escaped*"))


@pytest.mark.parametrize("path", [".git/hooks/post-checkout", ".dvc/config.local", "sub/.git/config"])
def test_data_is_never_written_into_what_is_gits_or_dvcs_own(added: Repository, path: str) -> None:
    """As in DVC; the settings name programs, and a hook is one."""
    out = {"path": path, "hash": "md5", "md5": hashlib.md5(b"one").hexdigest(), "size": 3}
    (added.root / "sub/file.dvc").write_text(yaml.safe_dump({"outs": [out], "wdir": ".."}))
    with Repo(str(added.root)) as repo, pytest.raises(OutputIsIgnoredError):
        repo.checkout()
    with pytest.raises(UserError) as caught:
        up_to_date(added)
    assert str(caught.value) == (
        f"sub/file.dvc:2: outs[0]: {path} lies in a folder that is not the user's\n  correct `path` or `wdir`"
    )
    assert not (added.root / path).exists()


@pytest.mark.parametrize("place", ["cache", "remote", "lock"])
def test_a_hostile_listing_writes_nothing_by_dvc_either(added: Repository, tmp_path: Path, place: str) -> None:
    config = f"[core]\n    remote = far\n['remote \"far\"']\n    url = {tmp_path}/.far\n"
    (added.root / ".dvc/config").write_text(config)
    with Repo(str(added.root)) as repo:
        repo.push()
    entry = {"md5": hashlib.md5(b"two").hexdigest(), "relpath": "../../escaped"}
    listing = json.dumps([entry]).encode()
    value = hashlib.md5(listing).hexdigest() + ".dir"
    base = added.root / ".dvc/cache" if place == "cache" else tmp_path / ".far"
    target = base / "files/md5" / value[:2] / value[2:]
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(listing)
    out = {"path": "folder"} | ({"files": [entry]} if place == "lock" else {"hash": "md5", "md5": value, "nfiles": 1})
    (added.root / "folder.dvc").write_text(yaml.safe_dump({"outs": [out]}))
    remove(str(added.root / "folder"))
    repository = Repository(added.root)
    with pytest.raises(UserError) as caught:
        bring_up_to_date(Workspace(repository, {}), read_data_files(repository))
    assert "it names the file '../../escaped', which is no path inside the folder" in str(caught.value)
    assert (str(target) in str(caught.value)) == (place != "lock")
    assert not list(tmp_path.parent.glob("escaped*"))
    assert not (added.root / "folder").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "x.dvc: a .dvc file has a list `outs`\n  restore it from Git, or make it again: dvc add"),
        ("outs: 1\n", "x.dvc: a .dvc file has a list `outs`\n  restore it from Git, or make it again: dvc add"),
        ("outs:\n- md5: a\n", "x.dvc:2: outs[0]: an entry of `outs` has a path"),
        ("outs:\n- text\n", "x.dvc:2: outs[0]: an entry of `outs` has a path"),
    ],
)
def test_a_file_of_another_form_is_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        read_data_files(make_repository(tmp_path, {"x.dvc": text}))
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("text", "path", "imported", "cache"),
    [
        ("outs:\n- path: x\n", "sub/x", False, True),
        ("wdir: ..\nouts:\n- path: x\n", "x", False, True),
        ("deps:\n- path: s3://b/x\nouts:\n- path: x\n", "sub/x", True, True),
        ("frozen: true\nouts:\n- path: x\n  cache: false\n", "sub/x", True, False),
    ],
)
def test_where_data_lies_and_what_it_is(tmp_path: Path, text: str, path: str, imported: bool, cache: bool) -> None:  # noqa: FBT001
    (out,) = read_data_files(make_repository(tmp_path, {"sub/x.dvc": text}))
    assert out == DataOutput("sub/x.dvc", path, None, imported=imported, cache=cache)
