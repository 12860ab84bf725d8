"""The command line where there is no `git` program: it works, or says that Git is needed before anything is written."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from support.repositories import BIN, Bench, make_repository

if TYPE_CHECKING:
    from pathlib import Path

NO_GIT = "swath: this needs Git, and there is no `git` program here\n  install Git, then run this again\n"
FILES = {
    "in.txt": "one",
    "dvc.yaml": {"stages": {"first": {"cmd": "cp in.txt out", "deps": ["in.txt"], "outs": ["out"]}}},
}


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """A committed repository whose stage ran."""
    bench = make_repository(tmp_path / "repo", FILES)
    bench.run()
    bench.commit("ran")
    return bench


@pytest.fixture
def programs(tmp_path: Path) -> str:
    """A PATH without Git."""
    folder = tmp_path / "programs"
    folder.mkdir()
    for name in ("sh", "cp", "env", "cat"):
        (folder / name).symlink_to(str(shutil.which(name)))
    (folder / "swath").symlink_to(BIN / "swath")
    return str(folder)


def files(bench: Bench) -> dict[str, bytes]:
    return {
        path.relative_to(bench.root).as_posix(): path.read_bytes()
        for path in bench.root.rglob("*")
        if path.is_file() and not path.is_relative_to(bench.root / ".dvc/tmp")
    }


@pytest.mark.parametrize(
    "words",
    [
        ["lint"], ["lint", "--fix"], ["init"], ["init", "--force"], ["verify"], ["plan", "--rev", "HEAD"],
        ["plan", "--rev", "HEAD~0"], ["compile"], ["compile", "-o", "child.yml"], ["gc", "--dry-run"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_what_needs_git(bench: Bench, programs: str, words: list[str]) -> None:
    before = files(bench)

    done = bench.swath(*words, PATH=programs)

    assert (done.returncode, done.stderr) == (1, NO_GIT)
    assert files(bench) == before


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["plan"], "1 unchanged\n"),
        (["run", "-n", "-f", "-q"], "1 to run\n"),
        (["run"], ""),
        (["service", "list"], None),
        (["--version"], None),
    ],
    ids=str,
)
def test_what_needs_no_git(bench: Bench, programs: str, words: list[str], said: str | None) -> None:
    done = bench.swath(*words, PATH=programs)

    assert done.returncode == 0, done.stderr
    assert said is None or done.stdout == said
