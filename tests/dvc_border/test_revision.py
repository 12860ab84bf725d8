"""`dvc_border/revision.py`: a revision's files, and what is so there."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from support.plain_repository import commit, make_repository
from swath.dvc_border.repository import Repository
from swath.dvc_border.revision import Revision, exported_revision
from swath.errors import UserError
from swath.model.content import Content
from swath.model.graph import build_graph
from swath.model.lock_entry import LockEntry
from swath.model.stage import Dependency, Output, Stage

MAKER = Stage("make", "dvc.yaml", "make", "make", "true", ".", (), (Output("out", "out"),))
ENTRY: LockEntry = {"cmd": "true", "outs": [{"path": "out", "hash": "md5", "md5": "a" * 32, "size": 3}]}


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """Two commits, and edits that are in none."""
    made = make_repository(tmp_path, {"in.txt": "old", "sub/ü": "1", "run.sh": "true"})
    (tmp_path / "run.sh").chmod(0o755)
    commit(tmp_path)
    (tmp_path / "in.txt").write_text("new")
    commit(tmp_path)
    (tmp_path / "in.txt").write_text("edited")
    return made


@pytest.mark.parametrize("setting", ["[core]\n\texcludesFile = ~nobody-here/x\n", "[core\n"])
def test_what_git_refuses_is_no_unknown_revision(repository: Repository, setting: str) -> None:
    with (repository.root / ".git/config").open("a") as file:
        file.write(setting)

    with (
        pytest.raises(UserError, match=r"git rev-parse failed: fatal: (failed to expand user dir|bad config line)"),
        exported_revision(repository, "HEAD"),
    ):
        pass


@pytest.mark.parametrize(("rev", "text"), [("HEAD", "new"), ("HEAD~1", "old"), ("main", "new"), ("main^", "old")])
def test_the_files_are_the_revisions(repository: Repository, rev: str, text: str) -> None:
    with exported_revision(repository, rev) as exported:
        assert (exported.root / "in.txt").read_text() == text
        assert (exported.root / "sub/ü").read_text() == "1"
        assert os.access(exported.root / "run.sh", os.X_OK)
        assert exported.home == repository.root
    assert not exported.root.exists()


def test_the_working_tree_and_the_index_are_not_touched(repository: Repository) -> None:
    before = status(repository.root)
    with exported_revision(repository, "HEAD~1"):
        assert status(repository.root) == before
    assert (repository.root / "in.txt").read_text() == "edited"
    assert status(repository.root) == before


def test_the_cache_is_the_repositorys_own(repository: Repository) -> None:
    with exported_revision(repository, "HEAD") as exported:
        assert exported.cache_dir == repository.cache_dir


def test_a_repository_below_gits_root_is_exported_alone(tmp_path: Path) -> None:
    make_repository(tmp_path, {"outside": "1", "inner/.dvc/config": "", "inner/in.txt": "2"})
    commit(tmp_path)
    with exported_revision(Repository(tmp_path / "inner"), "HEAD") as exported:
        assert (exported.root / "in.txt").read_text() == "2"
        assert (exported.subfolder, exported.checkout) == ("inner", tmp_path)
        assert not (exported.root.parent / "outside").exists()


def test_in_a_folder_gits_attributes_of_the_top_count(tmp_path: Path) -> None:
    attributes = "inner/crlf.txt text eol=crlf\n/in.txt text eol=crlf\n"
    files = {".gitattributes": attributes, "inner/.dvc/config": "", "inner/crlf.txt": "1\n", "inner/in.txt": "1\n"}
    make_repository(tmp_path, files)
    commit(tmp_path)
    with exported_revision(Repository(tmp_path / "inner"), "HEAD") as exported:
        assert (exported.root / "crlf.txt").read_bytes() == b"1\r\n"
        assert (exported.root / "in.txt").read_bytes() == b"1\n"


def test_a_revision_before_the_folder_was_there_is_named(tmp_path: Path) -> None:
    make_repository(tmp_path, {"outside": "1"})
    commit(tmp_path)
    (tmp_path / "inner/.dvc").mkdir(parents=True)
    with pytest.raises(UserError) as caught, exported_revision(Repository(tmp_path / "inner"), "HEAD"):
        raise AssertionError("it is there")
    assert str(caught.value) == "the revision 'HEAD' has no folder inner\n  choose one that has: git log -- ."


@pytest.mark.parametrize("rev", ["no", "HEAD~9", "", "--all", "HEAD:in.txt"])
def test_an_unknown_revision_is_named(repository: Repository, rev: str) -> None:
    with pytest.raises(UserError) as caught, exported_revision(repository, rev):
        raise AssertionError("there is one")
    assert str(caught.value) == (
        f"there is no revision {rev!r}\n  see: git log; a shallow clone may lack it (git fetch --unshallow)"
    )


@pytest.mark.parametrize(
    ("path", "md5"),
    [("out", "a" * 32), ("data", "b" * 32), ("in.txt", "22af645d1859cb5ca6da0c484f1f37ea"), ("no", None)],
)
def test_a_dep_is_what_its_maker_its_dvc_file_or_git_says(repository: Repository, path: str, md5: str | None) -> None:
    stage = Stage("use", "dvc.yaml", "use", "use", "true", ".", (Dependency(path, path),))
    with exported_revision(repository, "HEAD") as exported:
        facts = Revision(exported, {"make": ENTRY}, build_graph([MAKER, stage]), {"data": Content("b" * 32)})
        item = facts.dep(stage, stage.deps[0], None)
    assert (item and item["md5"]) == md5
    assert not facts.checks_outputs


def test_a_dep_whose_maker_never_ran_is_not_there(repository: Repository) -> None:
    stage = Stage("use", "dvc.yaml", "use", "use", "true", ".", (Dependency("out", "out"),))
    facts = Revision(repository, {}, build_graph([MAKER, stage]), {})
    assert facts.dep(stage, stage.deps[0], None) is None


def test_a_dep_around_an_output_is_as_it_was(repository: Repository) -> None:
    maker = Stage("make", "dvc.yaml", "make", "make", "true", ".", (), (Output("sub/out", "sub/out"),))
    stage = Stage("use", "dvc.yaml", "use", "use", "true", ".", (Dependency("sub", "sub"),))
    facts = Revision(repository, {}, build_graph([maker, stage]), {})
    locked = {"path": "sub", "hash": "md5", "md5": "c" * 32 + ".dir"}
    assert facts.dep(stage, stage.deps[0], locked) == locked  # type: ignore[arg-type]


def test_a_restored_output_feeds_what_reads_it(repository: Repository) -> None:
    stage = Stage("use", "dvc.yaml", "use", "use", "true", ".", (Dependency("out", "out"),))
    facts = Revision(repository, {}, build_graph([MAKER, stage]), {})
    facts.assume(MAKER, ENTRY)
    assert facts.dep(stage, stage.deps[0], None) == {"path": "out", "hash": "md5", "md5": "a" * 32, "size": 3}


def status(root: Path) -> str:
    return subprocess.run(["git", "status", "--porcelain"], cwd=root, capture_output=True, text=True, check=True).stdout
