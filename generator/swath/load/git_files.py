"""The files of a folder as everybody has them: Git's modes, without what Git or .dvcignore ignore.

    work tree + index + .gitignore + .dvcignore  ->  GitFile(path, mode) ...

A service's image is made of these files and named by them (`load/content_tag.py`). Tracked files have the mode of the
index, whatever a checkout made of it; untracked ones count unless they are ignored, so that what is being worked on can
be tried. Deleted ones do not count. Outside of Git the modes are the file system's.
"""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pathspec import GitIgnoreSpec

from swath.load.git_index import common_folder, git_folder, tracked_modes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

FILE: Final = 0o100644
PROGRAM: Final = 0o100755
LINK: Final = 0o120000
_DVCIGNORE: Final = ".dvcignore"
_GITIGNORE: Final = ".gitignore"
_NEVER: Final = frozenset({".git", ".dvc"})
_CACHES: Final = "__pycache__"  # Python writes it beside programs that run here
_EXCLUDES_FILE: Final = re.compile(r"^\s*excludesfile\s*=\s*(.+?)\s*$", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True, slots=True, order=True)
class GitFile:
    """A file or link.

    Attributes:
        path: from the folder that was asked for.
        mode: Git's: FILE, PROGRAM or LINK.
    """

    path: str
    mode: int


@dataclass(frozen=True, slots=True)
class _Rules:
    """Ignore files from the outermost folder to the present one: the folder's path, and its lines."""

    specs: tuple[tuple[str, GitIgnoreSpec], ...] = ()

    def with_file(self, folder: str, file: Path) -> _Rules:
        if not file.is_file():
            return self
        lines = file.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
        return replace(self, specs=(*self.specs, (folder, GitIgnoreSpec.from_lines(lines))))

    def ignores(self, path: str) -> bool:
        """Whether the innermost file that says something about `path` (a folder ends with a slash) ignores it."""
        for folder, spec in reversed(self.specs):
            said = spec.check_file(path[len(folder) :]).include
            if said is not None:
                return said
        return False


@dataclass(frozen=True, slots=True)
class _View:
    """What a walk knows. Paths are from `top`, which is the work tree, or outside of Git the repository's root."""

    top: Path
    tracked: Mapping[str, int] | None
    use_dvcignore: bool


def service_files(folder: Path, root: Path, *, all_of_git: bool = False) -> tuple[GitFile, ...]:
    """The files below a folder that count, sorted by path.

    Args:
        folder: such as a service's; inside `root`.
        root: the repository's root, whose .dvcignore counts, and those below it down to each file.
        all_of_git: what .dvcignore takes out counts too.

    Raises:
        UserError: Git's index cannot be read.
    """
    folder, root = folder.absolute(), root.absolute()
    found = git_folder(root)
    top = found[0] if found else root
    below = _from(folder, top)
    tracked = tracked_modes(found[1], top, below) if found else None
    view = _View(top, tracked, use_dvcignore=not all_of_git)
    git, dvc = _Rules(), _Rules()
    if found:
        git = git.with_file("", _user_excludes()).with_file("", common_folder(found[1]) / "info/exclude")
    ignored = False
    for parent in _chain(top, folder):
        name = _from(parent, top)
        ignored = ignored or (bool(name) and git.ignores(f"{name}/"))
        if parent != folder:  # its own are read by the walk
            start = f"{name}/" if name else ""
            git = git.with_file(start, parent / _GITIGNORE)
            if view.use_dvcignore and parent.is_relative_to(root):
                dvc = dvc.with_file(start, parent / _DVCIGNORE)
    if ignored and not tracked:  # such as a copy in a temporary folder of the work tree: it is no part of that one
        view, git, ignored = replace(view, tracked=None), _Rules(), False
    start = f"{below}/" if below else ""
    files = _walk(view, start, git, dvc, ignored=ignored)
    return tuple(sorted(GitFile(file.path[len(start) :], file.mode) for file in files))


def _walk(view: _View, start: str, git: _Rules, dvc: _Rules, *, ignored: bool) -> Iterator[GitFile]:
    """The files below the folder `start`, which is empty or ends with a slash; `ignored`: only tracked ones count."""
    here = view.top / start
    if view.use_dvcignore:
        dvc = dvc.with_file(start, here / _DVCIGNORE)
    if view.tracked is not None:
        git = git.with_file(start, here / _GITIGNORE)
    for child in os.scandir(here):
        is_folder = child.is_dir(follow_symlinks=False)
        path = f"{start}{child.name}/" if is_folder else f"{start}{child.name}"
        if child.name in _NEVER or dvc.ignores(path):
            continue
        if is_folder:
            out = ignored or child.name == _CACHES or git.ignores(path)
            yield from _walk(view, path, git, dvc, ignored=out)
            continue
        mode = _tracked_mode(view, path, child)
        if mode is None and not ignored and not git.ignores(path):
            mode = _mode(child)
        if mode is not None:
            yield GitFile(path, mode)


def _tracked_mode(view: _View, path: str, entry: os.DirEntry[str]) -> int | None:
    """Git's mode of a tracked file; a file that has become a link, or a link a file, has its own."""
    mode = (view.tracked or {}).get(path)
    if mode is None:
        return None
    return mode if stat.S_ISLNK(mode) == entry.is_symlink() else _mode(entry)


def _mode(entry: os.DirEntry[str]) -> int | None:
    """The mode that Git would give a file; None for sockets and the like."""
    mode = entry.stat(follow_symlinks=False).st_mode
    if stat.S_ISLNK(mode):
        return LINK
    if not stat.S_ISREG(mode):
        return None
    return PROGRAM if mode & stat.S_IXUSR else FILE


def _user_excludes() -> Path:
    """The user's own ignore file for all repositories.

    Source: https://git-scm.com/docs/gitignore, read 2026-11-22.
    """
    home = Path(os.environ.get("HOME") or "/nonexistent")
    settings = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config") / "git"
    for config in (home / ".gitconfig", settings / "config"):
        if config.is_file():
            said = _EXCLUDES_FILE.findall(config.read_text(encoding="utf-8", errors="replace"))
            if said:
                return Path(str(said[-1]).strip('"').replace("~", str(home), 1))
    return settings / "ignore"


def _chain(top: Path, folder: Path) -> list[Path]:
    """The folders from `top` down to `folder`, both included."""
    steps = folder.relative_to(top).parts
    return [top.joinpath(*steps[:count]) for count in range(len(steps) + 1)]


def _from(path: Path, top: Path) -> str:
    text = path.relative_to(top).as_posix()
    return "" if text == "." else text
