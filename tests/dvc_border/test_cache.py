"""`dvc_border/cache.py`: objects go in and out as with DVC, by every link type."""

from __future__ import annotations

import errno
import json
import os
import threading
from pathlib import Path
from typing import Any, Final

import pytest
from dvc.fs import localfs
from dvc.repo import Repo
from dvc_data.hashfile.hash_info import HashInfo
from dvc_data.hashfile.tree import Tree as TheirTree

from support.plain_repository import make_repository
from swath.dvc_border.cache import Cache
from swath.dvc_border.content import Hasher, hash_bytes
from swath.dvc_border.repository import Repository
from swath.errors import InterruptedRunError, PassingFaultError, UserError
from swath.files.removal import remove
from swath.model.content import Content

FILES: Final = {"file": "one", "folder/a": "one", "folder/sub/b": "two"}
LINKS = pytest.mark.parametrize("link", ["copy", "hardlink", "symlink", "reflink,copy"])


class Case:
    """A repository with its cache."""

    def __init__(self, root: Path, link: str = "copy", more: str = "") -> None:
        make_repository(root, FILES)
        (root / ".dvc/config").write_text(f"[cache]\n    type = {link}\n{more}")
        self.root = root
        self.repository = Repository(root)
        self.hasher = Hasher(self.repository)
        self.cache = Cache(self.repository, self.hasher)

    def put(self, name: str, *, store: bool = False) -> Content:
        """Put a path of the workspace in."""
        path = str(self.root / name)
        tree = self.hasher.tree(path) if os.path.isdir(path) else None
        content = tree.content if tree else self.hasher.content(path)
        assert content is not None
        (self.cache.store if store else self.cache.put)(path, content, tree)
        return content

    def again(self) -> Cache:
        """The cache as another process sees it."""
        return Cache(self.repository, Hasher(self.repository))

    def leftovers(self) -> list[str]:
        """What should not be left: temporary files anywhere."""
        staging = self.repository.tmp_dir / "checkout"
        inside = [p.name for p in staging.iterdir()] if staging.exists() else []
        return [p.name for p in self.root.rglob("*.tmp")] + inside


@LINKS
@pytest.mark.parametrize("name", ["file", "folder"])
def test_what_was_put_is_there(tmp_path: Path, link: str, name: str) -> None:
    case = Case(tmp_path, link)
    content = case.put(name)
    assert case.cache.has(content)
    assert case.again().has(content)
    assert case.leftovers() == []


@LINKS
def test_dvc_reads_what_was_put(tmp_path: Path, link: str) -> None:
    case = Case(tmp_path, link)
    file, folder = case.put("file"), case.put("folder")
    with Repo(str(tmp_path)) as repo:
        odb = repo.cache.local
        assert odb.oid_to_path(file.value) == case.cache.path(file)
        odb.check(file.value)
        tree = TheirTree.load(odb, HashInfo("md5", folder.value))
        assert sorted("/".join(key) for key, _, _ in tree) == ["a", "sub/b"]
        assert all(odb.exists(info.value) for _, _, info in tree)


@pytest.mark.parametrize("link", ["copy", "hardlink", "symlink"])
def test_the_workspace_has_the_link_type_after_a_put(tmp_path: Path, link: str) -> None:
    case = Case(tmp_path, link)
    content = case.put("file")
    assert kind_of(tmp_path / "file", case.cache.path(content)) == link
    assert (tmp_path / "file").read_text() == "one"


@pytest.mark.parametrize("link", ["copy", "hardlink", "symlink"])
def test_store_leaves_the_workspace_as_it_is(tmp_path: Path, link: str) -> None:
    case = Case(tmp_path, link)
    before = (tmp_path / "file").stat()
    content = case.put("file", store=True)
    after = (tmp_path / "file").lstat()
    assert (after.st_ino, after.st_mtime, after.st_mode) == (before.st_ino, before.st_mtime, before.st_mode)
    assert case.cache.has(content)
    assert kind_of(tmp_path / "file", case.cache.path(content)) == "copy"


