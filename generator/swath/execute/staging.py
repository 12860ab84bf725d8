"""The staging folder: where a service in a container writes, and how its outputs come out of it.

    <root>/.dvc/tmp/swath/staging/<session>/     one runner process; it holds a lock on `lock` as long as it lives
        lock
        <number>/                                one attempt of one stage
            tree/                                the repository as the service sees it; outputs are written here
            tmp/  var-tmp/  run/  home/          the container's own

`stage_invocation` lays an attempt out, `Staging.publish` renames the finished outputs into the workspace, and
`Staging.discard` drops the rest. Until `publish` nothing appears in the workspace, so a failed or killed service leaves
nothing half-written there. No Docker here; called by `execute/container.py`.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import itertools
import os
import secrets
import shutil
import stat
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from swath.execute.mounts import REPOSITORY, Layout, StagedOutput, layout_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from swath.model.invocation import Invocation

STAGING: Final = Path(".dvc/tmp/swath/staging")
_MAKING_S: Final = 60


@dataclass(frozen=True, slots=True)
class Staging:
    """One attempt's folder and what to mount of it."""

    folder: Path
    layout: Layout

    def discard(self) -> None:
        """Remove the folder and all that is in it."""
        remove_tree(self.folder)

    def problems(self) -> list[str]:
        """What is wrong with the outputs after a success: a sentence each, in the order of the arguments."""
        return [problem for output in self.layout.outputs if (problem := _output_problem(output))]

    def strays(self, limit: int = 10) -> list[str]:
        """Files that the service wrote into the repository beside its outputs: they are dropped.

        Returns:
            At most `limit` paths from the repository's root.
        """
        tree = self.folder / "tree"
        known = {str(output.staged) for output in self.layout.outputs}
        mounted = (bind.target for bind in self.layout.binds if bind.target.startswith(f"{REPOSITORY}/"))
        known |= {str(tree) + target.removeprefix(REPOSITORY) for target in mounted}
        found = (Path(path).relative_to(tree).as_posix() for path in _files(str(tree), known))
        return list(itertools.islice(found, limit))

    def publish(self) -> None:
        """Rename all outputs into the workspace."""
        for output in self.layout.outputs:
            output.final.parent.mkdir(parents=True, exist_ok=True)
            remove_tree(output.final)
            _move(output.staged, output.final)


class Session:
    """The staging folder of one runner process in one repository.

    The process holds a lock on a file in it, and lets go of it however it ends; so `dead_sessions` tells the dead from
    the living, also those in other containers or of other users. Thread-safe.
    """

    def __init__(self, root: Path) -> None:
        self.identifier = secrets.token_hex(6)
        self.folder = root / STAGING / self.identifier
        self.folder.mkdir(parents=True)
        self._numbers = itertools.count(1)
        self._lock = os.open(self.folder / "new-lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o644)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        (self.folder / "new-lock").rename(self.folder / "lock")  # so nobody finds it free

    def new_folder(self) -> Path:
        """An empty folder for one attempt."""
        folder = self.folder / str(next(self._numbers))
        folder.mkdir()
        return folder

    def close(self) -> None:
        """Remove the session's folder and let go of the lock."""
        remove_tree(self.folder)
        os.close(self._lock)


def dead_sessions(root: Path) -> Iterator[tuple[str, Path]]:
    """Sessions of `root` whose process is gone: identifier and folder; the lock is held while the caller has each."""
    for folder in sorted((root / STAGING).glob("*")):
        try:
            lock = os.open(folder / "lock", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:  # being made, being removed, or not ours to see
            _drop_if_old(folder)
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield folder.name, folder
        except BlockingIOError:
            continue
        finally:
            os.close(lock)


def _drop_if_old(folder: Path) -> None:
    """Drop a session that was killed before it had its lock."""
    with contextlib.suppress(OSError):
        if time.time() - folder.stat().st_mtime > _MAKING_S:
            remove_tree(folder)


def stage_invocation(invocation: Invocation, folder: Path) -> Staging:
    """Lay out the empty `folder` for one attempt.

    Stale outputs go from the workspace; those that the invocation keeps are copied, so that the service can go on with
    them and a failure leaves them as they were. Parents of outputs are made.

    Raises:
        UserError: as `layout_in` says.
    """
    layout = layout_in(folder, invocation)
    for output in layout.outputs:
        output.staged.parent.mkdir(parents=True, exist_ok=True)
        if not invocation.keep_outputs:
            remove_tree(output.final)
        elif output.final.is_dir():
            shutil.copytree(output.final, output.staged)
        elif output.final.exists():
            shutil.copy2(output.final, output.staged)
        output.final.parent.mkdir(parents=True, exist_ok=True)
    (folder / "tree" / invocation.wdir).mkdir(parents=True, exist_ok=True)
    (folder / "tmp").chmod(0o1777)
    return Staging(folder=folder, layout=layout)


def remove_tree(path: Path) -> None:
    """Remove a file, link or folder, be it there or not, and be its folders write-protected or not."""

    def make_writable(function: Callable[..., object], failed: str, _error: object) -> None:
        with contextlib.suppress(OSError):
            Path(failed).parent.chmod(0o700)
            Path(failed).chmod(0o700)
            function(failed)

    if path.is_symlink() or path.is_file():
        path.unlink(missing_ok=True)
    elif path.exists():
        shutil.rmtree(path, onerror=make_writable)
        if path.exists():
            shutil.rmtree(path, ignore_errors=True)


def _output_problem(output: StagedOutput) -> str | None:
    try:
        mode = output.staged.lstat().st_mode
    except FileNotFoundError:
        return f"it did not write its output {output.text}"
    if stat.S_ISLNK(mode):
        return f"its output {output.text} is a symbolic link"
    if output.is_directory != stat.S_ISDIR(mode):
        return f"its output {output.text} is {'not ' if output.is_directory else ''}a directory"
    return None


def _files(folder: str, known: set[str]) -> Iterator[str]:
    """Paths of all but folders below `folder`, without what is `known` and what lies below that."""
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        if entry.path in known:
            continue
        if entry.is_dir(follow_symlinks=False):
            with contextlib.suppress(PermissionError):
                yield from _files(entry.path, known)
        else:
            yield entry.path


def _move(source: Path, target: Path) -> None:
    """Rename; to another file system (a workspace's folder may be a link to another disk) copy beside, then rename."""
    try:
        source.rename(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        part = target.with_name(f".swath-{secrets.token_hex(6)}")
        try:
            if source.is_dir():
                shutil.copytree(source, part, symlinks=True)
            else:
                shutil.copy2(source, part)
            part.rename(target)
        finally:
            remove_tree(part)
