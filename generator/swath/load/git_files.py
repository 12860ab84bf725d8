"""The files of a folder as everybody has them: Git's modes, without what Git or .dvcignore ignore.

    git ls-files + work tree + .dvcignore  ->  GitFile(path, mode) ...

A service's image is made of these files and named by them (`load/content_tag.py`). Tracked files have the mode of the
index, whatever a checkout made of it; untracked ones count unless they are ignored, so that what is being worked on can
be tried. Git itself says what is tracked and ignored, by all of its settings. Deleted files do not count. Outside of
Git the modes are the file system's.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pathspec import GitIgnoreSpec

from swath.errors import UserError
from swath.files.git_program import call_git, names_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FILE: Final = 0o100644
PROGRAM: Final = 0o100755
LINK: Final = 0o120000
_DVCIGNORE: Final = ".dvcignore"
_NEVER: Final = frozenset({".git", ".dvc"})
_CACHES: Final = "__pycache__"  # Python writes it beside programs that run here


@dataclass(frozen=True, slots=True, order=True)
class GitFile:
    """A file or link.

    Attributes:
        path: from the folder that was asked for.
        mode: Git's: FILE, PROGRAM or LINK.
    """

    path: str
    mode: int


def service_files(folder: Path, root: Path, *, all_of_git: bool = False) -> tuple[GitFile, ...]:
    """The files below a folder that count, sorted by path.

    Args:
        folder: such as a service's; inside `root`.
        root: the repository's root, whose .dvcignore counts, and those below it down to each file.
        all_of_git: what .dvcignore takes out counts too.

    Raises:
        UserError: Git cannot say what it tracks.
        NoGitError: it is a work tree of Git's, and there is no `git` program.
    """
    folder, root = folder.absolute(), root.absolute()
    is_out = _dvc_ignores(folder, root) if not all_of_git else lambda _path: False
    is_real = cache(lambda path: os.path.isdir(path) and not os.path.islink(path))
    files = []
    for path, tracked_mode in _candidates(folder):
        full = folder / path
        if not _NEVER.isdisjoint(path.split("/")) or is_out(full):
            continue
        if tracked_mode is None and _CACHES in path.split("/")[:-1]:
            continue
        mode = _mode(full, tracked_mode) if all(map(is_real, _between(folder, full))) else None
        if mode is not None:
            files.append(GitFile(path, mode))
    return tuple(sorted(files))


def _candidates(folder: Path) -> Iterator[tuple[str, int | None]]:
    """The paths below a folder that may count, each with Git's mode when it is tracked."""
    top = _work_tree(folder)
    listed = _listed(folder, top) if top else None
    if top and not listed and _is_ignored(folder, top):  # such as a copy in a temporary folder of the work tree
        listed = None
    if listed is None:
        yield from ((path, None) for path in _walked(folder))
        return
    for path, mode in listed.items():
        inner = path.rstrip("/")
        if (folder / inner / ".git").exists() and inner:  # a submodule, or a repository inside this one
            yield from ((f"{inner}/{below}", its) for below, its in _candidates(folder / inner))
        elif not path.endswith("/"):
            yield path, mode


def _work_tree(folder: Path) -> Path | None:
    """The work tree that a folder lies in; None outside of Git."""
    return next((top for top in (folder, *folder.parents) if (top / ".git").exists()), None)


def _listed(folder: Path, top: Path) -> dict[str, int | None]:
    """What Git tracks below a folder, with its mode, and what it would track; repositories inside end with a slash."""
    words = ["ls-files", "-z", "-t", "--stage", "--cached", "--others", "--exclude-standard", "--", "."]
    done = call_git(folder, "-c", f"safe.directory={top}", *words)
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip()
        raise UserError(f"Git cannot say which files are in {folder}: {said}", hint="see: git status")
    found: dict[str, int | None] = {}
    for line in names_in(done.stdout):
        tag, said = line[0], line[2:]
        if tag == "?":
            found[said] = None
        else:  # MODE HASH STAGE, a tab, the name
            facts, _, name = said.partition("\t")
            found[name] = int(facts.split(" ", 1)[0], 8)
    return found


def _is_ignored(folder: Path, top: Path) -> bool:
    return call_git(folder, "-c", f"safe.directory={top}", "check-ignore", "--quiet", "--", str(folder)).returncode == 0


def _walked(folder: Path) -> Iterator[str]:
    """All files and links below a folder."""
    for here, folders, names in os.walk(folder):
        links = [name for name in folders if os.path.islink(os.path.join(here, name))]
        for name in (*names, *links):
            yield os.path.relpath(os.path.join(here, name), folder).replace(os.sep, "/")


def _mode(path: Path, tracked: int | None) -> int | None:
    """Git's mode of a file; None for what is no file, or not there. A file that has become a link has a link's mode."""
    try:
        own = os.lstat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None
    if tracked is not None and stat.S_ISLNK(tracked) == stat.S_ISLNK(own) and not stat.S_ISDIR(own):
        return tracked
    if stat.S_ISLNK(own):
        return LINK
    if not stat.S_ISREG(own):
        return None
    return PROGRAM if own & stat.S_IXUSR else FILE


def _dvc_ignores(start: Path, root: Path) -> Callable[[Path], bool]:
    """Whether the .dvcignore files of a repository take a path below `start` out, as DVC reads them: folders first."""

    @cache
    def spec(folder: Path) -> GitIgnoreSpec | None:
        file = folder / _DVCIGNORE
        if not file.is_file():
            return None
        return GitIgnoreSpec.from_lines(file.read_text(encoding="utf-8", errors="surrogateescape").splitlines())

    def is_named(path: Path, slash: str) -> bool:
        """Whether the innermost file that says something about it ignores it."""
        for parent in path.parents:
            if not parent.is_relative_to(root):
                break
            rules = spec(parent)
            said = rules.check_file(path.relative_to(parent).as_posix() + slash).include if rules else None
            if said is not None:
                return said
        return False

    @cache
    def is_folder_out(folder: Path) -> bool:
        return folder != start and (is_folder_out(folder.parent) or is_named(folder, "/"))

    return lambda path: is_folder_out(path.parent) or is_named(path, "")


def _between(folder: Path, path: Path) -> list[Path]:
    """The folders from `folder`, without it, down to a path's own."""
    return [parent for parent in path.parents if parent != folder and parent.is_relative_to(folder)]
