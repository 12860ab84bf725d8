"""The staging folder: where a service in a container writes, and how its outputs come out of it.

    <root>/.dvc/tmp/swath/staging/<session>/     one runner process; it holds a lock on `lock` as long as it lives
        lock
        <number>/                                one attempt of one stage
            tree/                                the repository as the service sees it; outputs are written here
            tmp/  var-tmp/  run/  home/          the container's own

`stage_invocation` lays an attempt out, `Staging.problems` looks at what the service left behind, `Staging.publish`
renames the finished outputs into the workspace, and `discard` drops the rest. Until `publish` nothing appears in the
workspace, so a failed or killed service leaves nothing half-written there. No name in `tree` is ever followed when it
is a link: the service may have put it there. No Docker here; called by `execute/container.py`.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import itertools
import os
import secrets
import stat
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from swath.errors import UserError
from swath.execute.mounts import REPOSITORY, Layout, StagedOutput, layout_in
from swath.files.copying import copy_tree
from swath.files.left_behind import LeftBehindError, check_output, folder_of
from swath.files.removal import remove

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator

    from swath.model.invocation import Invocation

STAGING: Final = Path(".dvc/tmp/swath/staging")
_MAKING_S: Final = 60


@dataclass(frozen=True, slots=True)
class Staging:
    """One attempt's folder and what to mount of it."""

    folder: Path
    layout: Layout

    def problems(self) -> list[str]:
        """What is wrong with the outputs after a success: a sentence each, in the order of the arguments."""
        return [problem for output in self.layout.outputs if (problem := self._problem(output))]

    def _problem(self, output: StagedOutput) -> str:
        try:
            with self._folder_of(output) as folder:
                check_output(folder, output.staged.name, is_directory=output.is_directory)
        except FileNotFoundError:
            return f"it did not write its output {output.text}"
        except LeftBehindError as error:
            return f"its output {output.text} {error}"
        return ""

    def _folder_of(self, output: StagedOutput) -> contextlib.AbstractContextManager[int]:
        tree = self.folder / "tree"
        return folder_of(str(tree), output.staged.relative_to(tree).as_posix())

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

    def publish(self, stop: threading.Event | None = None) -> None:
        """Rename all outputs into the workspace; `problems` has found nothing.

        Args:
            stop: ends a copy to another file system when set.

        Raises:
            OSError: something cannot be removed or written.
            InterruptedRunError: `stop` was set.
        """
        for output in self.layout.outputs:
            output.final.parent.mkdir(parents=True, exist_ok=True)
            remove(output.final)
            with self._folder_of(output) as folder:
                _move(folder, output.staged.name, output.final, stop)


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
        discard(self.folder)
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
            discard(folder)


def stage_invocation(invocation: Invocation, folder: Path, stop: threading.Event | None = None) -> Staging:
    """Lay out the empty `folder` for one attempt.

    Stale outputs go from the workspace; those that the invocation keeps are copied, so that the service can go on with
    them and a failure leaves them as they were. Parents of outputs are made.

    Args:
        stop: ends the copying when set.

    Raises:
        UserError: as `layout_in` says, or an output that is kept holds what no service may leave behind.
        OSError: something cannot be removed or copied.
        InterruptedRunError: `stop` was set.
    """
    layout = layout_in(folder, invocation)
    for output in layout.outputs:
        output.staged.parent.mkdir(parents=True, exist_ok=True)
        if not invocation.keep_outputs:
            remove(output.final)
        elif os.path.lexists(output.final):
            _copy_kept(output, stop)
        output.final.parent.mkdir(parents=True, exist_ok=True)
    (folder / "tree" / invocation.wdir).mkdir(parents=True, exist_ok=True)
    (folder / "tmp").chmod(0o1777)
    return Staging(folder=folder, layout=layout)


def _copy_kept(output: StagedOutput, stop: threading.Event | None) -> None:
    """Copy what an earlier run left to where the service goes on with it; links stay the links that they are."""
    with folder_of(str(output.final.parent), output.final.name) as folder:
        is_directory = stat.S_ISDIR(os.lstat(output.final.name, dir_fd=folder).st_mode)
        try:
            check_output(folder, output.final.name, is_directory=is_directory)
        except LeftBehindError as error:
            raise UserError(
                f"the output {output.text}, which the stage goes on from (persist), {error}",
                hint="remove the link, or the whole output to begin anew",
            ) from error
        copy_tree(output.final.name, str(output.staged), stop, dir_fd=folder)


def discard(folder: Path) -> None:
    """Remove a folder of ours with all that a service left in it, as far as it can be removed."""
    with contextlib.suppress(OSError):
        remove(folder)


def _files(folder: str, known: set[str]) -> Iterator[str]:
    """Paths of all but folders below `folder`, without what is `known` and what lies below that."""
    waiting = [(folder, True)]
    while waiting:
        path, is_folder = waiting.pop()
        if not is_folder:
            yield path
            continue
        with contextlib.suppress(OSError), os.scandir(path) as entries:  # closed to us, or too deep
            found = [(entry.path, entry.is_dir(follow_symlinks=False)) for entry in entries if entry.path not in known]
            waiting += sorted(found, reverse=True)


def _move(folder: int, name: str, target: Path, stop: threading.Event | None) -> None:
    """Rename; to another file system (a workspace's folder may be a link to another disk) copy beside, then rename."""
    try:
        os.rename(name, target, src_dir_fd=folder)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        part = target.with_name(f".swath-{secrets.token_hex(6)}")
        try:
            copy_tree(name, str(part), stop, dir_fd=folder)
            part.rename(target)
        finally:
            discard(part)
