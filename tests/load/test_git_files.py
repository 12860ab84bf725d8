"""The files that count, against Git itself: its trees, its modes, what it ignores."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from dvc.fs import localfs
from dvc.repo import Repo

from swath.errors import NoGitError, UserError
from swath.load.content_tag import tree_hash
from swath.load.git_files import FILE, LINK, PROGRAM, GitFile, service_files

if TYPE_CHECKING:
    from pathlib import Path


def git(root: Path, *words: str, **variables: str) -> str:
    own = ["-c", "user.name=T", "-c", "user.email=t@example.com", "-c", "init.defaultBranch=main"]
    done = subprocess.run(
        ["git", *own, *words], cwd=root, capture_output=True, text=True, check=True, env={**os.environ, **variables}
    )
    return done.stdout.strip()


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A committed repository whose service has all kinds of files."""
    root = tmp_path / "repository"
    for name in (
        "services/a/program",
        "services/a/plain.txt",
        "services/a/lib/d\u00e9j\u00e0 vu",
        "services/a/lib/x-y",
        "services/b/z",
    ):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    (root / "services/a/program").chmod(0o755)
    (root / "services/a/link").symlink_to("program")
    (root / ".gitignore").write_text("*.log\n/services/a/built\n")
    (root / ".dvcignore").write_text("services/*/tests\n")
    git_init(root)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    return root


def git_init(root: Path, *words: str) -> None:
    git(root, "init", "-q", *words)
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "first")


def seen(root: Path) -> str:
    folder = root / "services/a"
    return tree_hash(folder, service_files(folder, root))


def committed(root: Path) -> str:
    return git(root, "rev-parse", "HEAD:services/a")


def names(root: Path) -> list[str]:
    return [file.path for file in service_files(root / "services/a", root)]


def test_files_and_modes(root: Path) -> None:
    assert service_files(root / "services/a", root) == (
        GitFile("lib/d\u00e9j\u00e0 vu", FILE),
        GitFile("lib/x-y", FILE),
        GitFile("link", LINK),
        GitFile("plain.txt", FILE),
        GitFile("program", PROGRAM),
    )
    assert seen(root) == committed(root)


@pytest.mark.parametrize("mode", [0o777, 0o666, 0o600])
def test_a_checkout_with_other_modes_is_the_same(root: Path, mode: int) -> None:
    for path in (root / "services").rglob("*"):
        if path.is_file() and not path.is_symlink():
            path.chmod(mode)
    assert seen(root) == committed(root)


@pytest.mark.parametrize("version", ["2", "3", "4"])
def test_every_version_of_the_index(root: Path, version: str) -> None:
    (root / "services/a/new").write_text("")
    git(root, "update-index", "--index-version", version)
    if version == "3":  # the flag of `add --intent-to-add` needs it
        git(root, "add", "--intent-to-add", "services/a/new")
    assert (root / ".git/index").read_bytes()[4:8] == int(version).to_bytes(4, "big")
    (root / "services/a/program").chmod(0o644)
    assert GitFile("program", PROGRAM) in service_files(root / "services/a", root)


def test_many_files_with_long_names(root: Path) -> None:
    for number in range(300):
        (root / f"services/a/{'x' * (number % 250)}{number}").write_text(str(number))
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "many")
    for version in ("2", "4"):
        git(root, "update-index", "--index-version", version)
        assert seen(root) == committed(root)


def test_a_split_index(root: Path) -> None:
    git(root, "update-index", "--split-index")
    (root / "services/a/more").write_text("")
    git(root, "add", "services/a/more")
    git(root, "commit", "-q", "-m", "second")
    (root / "services/a/program").chmod(0o644)
    assert seen(root) == committed(root)


def test_a_repository_with_sha256(root: Path) -> None:
    (root / ".git").rename(root.parent / "old.git")
    git_init(root, "--object-format=sha256")
    (root / "services/a/program").chmod(0o644)
    assert GitFile("program", PROGRAM) in service_files(root / "services/a", root)


def test_a_further_work_tree(root: Path, tmp_path: Path) -> None:
    (root / ".git/info/exclude").write_text("excluded\n")
    git(root, "worktree", "add", "-q", str(tmp_path / "second"))
    (tmp_path / "second/services/a/program").chmod(0o644)
    (tmp_path / "second/services/a/excluded").touch()
    assert seen(tmp_path / "second") == committed(root)


