"""`dvc_border/clean_copy.py`: a commit in a folder of its own, with a cache of its own."""

from __future__ import annotations

import os
from pathlib import Path

from support.repositories import Bench, make_repository
from swath.dvc_border.cache import Cache
from swath.dvc_border.clean_copy import clean_copy, seed
from swath.dvc_border.content import Hasher
from swath.dvc_border.repository import Repository
from swath.model.content import Content


def head(bench: Bench) -> str:
    return bench.command("git", "rev-parse", "HEAD").stdout.strip()


def test_it_is_the_commit_not_the_workspace(tmp_path: Path) -> None:
    bench = make_repository(tmp_path / "repo", {"a": "1"})
    first = head(bench)
    bench.write({"a": "2"})
    bench.commit()
    bench.write({"a": "3", "stray": "x"})
    repository = Repository(bench.root)
    copy = clean_copy(repository, first, tmp_path / "copy")
    assert (copy.root / "a").read_text() == "1"
    assert not (copy.root / "stray").exists()
    assert Path(copy.cache_dir) == copy.root / ".dvc/cache"
    assert copy.link_types == repository.link_types
    copied = Bench(copy.root)
    assert (head(copied), copied.command("git", "status", "--porcelain").stdout) == (first, "")
    copy.state.close()


def test_from_a_shallow_clone(tmp_path: Path) -> None:
    bench = make_repository(tmp_path / "repo", {"a": "1"})
    bench.commit("second")
    bench.command("git", "clone", "-q", "--depth=1", f"file://{bench.root}", str(tmp_path / "shallow"))
    copy = clean_copy(Repository(tmp_path / "shallow"), head(bench), tmp_path / "copy")
    assert Bench(copy.root).command("git", "log", "--format=%s").stdout == "second\n"
    copy.state.close()


def test_objects_of_a_folder_are_seeded_whole_or_not_at_all(tmp_path: Path) -> None:
    bench = make_repository(tmp_path / "repo", {"data/a": "1", "data/b": "2", "data/c/a": "1"})
    bench.command("git", "rm", "-rq", "--cached", "data")
    bench.command("dvc", "add", "-q", "data")
    repository = Repository(bench.root)
    copy = clean_copy(repository, head(bench), tmp_path / "copy")
    source, target = (Cache(each, Hasher(each)) for each in (repository, copy))
    (value,) = (line.split(": ")[1] for line in bench.read("data.dvc").splitlines() if "md5: " in line)
    content = Content(value)
    assert seed(source, target, content)
    assert target.has(content)
    assert seed(source, target, content)  # again: all is there
    os.unlink(source.path(Content("c4ca4238a0b923820dcc509a6f75849b")))
    assert not seed(source, target, content)
    copy.state.close()
    repository.state.close()
