"""Files that may not be read or written: told with their names, as the user's own fault, never as a bug of ours."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.repositories import BIN, Bench, make_repository

STAGE = {"cmd": "cp in.txt out.txt", "deps": ["in.txt"], "params": ["x"], "outs": ["out.txt"]}
FILES = {"dvc.yaml": {"stages": {"a": STAGE}}, "in.txt": "x", "params.yaml": "x: 1\n", "swath.yaml": "{}\n"}
# Root reads and writes everything, unless its capabilities are taken: then its own files' modes count.
AS_ORDINARY_USER = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if os.geteuid() == 0 else []
pytestmark = pytest.mark.skipif(
    bool(AS_ORDINARY_USER) and shutil.which("setpriv") is None, reason="root reads everything, and there is no setpriv"
)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = make_repository(tmp_path / "repo", FILES)
    yield made
    for folder, _, _ in os.walk(made.root):  # from the top, so that pytest can remove what a test closed
        Path(folder).chmod(0o755)


def said(bench: Bench, *words: str) -> tuple[int, str]:
    result = bench.command(*AS_ORDINARY_USER, str(BIN / "swath"), *words, check=False)
    return result.returncode, result.stderr.replace(str(bench.root), "ROOT")


OWNER = "check who owns the file, and the permissions of the folders above it"


@pytest.mark.parametrize(
    ("command", "path", "expected"),
    [
        (
            "plan",
            "dvc.yaml",
            "dvc.yaml: cannot be read: [Errno 13] Permission denied: 'ROOT/dvc.yaml'\n  a text file in UTF-8 is expected",
        ),
        (
            "plan",
            "params.yaml",
            "params.yaml: cannot be read: Permission denied\n  check its permissions, and that it is a file",
        ),
        (
            "plan",
            ".dvcignore",
            (
                "ROOT/.dvcignore cannot be read: [Errno 13] Permission denied: 'ROOT/.dvcignore'\n"
                "  a text file in UTF-8 is expected"
            ),
        ),
        ("plan", ".dvc/config", f"ROOT/.dvc/config: Permission denied\n  {OWNER}"),
        ("lint", "services", f"ROOT/services: Permission denied\n  {OWNER}"),
        ("run", ".dvc/tmp", f"ROOT/.dvc/tmp/swath: Permission denied\n  {OWNER}"),
    ],
)
def test_what_may_not_be_read(bench: Bench, command: str, path: str, expected: str) -> None:
    closed = bench.root / path
    if path in {"services", ".dvc/tmp"}:
        closed.mkdir(exist_ok=True)
    closed.chmod(0)
    assert said(bench, command) == (1, f"swath: {expected}\n")


def test_a_folder_that_may_not_be_searched(bench: Bench) -> None:
    closed = bench.root / "closed"
    (closed / "inner").mkdir(parents=True)
    enter = ["sh", "-c", 'cd closed/inner && chmod 0 .. && exec "$@"', "-"]
    result = bench.command(*AS_ORDINARY_USER, *enter, str(BIN / "swath"), "plan", check=False)
    expected = (
        "swath: ROOT/closed/inner may not be searched for a repository: Permission denied\n"
        f"  ask its owner for access (chmod +rx), or go to another folder; this user's id is {os.getuid()}\n"
    )
    assert (result.returncode, result.stderr.replace(str(bench.root), "ROOT")) == (1, expected)


@pytest.mark.parametrize("words", [["plan"], ["exec", "x"], ["service", "list"]], ids=" ".join)
def test_a_working_directory_that_is_gone(bench: Bench, words: list[str]) -> None:
    gone = ["sh", "-c", 'mkdir gone && cd gone && rmdir ../gone && exec "$@"', "-"]
    result = bench.command(*gone, str(BIN / "swath"), *words, check=False)
    prefix = "" if words[0] == "exec" else "swath: "
    expected = f"{prefix}the working directory is no longer there\n  go to one that is: cd FOLDER\n"
    assert (result.returncode, result.stderr) == (1, expected)


def test_lint_cannot_mend_what_may_not_be_written(bench: Bench) -> None:
    (bench.root / ".dvcignore").unlink()
    bench.root.chmod(0o555)
    expected = "swath: ROOT/.dvcignore cannot be written: Permission denied\n"
    assert said(bench, "lint", "--fix") == (
        1,
        f"{expected}  check what stands there, and the permissions of its folder\n",
    )


def test_a_folder_in_the_place_of_a_file(bench: Bench) -> None:
    (bench.root / "params.yaml").unlink()
    (bench.root / "params.yaml").mkdir()
    hint = "correct `vars`, or bring the file back (git checkout)"
    assert said(bench, "plan") == (1, f"swath: dvc.yaml:1: vars: 'params.yaml' is a directory\n  {hint}\n")
