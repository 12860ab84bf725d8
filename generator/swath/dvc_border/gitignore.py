"""The `.gitignore` lines of outputs, as DVC writes them, all before a run starts and in one order.

DVC hashes a `.gitignore` that lies inside a dep folder; lines that appear while stages run would make hashes depend on
the order of execution.
"""

from __future__ import annotations

import os
import re
import threading
from typing import TYPE_CHECKING

from swath.dvc_border.without_git import ignored_names, tracked_names
from swath.errors import NoGitError, UserError
from swath.files.git_program import call_git, names_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from swath.dvc_border.repository import Repository
    from swath.model.graph import StageGraph
    from swath.model.stage import Stage

# As scmrepo (pathspec) escapes; and the spaces at the end, which Git drops otherwise.
_SPECIAL = re.compile(r"([\\!*?#\[\]]| (?= *$))")

_ANSWERED = (0, 1)  # 1: `check-ignore` has no name to say
_LITERAL = ":(literal)"


def outputs_to_ignore(stages: Iterable[Stage]) -> list[str]:
    """Outputs, from the root, whose data is DVC's and not Git's; in order."""
    return [
        out.path
        for stage in stages
        for out in stage.outs
        if out.cache and "://" not in out.path and not out.path.startswith("/")
    ]


def write_ignore_lines(repository: Repository, paths: Sequence[str], *, folders: Iterable[str] = ()) -> list[str]:
    """Add a line for each path that Git does not ignore yet, where its folder exists.

    Args:
        paths: outputs from the root.
        folders: folders, from the root, to make when they are missing: those that are deps, or lie in one.

    Returns:
        The `.gitignore` files that changed, from the root.

    Raises:
        UserError: Git tracks an output.
    """
    if not repository.has_git or not paths:
        return []
    for folder in folders:
        (repository.root / folder).mkdir(parents=True, exist_ok=True)
    present = [path for path in paths if (repository.root / os.path.dirname(path)).is_dir()]
    tracked = _git_names(repository, ["ls-files", "-z", "--"], present)
    if tracked:
        path = min(path for path in present if any(name == path or name.startswith(path + "/") for name in tracked))
        hint = f"git rm -r --cached {path!r}, or give the output `cache: false`"
        raise UserError(f"the output {path} is tracked by Git", hint=hint)
    ignored = _git_names(repository, ["check-ignore", "-z", "--stdin"], present, stdin=True)
    changed: dict[str, list[str]] = {}
    for path in present:
        if path not in ignored:
            changed.setdefault(ignore_file(path), []).append(ignore_line(path))
    for file, lines in changed.items():
        _append(repository.root / file, lines)
    repository.written.update(changed)
    return list(changed)


def ignore_file(path: str) -> str:
    """The `.gitignore` that has an output's line, from the root."""
    return os.path.join(os.path.dirname(path), ".gitignore")


def ignore_line(path: str) -> str:
    """An output's line in it."""
    return _SPECIAL.sub(r"\\\1", f"/{os.path.basename(path)}")


class LateIgnores:
    """Lines for outputs whose folder does not exist yet, written all at once when the first stage has made it.

    Making the folder beforehand would break commands that make it themselves (`mkdir raw && …`).
    """

    def __init__(self, repository: Repository, paths: Iterable[str]) -> None:
        self._repository = repository
        self._by_folder: dict[str, list[str]] = {}
        for path in paths:
            self._by_folder.setdefault(os.path.dirname(path), []).append(path)
        self._lock = threading.Lock()

    def write(self, stage: Stage) -> None:
        """After a stage has written its outputs: the lines of all their folders."""
        with self._lock:
            for out in stage.outs:
                write_ignore_lines(self._repository, self._by_folder.pop(os.path.dirname(out.path), []))


def folders_inside_deps(graph: StageGraph, paths: Iterable[str]) -> list[str]:
    """Folders of `paths` that are deps of a stage, or lie in one: their `.gitignore` is part of a hash."""
    deps = {dep.path for stage in graph.stages.values() for dep in stage.deps}
    found: dict[str, None] = {}
    for path in paths:
        folder = parent = os.path.dirname(path)
        while parent and folder not in found:
            if parent in deps:
                found[folder] = None
            parent = os.path.dirname(parent)
    return list(found)


def _append(path: os.PathLike[str], lines: Sequence[str]) -> None:
    with open(path, "a+", encoding="utf-8") as file:
        file.seek(0)
        text = file.read()
        file.write(with_lines(text, lines)[len(text) :])


def with_lines(text: str, lines: Iterable[str]) -> str:
    """The text of a `.gitignore` with the lines that it lacks at its end."""
    known = set(text.splitlines())
    fresh = [line for line in dict.fromkeys(lines) if line not in known]
    start = "\n" if fresh and text and not text.endswith("\n") else ""
    return text + start + "".join(f"{line}\n" for line in fresh)


def _git_names(repository: Repository, arguments: list[str], paths: Sequence[str], *, stdin: bool = False) -> set[str]:
    """Those of `paths` that a git command names; all in as few calls as the system's limit allows."""
    if stdin:
        data = "\0".join(paths).encode(errors="surrogateescape")
        return _git(repository, arguments, data) & set(paths) if paths else set()
    found: set[str] = set()
    for start in range(0, len(paths), 500):
        found |= _git(repository, [*arguments, *[f"{_LITERAL}{path}" for path in paths[start : start + 500]]], b"")
    return found


def _git(repository: Repository, arguments: list[str], data: bytes) -> set[str]:
    """What a git command names; where Git is not there, or refuses the repository of another user, what we read."""
    try:
        result = call_git(repository.root, *arguments, stdin=data)
    except NoGitError:
        return _without_git(repository, arguments, data)
    if result.returncode not in _ANSWERED:
        return _without_git(repository, arguments, data)
    return set(names_in(result.stdout))


def _without_git(repository: Repository, arguments: list[str], data: bytes) -> set[str]:
    if arguments[0] != "ls-files":
        return ignored_names(repository, data)
    return tracked_names(repository, [word.removeprefix(_LITERAL) for word in arguments if word.startswith(_LITERAL)])
