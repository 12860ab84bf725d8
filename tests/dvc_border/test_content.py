"""`dvc_border/content.py`: the same hashes as `dvc_data`, and one record of them for both."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
from dvc.fs import localfs
from dvc.repo import Repo
from dvc_data.hashfile.build import build

from support.plain_repository import make_repository
from swath.dvc_border.content import Hasher
from swath.dvc_border.repository import Repository
from swath.errors import UserError
from swath.model.content import Content

FOLDER = {"data/b": "2", "data/a.txt": "one\r\ntwo\n", "data/sub/ü ñ": "3", "data/sub/deep/empty": ""}


def theirs(repository: Repository, path: Path, name: str = "md5") -> Content:
    """The content of `path` as `dvc_data` builds it."""
    with Repo(str(repository.root)) as repo:
        odb = repo.cache.local if name == "md5" else repo.cache.legacy
        _, meta, obj = build(odb, str(path), localfs, name, dry_run=True, ignore=repo.dvcignore)
    return Content(str(obj.hash_info.value), meta.size, meta.nfiles, isexec=meta.isexec, legacy=name != "md5")


def ours(repository: Repository, path: Path) -> Content | None:
    return Hasher(repository).content(str(path))


@pytest.mark.parametrize(
    "data", [b"", b"text\n", b"a\r\nb\r\n", b"\0\1\2" * 700_000], ids=["empty", "lf", "crlf", "2M"]
)
def test_a_file_hashes_as_in_dvc(tmp_path: Path, data: bytes) -> None:
    repository = make_repository(tmp_path, {"file": data})
    assert ours(repository, tmp_path / "file") == theirs(repository, tmp_path / "file")


def test_an_executable_file_is_one(tmp_path: Path) -> None:
    repository = make_repository(tmp_path, {"run.sh": "true\n"})
    (tmp_path / "run.sh").chmod(0o755)
    content = ours(repository, tmp_path / "run.sh")
    assert content is not None
    assert content.isexec
    assert content == theirs(repository, tmp_path / "run.sh")


def test_a_folder_hashes_as_in_dvc(tmp_path: Path) -> None:
    repository = make_repository(tmp_path, FOLDER)
    content = ours(repository, tmp_path / "data")
    assert content == theirs(repository, tmp_path / "data")
    assert content is not None
    assert (content.nfiles, content.size) == (4, 11)


def test_an_empty_folder_hashes_as_in_dvc(tmp_path: Path) -> None:
    repository = make_repository(tmp_path, {})
    (tmp_path / "data/inner").mkdir(parents=True)
    assert ours(repository, tmp_path / "data") == theirs(repository, tmp_path / "data")


def test_names_sort_as_in_dvc(tmp_path: Path) -> None:
    names = ["a", "a.b", "a/c", "B", "a b", "ä", "a-", "😀", "a0"]
    files = {f"data/{name}x": name for name in names}
    repository = make_repository(tmp_path, files)
    assert ours(repository, tmp_path / "data") == theirs(repository, tmp_path / "data")


def test_links_in_a_folder_are_followed_as_in_dvc(tmp_path: Path) -> None:
    repository = make_repository(tmp_path, {"else/inner": "1", "file": "2", "data/plain": "3"})
    (tmp_path / "data/link").symlink_to(tmp_path / "file")
    (tmp_path / "data/folder").symlink_to(tmp_path / "else")
    assert ours(repository, tmp_path / "data") == theirs(repository, tmp_path / "data")


@pytest.mark.parametrize("path", ["data", "data/a.txt", "data/b"])
def test_legacy_hashes_are_those_of_dvc_2(tmp_path: Path, path: str) -> None:
    repository = make_repository(tmp_path, FOLDER)
    content = Hasher(repository).legacy_content(str(tmp_path / path))
    assert content == theirs(repository, tmp_path / path, "md5-dos2unix")
    assert content is not None
    assert content.legacy


def test_a_legacy_hash_makes_line_ends_equal(tmp_path: Path) -> None:
    repository = make_repository(tmp_path, {"text": "a\r\nb\r\n"})
    content = Hasher(repository).legacy_content(str(tmp_path / "text"))
    assert content is not None
    assert content.value == hashlib.md5(b"a\nb\n").hexdigest()


def test_no_legacy_content_of_what_does_not_exist(tmp_path: Path) -> None:
    assert Hasher(make_repository(tmp_path, {})).legacy_content(str(tmp_path / "no")) is None


def test_ignored_files_do_not_count(tmp_path: Path) -> None:
    files = {".dvcignore": "*.log\n/data/skip\n!keep.log\n", "data/a": "1", "data/b.log": "2", "data/skip/c": "3"}
    repository = make_repository(tmp_path, {**files, "data/keep.log": "4", "data/sub/d.log": "5"})
    content = ours(repository, tmp_path / "data")
    assert content == theirs(repository, tmp_path / "data")
    assert content is not None
    assert content.nfiles == 2


def test_dvc_ignores_its_own_folders_without_a_dvcignore(tmp_path: Path) -> None:
    repository = make_repository(tmp_path, {"data/a": "1", "data/.hg/x": "2", "data/sub/.dvc/y": "3"})
    content = ours(repository, tmp_path / "data")
    assert content == theirs(repository, tmp_path / "data")
    assert content is not None
    assert content.nfiles == 1


def test_a_dvcignore_inside_data_is_refused(tmp_path: Path) -> None:
    repository = make_repository(tmp_path, {"data/sub/.dvcignore": "", "data/a": "1"})
    with pytest.raises(UserError) as caught:
        ours(repository, tmp_path / "data")
    message = f"{tmp_path}/data/sub: a .dvcignore lies in a folder that is data\n  move it to a parent folder"
    assert str(caught.value) == message


@pytest.mark.parametrize("path", ["no", "file/no"])
def test_what_does_not_exist_has_no_content(tmp_path: Path, path: str) -> None:
    repository = make_repository(tmp_path, {"file": "1"})
    (tmp_path / "dangling").symlink_to("nothing")
    assert ours(repository, tmp_path / path) is None
    assert ours(repository, tmp_path / "dangling") is None


def test_a_fifo_is_named_and_not_opened(tmp_path: Path) -> None:
    repository = make_repository(tmp_path, {})
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UserError) as caught:
        ours(repository, tmp_path / "pipe")
    assert str(caught.value) == (
        f"{tmp_path}/pipe: neither a file nor a folder\n  a dependency or output must be one of them"
    )


def test_a_fifo_in_a_folder_is_named_and_not_opened(tmp_path: Path) -> None:
    repository = make_repository(tmp_path, {"data/a": "1"})
    os.mkfifo(tmp_path / "data/pipe")
    with pytest.raises(UserError) as caught:
        ours(repository, tmp_path / "data")
    assert str(caught.value) == (
        f"{tmp_path}/data/pipe: neither a file nor a folder\n  a dependency or output must be one of them"
    )


def test_a_link_to_what_the_kernel_makes_is_no_data(tmp_path: Path) -> None:
    repository = make_repository(tmp_path, {"data/a": "1"})
    (tmp_path / "data/link").symlink_to("/proc/self/environ")
    with pytest.raises(UserError) as caught:
        Hasher(repository).tree(str(tmp_path / "data"))
    assert caught.value.message == f"{tmp_path}/data/link: made by the kernel, no data"


def test_a_link_to_nothing_in_a_folder_is_named(tmp_path: Path) -> None:
    repository = make_repository(tmp_path, {"data/a": "1"})
    (tmp_path / "data/dangling").symlink_to("nothing")
    with pytest.raises(UserError) as caught:
        ours(repository, tmp_path / "data")
    assert str(caught.value) == (
        f"{tmp_path}/data/dangling: No such file or directory\n"
        "  make it readable for this user, or take it out of the stage"
    )


@pytest.mark.parametrize("path", ["file", "folder"])
def test_what_cannot_be_read_is_named(tmp_path: Path, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    repository = make_repository(tmp_path, {"file": "1", "folder/a": "2"})

    def denied(name: str) -> str:
        raise PermissionError(13, "Permission denied", name)

    monkeypatch.setattr("swath.dvc_border.content.hash_file", denied)  # root may read everything
    with pytest.raises(UserError) as caught:
        ours(repository, tmp_path / path)
    full = tmp_path / path / "a" if path == "folder" else tmp_path / path
    assert str(caught.value) == (
        f"{full}: Permission denied\n  make it readable for this user, or take it out of the stage"
    )


def test_what_is_flushed_dvc_finds(tmp_path: Path) -> None:
    repository = make_repository(tmp_path, {"file": "one"})
    hasher = Hasher(repository)
    content = hasher.content(str(tmp_path / "file"))
    hasher.flush()
    with Repo(str(tmp_path)) as repo:
        meta, info = repo.state.get(str(tmp_path / "file"), localfs)
    assert content is not None
    assert (meta.size, info.name, info.value) == (3, "md5", content.value)


def test_what_dvc_noted_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    repository = make_repository(tmp_path, {"file": "one"})
    content = theirs(repository, tmp_path / "file")
    monkeypatch.setattr("swath.dvc_border.content.hash_file", _never)
    assert ours(repository, tmp_path / "file") == content


def test_what_is_preloaded_is_not_hashed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    repository = make_repository(tmp_path, {"file": "one"})
    content = theirs(repository, tmp_path / "file")
    monkeypatch.setattr("swath.dvc_border.content.hash_file", _never)
    hasher = Hasher(repository)
    hasher.preload([str(tmp_path / "file"), str(tmp_path / "no")])
    assert hasher.content(str(tmp_path / "file")) == content


def test_the_records_text_is_dvcs_own(tmp_path: Path) -> None:
    repository = make_repository(tmp_path, {"file": "one"})
    theirs(repository, tmp_path / "file")
    record = repository.state.hashes[str(tmp_path / "file")]
    hasher = Hasher(repository)
    hasher.remember(str(tmp_path / "file"), hashlib.md5(b"one").hexdigest(), (tmp_path / "file").stat())
    hasher.flush()
    assert repository.state.hashes[str(tmp_path / "file")] == record


def test_a_file_that_changed_is_hashed_again(tmp_path: Path) -> None:
    repository = make_repository(tmp_path, {"file": "one"})
    hasher = Hasher(repository)
    hasher.content(str(tmp_path / "file"))
    hasher.flush()
    (tmp_path / "file").write_text("other")
    expected = hashlib.md5(b"other").hexdigest()
    for each in (hasher, Hasher(repository)):
        content = each.content(str(tmp_path / "file"))
        assert content is not None
        assert content.value == expected


@pytest.mark.parametrize("broken", ["", "no JSON", "[]", '{"version": 1}', '{"version": 2, "hash_info": {"md5": "x"}}'])
def test_a_broken_record_is_not_believed(tmp_path: Path, broken: str) -> None:
    repository = make_repository(tmp_path, {"file": "one"})
    repository.state.hashes[str(tmp_path / "file")] = broken
    content = ours(repository, tmp_path / "file")
    assert content is not None
    assert content.value == hashlib.md5(b"one").hexdigest()


@pytest.mark.parametrize("path", ["data", "data/b", "link"])
def test_dvc_knows_a_link_that_we_made(tmp_path: Path, path: str) -> None:
    repository = make_repository(tmp_path, FOLDER)
    (tmp_path / "link").symlink_to(tmp_path / "data/b")
    hasher = Hasher(repository)
    hasher.remember_link(str(tmp_path / path))
    hasher.flush()
    with Repo(str(tmp_path)) as repo:
        assert repo.state.get_unused_links([], localfs) == [path]


def test_the_json_of_a_folder_is_the_object_that_dvc_writes(tmp_path: Path) -> None:
    repository = make_repository(tmp_path, FOLDER)
    with Repo(str(tmp_path)) as repo:
        _, _, tree = build(repo.cache.local, str(tmp_path / "data"), localfs, "md5", dry_run=True)
    assert Hasher(repository).tree(str(tmp_path / "data")).as_bytes() == tree.as_bytes()


def _never(path: str) -> str:
    raise AssertionError(f"{path} is hashed again")


@pytest.mark.parametrize("name", ["odd/b\udcffd", "odd/sub\udcff/x"])
@pytest.mark.parametrize("ask", ["content", "legacy_content"])
def test_a_name_that_is_not_utf8_is_the_users(tmp_path: Path, name: str, ask: str) -> None:
    hasher = Hasher(make_repository(tmp_path, {"file": "1"}))
    path = tmp_path / name
    path.parent.mkdir(parents=True)
    path.write_text("x")
    with pytest.raises(UserError) as caught:
        getattr(hasher, ask)(str(tmp_path / "odd"))
    assert str(caught.value) == (
        f"{path}: the name of this file is not UTF-8\n  give it another name; DVC keeps names as UTF-8 alone"
    )
