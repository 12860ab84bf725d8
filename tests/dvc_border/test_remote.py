"""`dvc_border/remote.py`: what a remote (a local folder) lacks."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from support.plain_repository import make_repository
from swath.dvc_border.cache import Cache
from swath.dvc_border.content import Hasher
from swath.dvc_border.remote import missing_in_remote
from swath.dvc_border.repository import Repository
from swath.errors import UserError
from swath.model.content import Content


class Case:
    """A repository whose remote is a copy of its cache."""

    def __init__(self, root: Path) -> None:
        make_repository(root / "repo", {"file": "one", "folder/a": "two", "folder/b": "three"})
        (root / "repo/.dvc/config").write_text(f"[core]\n    remote = far\n['remote \"far\"']\n    url = {root}/far\n")
        self.repository = Repository(root / "repo")
        hasher = Hasher(self.repository)
        cache = Cache(self.repository, hasher)
        self.remote = root / "far"
        self.file, self.folder = (self._put(cache, hasher, name) for name in ("file", "folder"))
        shutil.copytree(cache.folder, self.remote)

    @staticmethod
    def _put(cache: Cache, hasher: Hasher, name: str) -> Content:
        path = str(Path(cache.folder).parents[1] / name)
        tree = hasher.tree(path) if Path(path).is_dir() else None
        content = tree.content if tree else hasher.content(path)
        assert content is not None
        cache.put(path, content, tree)
        return content

    def lose(self, value: str) -> None:
        """Take an object away from the remote."""
        (self.remote / "files/md5" / value[:2] / value[2:]).unlink()

    def missing(self) -> set[str]:
        return missing_in_remote(self.repository, [self.file, self.folder])


@pytest.fixture
def case(tmp_path: Path) -> Case:
    return Case(tmp_path)


def test_nothing_is_missing_after_a_push(case: Case) -> None:
    assert case.missing() == set()


def test_a_lost_file_is_told(case: Case) -> None:
    case.lose(case.file.value)
    assert case.missing() == {case.file.value}


def test_a_lost_folder_is_told(case: Case) -> None:
    case.lose(case.folder.value)
    assert case.missing() == {case.folder.value}


def test_a_folder_that_lost_a_file_is_told(case: Case) -> None:
    case.lose("b8a9f715dbb64fd5c56e7783c6820a61")  # md5 of "two"
    assert case.missing() == {case.folder.value}


def test_a_file_that_two_folders_lost_is_told_for_both(case: Case) -> None:
    hasher = Hasher(case.repository)
    root = case.repository.root
    (root / "other").mkdir()
    (root / "other/only").write_text("two")
    other = hasher.tree(str(root / "other"))
    target = case.remote / "files/md5" / other.content.value[:2] / other.content.value[2:]
    target.parent.mkdir(exist_ok=True)
    target.write_bytes(other.as_bytes())
    case.lose("b8a9f715dbb64fd5c56e7783c6820a61")
    missing = missing_in_remote(case.repository, [case.folder, other.content])
    assert missing == {case.folder.value, other.content.value}


def test_an_empty_remote_lacks_all(case: Case) -> None:
    shutil.rmtree(case.remote)
    assert case.missing() == {case.file.value, case.folder.value}


def test_hashes_of_dvc_2_are_not_asked_for(case: Case) -> None:
    assert missing_in_remote(case.repository, [Content("a" * 32, legacy=True)]) == set()


def test_without_a_remote_the_way_to_one_is_told(tmp_path: Path) -> None:
    repository = make_repository(tmp_path, {})
    with pytest.raises(UserError) as caught:
        missing_in_remote(repository, [Content("a" * 32)])
    assert str(caught.value).endswith("\n  set a default remote: dvc remote add -d NAME URL")