@pytest.mark.parametrize("link", ["copy", "hardlink", "symlink"])
def test_a_file_comes_back_by_the_link_type(tmp_path: Path, link: str) -> None:
    case = Case(tmp_path, link)
    content = case.put("file")
    case.cache.take(content, str(tmp_path / "new/place"))
    assert kind_of(tmp_path / "new/place", case.cache.path(content)) == link
    assert (tmp_path / "new/place").read_text() == "one"
    assert case.leftovers() == []


@LINKS
def test_a_folder_comes_back_in_place_of_another(tmp_path: Path, link: str) -> None:
    case = Case(tmp_path, link)
    content = case.put("folder")
    (tmp_path / "folder/stale").write_text("x")
    (tmp_path / "folder/sub/b").unlink()
    case.cache.take(content, str(tmp_path / "folder"))
    assert case.hasher.content(str(tmp_path / "folder")) == content
    assert case.leftovers() == []


@pytest.mark.parametrize("name", ["file", "folder"])
def test_a_file_and_a_folder_replace_each_other(tmp_path: Path, name: str) -> None:
    case = Case(tmp_path)
    content = case.put(name)
    other = "folder" if name == "file" else "file"
    case.cache.take(content, str(tmp_path / other))
    assert Hasher(case.repository).content(str(tmp_path / other)) == content


def test_an_executable_file_stays_one(tmp_path: Path) -> None:
    case = Case(tmp_path)
    (tmp_path / "file").chmod(0o755)
    content = case.put("file")
    (tmp_path / "file").unlink()
    case.cache.take(content, str(tmp_path / "file"))
    assert os.access(tmp_path / "file", os.X_OK)
    assert Path(case.cache.path(content)).stat().st_mode & 0o777 == 0o444


def test_a_copy_is_never_a_link(tmp_path: Path) -> None:
    case = Case(tmp_path, "symlink")
    content = case.put("file")
    case.cache.take(content, str(tmp_path / "file"), copy=True)
    assert kind_of(tmp_path / "file", case.cache.path(content)) == "copy"
    assert (tmp_path / "file").stat().st_mode & 0o200


def test_dvc_finds_the_workspace_unchanged_after_a_take(tmp_path: Path) -> None:
    case = Case(tmp_path)
    content = case.put("file")
    case.cache.take(content, str(tmp_path / "file"))
    case.hasher.flush()
    with Repo(str(tmp_path)) as repo:
        _, info = repo.state.get(str(tmp_path / "file"), localfs)
    assert info.value == content.value


def test_a_folder_with_a_missing_inner_object_is_not_there(tmp_path: Path) -> None:
    case = Case(tmp_path)
    content = case.put("folder")
    inner = case.cache.files(content)
    assert inner is not None
    Path(case.cache.path(Content(inner[1].value))).unlink()
    assert not case.again().has(content)


def test_a_broken_folder_object_is_not_there(tmp_path: Path) -> None:
    case = Case(tmp_path)
    content = case.put("folder")
    overwrite(case.cache.path(content), "no JSON", mode=0o444)
    assert not case.again().has(content)
    with pytest.raises(UserError) as caught:
        case.again().files(content)
    path = case.cache.path(content)
    assert str(caught.value) == (
        f"the listing {content.value} in DVC's cache cannot be used: it is not JSON\n"
        f"  remove this one file, then pull or run again: rm -f {path}"
    )
    assert case.put("folder") == content  # whoever makes the folder again replaces its listing
    assert case.again().has(content)


@pytest.mark.parametrize("link", ["copy", "symlink"])
@pytest.mark.parametrize("name", ["../escaped", "{root}/escaped", "sub/../../escaped"])
def test_a_listing_that_leads_out_of_its_folder_is_refused(tmp_path: Path, link: str, name: str) -> None:
    case = Case(tmp_path / "repo", link)
    file = case.put("file")
    listing = json.dumps([{"md5": file.value, "relpath": name.format(root=tmp_path)}]).encode()
    content = Content(hash_bytes(listing) + ".dir", nfiles=1)
    path = Path(case.cache.path(content))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(listing)
    path.chmod(0o444)
    assert not case.cache.has(content)
    with pytest.raises(UserError, match=f"rm -f {path}$"):
        case.cache.take(content, str(case.root / "out"))
    assert not list(tmp_path.rglob("escaped"))
    assert not (case.root / "out").exists()
    assert case.leftovers() == []