def test_without_a_git_program(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(NoGitError) as caught:
        seen(root)
    assert str(caught.value) == (
        "this needs Git, and there is no `git` program here\n  install Git, then run this again"
    )


def test_outside_of_git_no_git_program_is_needed(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = committed(root)
    (root / ".git").rename(root.parent / "old.git")
    monkeypatch.setenv("PATH", "/nonexistent")
    assert seen(root) == expected


def test_outside_of_git_modes_are_the_file_systems(root: Path) -> None:
    expected = committed(root)
    (root / ".git").rename(root.parent / "old.git")
    assert seen(root) == expected
    (root / "services/a/program").chmod(0o644)
    assert seen(root) != expected


def test_what_git_ignores_does_not_count_unless_it_is_tracked(root: Path, tmp_path: Path) -> None:
    (root / "services/a/tracked.log").touch()
    (root / "services/a/built").mkdir()
    (root / "services/a/built/tracked").touch()
    git(root, "add", "--force", "services/a/tracked.log", "services/a/built/tracked")
    (tmp_path / ".gitconfig").write_text(f"[core]\n  excludesFile = {tmp_path}/mine\n")
    (tmp_path / "mine").write_text(".idea/\n")
    (root / "services/a/lib/.gitignore").write_text("*.tmp\n!kept.tmp\n")
    for name in (
        "untracked.log", "built/untracked", ".idea/x", "lib/a.tmp", "lib/kept.tmp", "__pycache__/x.pyc", "untracked",
        "tests/x",
    ):  # fmt: skip
        (root / "services/a" / name).parent.mkdir(exist_ok=True)
        (root / "services/a" / name).touch()
    assert set(names(root)) - {"lib/d\u00e9j\u00e0 vu", "lib/x-y", "link", "plain.txt", "program"} == {
        "tracked.log", "built/tracked", "lib/.gitignore", "lib/kept.tmp", "untracked",
    }  # fmt: skip
    others = git(root, "ls-files", "--others", "--exclude-standard", "services/a", HOME=str(tmp_path)).splitlines()
    assert {f"services/a/{name}" for name in ("lib/.gitignore", "lib/kept.tmp", "untracked")} == {
        name for name in others if "/tests/" not in name and "__pycache__" not in name
    }


def test_a_copy_in_an_ignored_folder_is_outside_of_git(root: Path) -> None:
    (root / ".gitignore").write_text("/tmp/\n*.log\n")
    copy = root / "tmp/copy"
    subprocess.run(["git", "checkout-index", "--all", f"--prefix={copy}/"], cwd=root, check=True)
    assert tree_hash(copy / "services/a", service_files(copy / "services/a", copy)) == committed(root)


def test_ignore_files_further_up_and_down(root: Path) -> None:
    """The root of DVC's repository below that of Git's; and a .dvcignore inside the service."""
    inner = root / "inner"
    (inner / "services/a/tests").mkdir(parents=True)
    for name in ("run", "x.log", "tests/t", "notes", "lib.txt"):
        (inner / "services/a" / name).touch()
    (inner / ".dvcignore").write_text("services/*/tests\n*.txt\n")
    (inner / "services/a/.dvcignore").write_text("notes\n!lib.txt\n.dvcignore\n")
    files = service_files(inner / "services/a", inner)
    assert [file.path for file in files] == ["lib.txt", "run"]
    assert "tests/t" in [file.path for file in service_files(inner / "services/a", inner, all_of_git=True)]


def test_what_is_being_worked_on(root: Path) -> None:
    folder = root / "services/a"
    (folder / "plain.txt").unlink()
    (folder / "lib/x-y").write_text("changed")
    (folder / "new").write_text("")
    (folder / "new").chmod(0o755)
    os.mkfifo(folder / "pipe")
    before = seen(root)
    assert GitFile("new", PROGRAM) in service_files(folder, root)
    (folder / "pipe").unlink()
    git(root, "add", "-A")
    assert git(root, "rev-parse", f"{git(root, 'write-tree')}:services/a") == before


def test_an_index_that_cannot_be_read(root: Path) -> None:
    (root / ".git/index").write_bytes(b"DIRC\0\0\0\x09\0\0\0\0")
    with pytest.raises(UserError) as caught:
        names(root)
    assert str(caught.value) == (
        f"Git cannot say which files are in {root}/services/a: fatal: .git/index: index file smaller than expected\n"
        "  see: git status"
    )


@pytest.mark.parametrize("where", ["repository", "user", "include", "includeIf", "environment"])
def test_excludes_of_all_settings_of_git(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """An editor's swap file is no part of an image, wherever Git's settings say so."""
    (tmp_path / "mine").write_text(".*.swp\n")
    setting = f"[core]\n  excludesFile = {tmp_path}/mine\n"
    (tmp_path / "more").write_text(setting)
    if where == "repository":
        git(root, "config", "core.excludesFile", f"{tmp_path}/mine")
    elif where == "environment":
        monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
        monkeypatch.setenv("GIT_CONFIG_KEY_0", "core.excludesFile")
        monkeypatch.setenv("GIT_CONFIG_VALUE_0", f"{tmp_path}/mine")
    else:
        section = {"user": setting, "include": f"[include]\n  path = {tmp_path}/more\n"}
        section["includeIf"] = f'[includeIf "gitdir:{root}/"]\n  path = {tmp_path}/more\n'
        (tmp_path / ".gitconfig").write_text(section[where])
    before = seen(root)

    (root / "services/a/.plain.txt.swp").touch()

    assert seen(root) == before == committed(root)


def test_a_submodule_and_a_repository_inside(root: Path) -> None:
    """Their files count as they are; Git shows both as one entry."""
    inner = root / "services/a/inner"
    inner.mkdir()
    (inner / "x").touch()
    (inner / "y.log").touch()
    (inner / ".gitignore").write_text("*.log\n")
    git_init(inner)
    expected = {"inner/.gitignore", "inner/x"}
    assert {name for name in names(root) if name.startswith("inner")} == expected
    git(root, "add", "services/a/inner")
    assert {name for name in names(root) if name.startswith("inner")} == expected
    assert [file.path for file in service_files(inner, root)] == [".gitignore", "x"]


def test_a_folder_that_has_become_a_link(root: Path) -> None:
    (root / "services/a/lib").rename(root / "elsewhere")
    (root / "services/a/lib").symlink_to("../../elsewhere")
    assert [file for file in service_files(root / "services/a", root) if "lib" in file.path] == [GitFile("lib", LINK)]


def test_a_folder_that_was_deleted(root: Path) -> None:
    shutil.rmtree(root / "services/a/lib")
    assert names(root) == ["link", "plain.txt", "program"]


def test_names_that_are_not_utf_8(root: Path) -> None:
    odd = os.fsdecode(b"d\xe9j\xe0\n\tvu")
    (root / "services/a" / odd).touch()
    assert odd in names(root)
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "odd")
    assert odd in names(root)
    assert seen(root) == committed(root)


@pytest.mark.parametrize(
    ("outer", "inner"),
    [
        ("services/*/tests\n__pycache__\n", ""),
        ("*.txt\n", "!keep.txt\n"),
        ("", "*.txt\n!keep.txt\n"),
        ("services/a/lib/\n", "!lib/\n"),
        ("lib\n!lib/keep.txt\n", ""),
        ("/lib\n", "/lib\n"),
        ("services/a/**/deep\n", "#x\n\\#y\n"),
        ("services/a/*\n!services/a/lib\n", ""),
        ("lib/*.txt\nservices/a/lib/[a-k]*\n", "x?\n"),
    ],
)
def test_dvcignore_is_read_as_dvc_reads_it(tmp_path: Path, outer: str, inner: str) -> None:
    """DVC hashes the same files of the folder when it is a dependency."""
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc/config").write_text("[core]\n    no_scm = true\n")
    folder = tmp_path / "services/a"
    for name in (
        "run.py",
        "keep.txt",
        "x.txt",
        "lib/keep.txt",
        "lib/a.py",
        "lib/deep/x",
        "tests/t.py",
        "xy",
        "#x",
        "#y",
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    (tmp_path / ".dvcignore").write_text(outer)
    (folder / ".dvcignore").write_text(inner)
    with Repo(str(tmp_path)) as repo:
        expected = {os.path.relpath(path, folder) for path in repo.dvcignore.find(localfs, str(folder))}
    assert {file.path for file in service_files(folder, tmp_path)} == expected
