"""Git's plumbing, as far as recording needs it: objects are read and made; work tree and index are not touched."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from swath.errors import UserError
from swath.files.git_program import call_git

_FILE_MODES: Final = frozenset({"100644", "100755"})
_PLAIN: Final = "100644"


@dataclass(frozen=True, slots=True)
class Clone:
    """A Git repository on this machine.

    Attributes:
        top: the root of its work tree.
        prefix: the DVC repository's folder in it, with a slash at the end; empty: they are the same.
    """

    top: Path
    prefix: str


@dataclass(frozen=True, slots=True)
class Signature:
    """Who makes a commit, and when: equal results make equal commits, whatever machine records them.

    Attributes:
        date: in a form that Git reads.
    """

    name: str
    email: str
    date: str


def open_clone(root: Path) -> Clone:
    """The Git repository around a DVC repository.

    Raises:
        UserError: there is none, or Git does not trust its folder.
    """
    top, prefix = os.fsdecode(run_git(root, "rev-parse", "--show-toplevel", "--show-prefix")).split("\n")[:2]
    return Clone(Path(top), prefix)


def run_git(folder: Path, *arguments: str, stdin: bytes = b"", environ: Mapping[str, str] | None = None) -> bytes:
    """What a git command prints.

    Raises:
        UserError: it failed.
    """
    result = call_git(folder, *arguments, stdin=stdin, environ=environ)
    if result.returncode:
        said = result.stderr.decode(errors="replace").strip()
        raise UserError(f"git {arguments[0]} failed: {said}", hint="see whether the repository is whole: git fsck")
    return result.stdout


def commit_id(clone: Clone, rev: str) -> str | None:
    """The full id of a commit; None: this clone does not have it."""
    result = call_git(clone.top, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{rev}^{{commit}}")
    return result.stdout.decode().strip() or None


def commit_message(clone: Clone, commit: str) -> str:
    """A commit's message."""
    return run_git(clone.top, "log", "-1", "--format=%B", commit).decode(errors="replace")


def commit_date(clone: Clone, commit: str) -> str:
    """When a commit was made, in ISO 8601."""
    return run_git(clone.top, "log", "-1", "--format=%cI", commit).decode().strip()


def messages_since(clone: Clone, base: str, head: str) -> list[str]:
    """The messages of the commits that `head` has and `base` does not, newest first; those that concern its folder."""
    words = ["log", "--format=%B%x00", f"{base}..{head}", *(["--", clone.prefix] if clone.prefix else [])]
    text = run_git(clone.top, "--literal-pathspecs", *words).decode(errors="replace")
    return [message.strip() for message in text.split("\0") if message.strip()]


def tree_files(clone: Clone, tree: str, paths: Iterable[str]) -> dict[str, tuple[str, str]]:
    """The files at or below some paths of a tree: path to mode and object id. Paths are from Git's root."""
    wanted = list(dict.fromkeys(paths))
    found: dict[str, tuple[str, str]] = {}
    for start in range(0, len(wanted), 500):
        names = [path.rstrip("/") for path in wanted[start : start + 500]]
        text = run_git(clone.top, "--literal-pathspecs", "ls-tree", "-r", "-z", "--full-tree", tree, "--", *names)
        for line in text.split(b"\0"):
            if line:
                head, _, name = line.partition(b"\t")
                mode, _, value = head.decode().split(" ")
                found[os.fsdecode(name)] = (mode, value)
    return found


def write_blobs(clone: Clone, contents: Sequence[bytes | Path]) -> list[str]:
    """Put bytes, or files, into the object store as they are; the objects' ids, in the same order."""
    with tempfile.TemporaryDirectory(prefix="swath-blobs-") as folder:
        paths = []
        for number, data in enumerate(contents):
            path = data if isinstance(data, Path) else Path(folder) / str(number)
            if not isinstance(data, Path):
                path.write_bytes(data)
            paths.append(f"{path}\n")
        text = run_git(clone.top, "hash-object", "-w", "--no-filters", "--stdin-paths", stdin="".join(paths).encode())
    return text.decode().split()


def make_commit(
    clone: Clone, parent: str | None, files: Mapping[str, bytes | Path | None], message: str, signature: Signature
) -> str | None:
    """Make a commit whose tree is its parent's with some files changed.

    Args:
        parent: None: it is a first commit.
        files: path from Git's root to content; None: the file goes away.

    Returns:
        The commit's id; None when nothing differs from the parent.
    """
    present = tree_files(clone, parent, files) if parent else {}
    lines = list(_index_lines(clone, files, present))
    if not lines:
        return None
    with tempfile.TemporaryDirectory(prefix="swath-index-") as folder:
        index = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
        if parent:
            run_git(clone.top, "read-tree", parent, environ=index)
        run_git(clone.top, "update-index", "-z", "--index-info", stdin=b"".join(lines), environ=index)
        tree = run_git(clone.top, "write-tree", environ=index).decode().strip()
    who = {f"GIT_{role}_NAME": signature.name for role in ("AUTHOR", "COMMITTER")}
    who |= {f"GIT_{role}_EMAIL": signature.email for role in ("AUTHOR", "COMMITTER")}
    who |= {f"GIT_{role}_DATE": signature.date for role in ("AUTHOR", "COMMITTER")}
    above = ["-p", parent] if parent else []
    settings = ["-c", "commit.gpgSign=false", "-c", "i18n.commitEncoding=UTF-8"]
    return (
        run_git(clone.top, *settings, "commit-tree", *above, tree, stdin=message.encode(), environ=who).decode().strip()
    )


def _index_lines(
    clone: Clone, files: Mapping[str, bytes | Path | None], present: Mapping[str, tuple[str, str]]
) -> Iterable[bytes]:
    """What `git update-index --index-info` is told about the files that differ."""
    for path in sorted(path for path, data in files.items() if data is None and path in present):
        yield b"0 " + b"0" * 40 + b"\t" + os.fsencode(path) + b"\0"  # first: a folder may become a file
    kept = {path: data for path, data in sorted(files.items()) if data is not None}
    for path, blob in zip(kept, write_blobs(clone, list(kept.values())), strict=True):
        mode = present.get(path, (_PLAIN, ""))[0]
        wanted = (mode if mode in _FILE_MODES else _PLAIN, blob)
        if present.get(path) != wanted:
            yield f"{wanted[0]} {blob}\t".encode() + os.fsencode(path) + b"\0"