def test_a_value_that_is_no_hash_names_no_file(tmp_path: Path) -> None:
    case = Case(tmp_path)
    content = Content("../../../../../../etc/passwd")
    assert not case.cache.has(content)
    with pytest.raises(UserError) as caught:
        case.cache.take(content, str(tmp_path / "out"))
    assert str(caught.value) == (
        "'../../../../../../etc/passwd' is not the MD5 of a file or folder\n"
        "  restore the dvc.lock or .dvc file that names it from Git"
    )
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("text", "there"), [("one", True), ("eno", False)])
def test_an_unprotected_object_is_believed_by_its_bytes(tmp_path: Path, text: str, there: bool) -> None:  # noqa: FBT001
    case = Case(tmp_path)
    content = case.put("file")
    case.hasher.flush()
    overwrite(case.cache.path(content), text, mode=0o644)
    assert case.again().has(content) == there


def test_a_corrupted_object_is_written_again(tmp_path: Path) -> None:
    case = Case(tmp_path)
    content = case.put("file")
    overwrite(case.cache.path(content), "eno", mode=0o644)
    case.put("file")
    assert Path(case.cache.path(content)).read_text() == "one"


def test_an_object_that_is_missing_cannot_be_taken(tmp_path: Path) -> None:
    case = Case(tmp_path)
    content = Content("0" * 32)
    with pytest.raises(UserError) as caught:
        case.cache.take(content, str(tmp_path / "file"))
    message = f"the object {case.cache.path(content)} is not in the cache\n  run the stage again, or: dvc pull"
    assert str(caught.value) == message
    assert (tmp_path / "file").read_text() == "one"
    assert case.leftovers() == []


def test_a_folder_that_is_missing_cannot_be_taken(tmp_path: Path) -> None:
    case = Case(tmp_path)
    content = Content("0" * 32 + ".dir")
    with pytest.raises(UserError) as caught:
        case.cache.take(content, str(tmp_path / "folder"))
    assert str(caught.value) == (f"the object {content.value} is not in the cache\n  run the stage again, or: dvc pull")
    assert (tmp_path / "folder/a").exists()


