from __future__ import annotations

import shutil
import subprocess
from importlib.metadata import version
from typing import TYPE_CHECKING

import pytest

from swath.load.content_tag import TOOL_LAYER, content_tag

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "services/a"
    (folder / "lib").mkdir(parents=True)
    (folder / "lib.txt").write_text("sorts between lib and lib/\n")
    (folder / "lib/code.py").write_text("1\n")
    (folder / "run.sh").write_text("#!/bin/sh\n")
    (folder / "run.sh").chmod(0o755)
    (folder / "link").symlink_to("run.sh")
    (folder / "d\u00e9j\u00e0 vu").write_text("")
    (folder / "empty").mkdir()
    return tmp_path


def git(root: Path, *words: str) -> str:
    return subprocess.run(["git", *words], cwd=root, capture_output=True, text=True, check=True).stdout.strip()


def git_tree(root: Path) -> str:
    git(root, "init", "-q")
    git(root, "add", "-A")
    return git(root, "rev-parse", f"{git(root, 'write-tree')}:services/a")


def test_it_is_the_tree_that_git_has(root: Path) -> None:
    assert content_tag(root / "services/a", root) == f"{git_tree(root)[:12]}-t{TOOL_LAYER}"


def test_where_the_repository_lies_in_gits_checkout_does_not_count(
    root: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    git(root, "init", "-q")
    git(root, "add", "-A")
    top = tmp_path_factory.mktemp("top")
    shutil.copytree(root / "services", top / "teams/it's/services", symlinks=True)
    git(top, "init", "-q")
    git(top, "add", "-A")
    (top / "teams/it's/services/a/run.sh").chmod(0o644)  # as a checkout may have it; Git's mode counts
    below = top / "teams/it's"
    assert content_tag(below / "services/a", below) == content_tag(root / "services/a", root)


def test_what_is_ignored_does_not_count(root: Path) -> None:
    tag = content_tag(root / "services/a", root)
    (root / ".dvcignore").write_text("services/*/tests\nservices/*/README*\n__pycache__\n")
    for name in ("tests/test_a.py", "README.md", "lib/__pycache__/code.pyc"):
        (root / "services/a" / name).parent.mkdir(exist_ok=True)
        (root / "services/a" / name).write_text("x")
    assert content_tag(root / "services/a", root) == tag


@pytest.mark.parametrize("change", ["content", "name", "mode", "tool layer"])
def test_what_does_count(root: Path, change: str) -> None:
    folder = root / "services/a"
    tag = content_tag(folder, root)
    if change == "content":
        (folder / "lib/code.py").write_text("2\n")
    elif change == "name":
        (folder / "lib/code.py").rename(folder / "lib/kode.py")
    elif change == "mode":
        (folder / "lib/code.py").chmod(0o755)
    assert content_tag(folder, root, tool_layer=TOOL_LAYER + (change == "tool layer")) != tag


def test_times_and_other_mode_bits_do_not(root: Path) -> None:
    tag = content_tag(root / "services/a", root)
    (root / "services/a/lib/code.py").chmod(0o666)
    assert content_tag(root / "services/a", root) == tag


def test_another_swath_is_another_tool_layer() -> None:
    """Raise TOOL_LAYER with the version: else service images keep the /opt/swath of the version before."""
    assert {version("swath"): TOOL_LAYER} == {"0.1.0": 1}