def test_nobody_sets_the_umask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another thread that makes a file meanwhile would make it with the wrong mode."""

    def never(_mask: int) -> int:
        raise AssertionError("the umask of the whole process was set")

    case = Case(tmp_path)
    monkeypatch.setattr(os, "umask", never)
    case.again()
    assert Repository(tmp_path).state is not None


@pytest.mark.parametrize("link", ["copy", "hardlink"])
def test_holes_stay_holes_on_all_ways(tmp_path: Path, link: str) -> None:
    case = Case(tmp_path, link)
    file = tmp_path / "file"
    with file.open("wb") as sparse:
        sparse.write(b"begin")
        sparse.truncate(64 * 2**20)
    assert file.stat().st_blocks < 100, "the file system has no holes"
    content = case.put("file")
    assert os.stat(case.cache.path(content)).st_blocks < 100
    case.cache.take(content, str(tmp_path / "new"))
    assert (tmp_path / "new").stat().st_blocks < 100
    case.cache.unprotect(str(tmp_path / "new"))
    assert (tmp_path / "new").stat().st_blocks < 100
    assert (tmp_path / "new").stat().st_size == 64 * 2**20
    assert case.hasher.content(str(tmp_path / "new")) == content


@pytest.mark.parametrize("name", ["file", "folder"])
def test_a_workspace_on_another_disk_keeps_holes_too(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = Case(tmp_path)
    sparse = tmp_path / "file" if name == "file" else tmp_path / "folder/a"
    os.truncate(sparse, 64 * 2**20)
    content = case.put(name)
    monkeypatch.setattr(os, "rename", failing(errno.EXDEV))
    case.cache.take(content, str(tmp_path / "new"))
    assert case.hasher.content(str(tmp_path / "new")) == content
    assert (tmp_path / "new" / ("" if name == "file" else "a")).stat().st_blocks < 100
    assert case.leftovers() == []


@pytest.mark.parametrize("name", ["file", "folder"])
def test_a_stop_ends_a_take_and_keeps_what_was_there(tmp_path: Path, name: str) -> None:
    case, stop = Case(tmp_path), threading.Event()
    content = case.put(name)
    (tmp_path / "place").write_text("before")
    stop.set()
    with pytest.raises(InterruptedRunError):
        case.cache.take(content, str(tmp_path / "place"), stop=stop)
    assert (tmp_path / "place").read_text() == "before"
    assert case.leftovers() == []


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_no_space_is_a_passing_fault(tmp_path: Path, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    case = Case(tmp_path)
    monkeypatch.setattr("swath.dvc_border.cache.copy_file", failing(number))
    with pytest.raises(PassingFaultError) as caught:
        case.put("file")
    assert str(caught.value) == ("no space left on the device of /disk: free some, or move the cache (dvc cache dir)")
    assert case.leftovers() == []


def test_no_space_for_a_folders_list_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    case = Case(tmp_path)
    monkeypatch.setattr(os, "chmod", failing_for(os.chmod, ".dir."))
    with pytest.raises(PassingFaultError):
        case.put("folder")
    assert case.leftovers() == []


@pytest.mark.parametrize("link", ["hardlink", "symlink"])
def test_a_link_that_cannot_be_put_in_place_leaves_nothing_behind(
    tmp_path: Path, link: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = Case(tmp_path, link)
    case.put("file", store=True)
    monkeypatch.setattr(os, "replace", failing(errno.EACCES))
    with pytest.raises(UserError) as caught:
        case.put("file")
    assert str(caught.value) == "/disk: Permission denied\n  check that this user may write there"
    assert case.leftovers() == []


def test_no_space_in_the_workspace_keeps_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    case = Case(tmp_path)
    content = case.put("folder")
    monkeypatch.setattr("swath.dvc_border.cache.copy_file", failing(errno.ENOSPC))
    with pytest.raises(PassingFaultError):
        case.cache.take(content, str(tmp_path / "file"))
    assert (tmp_path / "file").read_text() == "one"
    assert case.leftovers() == []


@pytest.mark.parametrize("link", ["hardlink", "symlink"])
@pytest.mark.parametrize("name", ["file", "folder"])
def test_what_is_unprotected_may_be_written(tmp_path: Path, link: str, name: str) -> None:
    case = Case(tmp_path, link)
    content = case.put(name)
    case.cache.unprotect(str(tmp_path / name))
    inner = tmp_path / name if name == "file" else tmp_path / name / "sub/b"
    assert kind_of(inner, "") == "copy"
    inner.write_text("changed")
    assert case.again().has(content)
    assert Hasher(case.repository).content(str(tmp_path / name)) != content


@pytest.mark.parametrize("link", ["hardlink", "symlink"])
def test_a_stop_ends_an_unprotect_and_leaves_files_whole(tmp_path: Path, link: str) -> None:
    case, stop = Case(tmp_path, link), threading.Event()
    content = case.put("file")
    stop.set()
    with pytest.raises(InterruptedRunError):
        case.cache.unprotect(str(tmp_path / "file"), stop)
    assert kind_of(tmp_path / "file", case.cache.path(content)) == link
    assert case.leftovers() == []


def test_no_space_for_an_own_file_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    case = Case(tmp_path, "hardlink")
    content = case.put("file")
    monkeypatch.setattr(os, "replace", failing(errno.ENOSPC))
    with pytest.raises(PassingFaultError):
        case.cache.unprotect(str(tmp_path / "file"))
    assert kind_of(tmp_path / "file", case.cache.path(content)) == "hardlink"
    assert case.leftovers() == []


def test_unprotect_keeps_the_executable_bit(tmp_path: Path) -> None:
    case = Case(tmp_path)
    (tmp_path / "file").chmod(0o555)
    case.cache.unprotect(str(tmp_path / "file"))
    assert (tmp_path / "file").stat().st_mode & 0o300 == 0o300


def test_unprotect_leaves_links_to_nothing_to_who_saves_them(tmp_path: Path) -> None:
    case = Case(tmp_path)
    (tmp_path / "folder/loop").symlink_to("loop")
    (tmp_path / "folder/gone").symlink_to("nowhere")
    case.cache.unprotect(str(tmp_path / "folder"))
    assert (os.readlink(tmp_path / "folder/loop"), os.readlink(tmp_path / "folder/gone")) == ("loop", "nowhere")


@pytest.mark.parametrize("link", ["hardlink", "symlink"])
def test_a_file_with_another_name_shares_nothing_with_the_cache(tmp_path: Path, link: str) -> None:
    """Such as an output that is a hard link to an input."""
    case = Case(tmp_path, link)
    (tmp_path / "input").hardlink_to(tmp_path / "file")
    before = (tmp_path / "input").stat()
    content = case.put("file")
    assert kind_of(tmp_path / "file", case.cache.path(content)) == link
    assert not (tmp_path / "input").samefile(case.cache.path(content))
    assert ((tmp_path / "input").stat().st_ino, (tmp_path / "input").stat().st_mode) == (before.st_ino, before.st_mode)


def test_unprotect_of_nothing_does_nothing(tmp_path: Path) -> None:
    Case(tmp_path).cache.unprotect(str(tmp_path / "no"))


def test_a_shared_cache_is_writable_for_its_group(tmp_path: Path) -> None:
    case = Case(tmp_path, more="    shared = group\n")
    content = case.put("file")
    folder = Path(case.cache.path(content)).parent
    assert folder.stat().st_mode & 0o7777 == 0o2775
    assert folder.parent.stat().st_mode & 0o7777 == 0o2775


def test_a_second_put_is_a_look(tmp_path: Path) -> None:
    case = Case(tmp_path)
    content = case.put("file")
    before = Path(case.cache.path(content)).stat()
    case.put("file")
    assert Path(case.cache.path(content)).stat().st_mtime_ns == before.st_mtime_ns


def test_objects_of_dvc_2_come_back(tmp_path: Path) -> None:
    case = Case(tmp_path)
    content = Content("f97c5d29941bfb1b2fdab0874906ab82", legacy=True)
    path = tmp_path / ".dvc/cache/f9/7c5d29941bfb1b2fdab0874906ab82"
    assert case.cache.path(content) == str(path)
    assert not case.cache.has(content)
    path.parent.mkdir(parents=True)
    path.write_text("one")
    assert case.cache.has(content)
    case.cache.take(content, str(tmp_path / "new"))
    assert (tmp_path / "new").read_text() == "one"


@pytest.mark.parametrize("name", ["file", "folder", "link", "no"])
def test_remove_takes_anything_away(tmp_path: Path, name: str) -> None:
    Case(tmp_path)
    (tmp_path / "link").symlink_to("folder")
    remove(str(tmp_path / name))
    assert not os.path.lexists(tmp_path / name)
    assert (tmp_path / "folder").exists() == (name != "folder")


def kind_of(path: Path, target: str) -> str:
    """How a file lies in the workspace."""
    if path.is_symlink():
        return "symlink"
    return "hardlink" if target and os.path.samefile(path, target) else "copy"


def overwrite(path: str, text: str, *, mode: int) -> None:
    os.chmod(path, 0o644)
    Path(path).write_text(text)
    os.chmod(path, mode)


def failing(number: int) -> Any:
    def fail(*arguments: object, **options: object) -> None:
        raise OSError(number, os.strerror(number), "/disk")

    return fail


def failing_for(real: Any, part: str) -> Any:
    """Fails with no space for paths that have `part` in them."""

    def fail(path: str, *arguments: object) -> None:
        if part in str(path):
            raise OSError(errno.ENOSPC, "No space left on device", path)
        real(path, *arguments)

    return fail
