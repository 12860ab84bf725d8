"""The files of a DVC remote, through DVC's own file systems: read, write whole or not at all, list; patiently.

Paths are from the remote's root, with forward slashes. What libraries raise becomes ours here: a remote that is down or
stalls is a `PassingFaultError` after some tries, one that refuses us a `UserError`. Messages name the remote, never its
credentials.
"""

from __future__ import annotations

import contextlib
import logging
import os
import posixpath
import re
import sys
import threading
import uuid
from shlex import quote
from typing import TYPE_CHECKING, Any, Final, TypeVar

from fsspec.dircache import DirCache  # type: ignore[import-untyped]

from swath.dvc_border.patience import GivenUpError, Patience, Pulse, is_no_space, try_patiently
from swath.dvc_border.translate import translated
from swath.errors import PassingFaultError, SwathError, UserError
from swath.files.copying import copy_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from swath.dvc_border.repository import Repository

Item = TypeVar("Item")
Result = TypeVar("Result")
_log = logging.getLogger(__name__)
# Where a file that is being written can be read half; stores of objects show it when it is whole.
_HALF_FILES: Final = frozenset({"local", "ssh", "webdav", "webdavs", "hdfs", "webhdfs"})
_MOST_JOBS: Final = 32
_TEMPORARY: Final = "swath/tmp"
_SSH_PORT: Final = 22
_REFUSALS: Final = frozenset({
    "PermissionDenied", "AuthError", "NoCredentialsError", "PartialCredentialsError", "TokenRetrievalError",
    "ClientAuthenticationError", "HostKeyNotVerifiable", "KeyImportError", "KeyEncryptionError", "GDriveAuthError",
    "RemoteMissingDepsError",
})  # fmt: skip
_REFUSED: Final = (401, 403)
_USER_IN_URL: Final = re.compile(r"(?<=://)[^/\s]+@")
_NOT_SECRET: Final = frozenset({"url", "region", "endpointurl", "port", "user", "timeout", "jobs", "verify", "type"})


class RemoteFiles:
    """The files of one remote. Thread-safe.

    Args:
        name: of the remote; None: the default one.

    Raises:
        UserError: there is no such remote, or DVC lacks what it takes to reach it.
    """

    def __init__(self, repository: Repository, name: str | None = None, patience: Patience | None = None) -> None:
        self.name = name or str(repository.config["core"].get("remote") or "")
        if not self.name:
            message = "no DVC remote is specified"
            raise UserError(message, hint="set a default remote: dvc remote add -d NAME URL")
        self._config = repository.config
        self._when_refused = repository.when_refused
        self._patience = patience or Patience()
        self._lock = threading.Lock()
        self._fs: Any = None
        self._folders: set[str] = set()
        self._newest: dict[str, bytes | None] = {}  # what `write` wrote last; None: it was removed since
        with translated(hint=f"see: dvc remote list; correct the remote {self.name!r} in .dvc/config"):
            from dvc.fs import get_cloud_fs

            self._class, self._arguments, self._root = get_cloud_fs(self._config, name=self.name)
        self.protocol = str(self._class.protocol)
        if self.protocol == "ssh" and not _has_terminal():
            self._arguments = {**self._arguments, **_asks_nobody()}

    @property
    def jobs(self) -> int:
        """Transfers at a time."""
        return min(_MOST_JOBS, int(self._arguments.get("jobs") or self._class(**self._arguments).jobs))

    @property
    def _file_system(self) -> Any:
        with self._lock:
            if self._fs is None:
                self._fs = self._class(**self._arguments)
            return self._fs

    def _begin_again(self) -> None:
        """Forget connections: they may be dead."""
        with self._lock, contextlib.suppress(Exception):
            fs, self._fs = self._fs, None
            self._folders.clear()
            if fs is not None and self.protocol != "local":
                type(fs.fs).clear_instance_cache()

    def each(
        self,
        items: Sequence[Item],
        work: Callable[[Any, Item, Pulse], Result],
        what: str,
        stop: threading.Event | None = None,
        discard: Callable[[Result], None] = lambda _: None,
    ) -> list[Result]:
        """Do something with the file system for each item, in parallel.

        Args:
            work: gets DVC's file system, an item, and a callback that wants to hear of progress.
            what: for messages: ``read from``.
            discard: removes what a result that nobody takes has left here.

        Raises:
            PassingFaultError: the remote does not answer.
            UserError: it refuses.
        """
        if not items:
            return []
        return try_patiently(
            items,
            lambda item, pulse: work(_without_memory(self._file_system), item, pulse),
            jobs=self.jobs,
            patience=self._patience,
            is_lasting=_is_lasting,
            begin_again=self._begin_again,
            as_ours=lambda error: self._ours(error, what),
            waiting=lambda error, pause_s: self._say(error, what, pause_s),
            discard=discard,
            stop=stop,
        )

    def _say(self, error: Exception, what: str, pause_s: float) -> None:
        """Whoever follows a log should know why nothing moves."""
        _log.warning(
            "swath: the DVC remote %r cannot be %s: %s; it is tried again in %g s",
            self.name, what, self._reason(error), pause_s,
        )  # fmt: skip

    def _reason(self, error: Exception) -> str:
        return self._redacted(f"{type(error).__name__}: {error}" if str(error) else type(error).__name__)

    def _ours(self, error: Exception, what: str) -> SwathError:
        reason = self._reason(error)
        if is_no_space(error):
            return PassingFaultError(f"no space left on this machine: {reason}; free some, or move the cache")
        if isinstance(error, ImportError) or type(error).__name__ == "RemoteMissingDepsError":
            kind = self.protocol
            return UserError(
                f"DVC cannot reach the remote {self.name!r} ({kind}): {reason}", hint=f"install dvc[{kind}]"
            )
        if _is_lasting(error):
            return UserError(f"the DVC remote {self.name!r} refuses to be {what}: {reason}", hint=self._when_refused)
        return PassingFaultError(
            f"the DVC remote {self.name!r} cannot be {what}: {reason}; it was tried "
            f"{len(self._patience.pauses_s) + 1} times: see whether it is up, then try again"
        )

    def _redacted(self, text: str) -> str:
        text = _USER_IN_URL.sub("", text)
        for key, value in self._config.get("remote", {}).get(self.name.lower(), {}).items():
            if isinstance(value, str) and value and key not in _NOT_SECRET:
                text = text.replace(value, "[hidden]")
        return text

    def full(self, path: str) -> str:
        """A path as the file system takes it."""
        return posixpath.join(self._root, path) if self._root else path

    def read(self, path: str) -> bytes | None:
        """The bytes of a small file; None: there is none."""
        return self.read_all([path])[0]

    def read_all(self, paths: Sequence[str]) -> list[bytes | None]:
        """As `read`, several at once."""
        return self.each(paths, lambda fs, path, _: _read(fs, self.full(path)), "read")

    def write(self, path: str, data: bytes, stop: threading.Event | None = None) -> None:
        """Write a small file, whole or not at all; one that is there is replaced."""
        self._newest[path] = data
        self.each([path], lambda fs, path, pulse: self._write(fs, path, data, pulse), "written to", stop)

    def _write(self, fs: Any, path: str, data: bytes, pulse: Pulse) -> None:
        target = self.full(path)
        if self.protocol not in _HALF_FILES:
            fs.pipe_file(target, data)
            if pulse.given_up:
                self._put_right(fs, path, data)
            return
        temporary = self.full(posixpath.join(_TEMPORARY, uuid.uuid4().hex))
        self._make_folder(fs, posixpath.dirname(temporary))
        self._make_folder(fs, posixpath.dirname(target))
        fs.pipe_file(temporary, data)
        self._publish(fs, temporary, target, pulse)
        if pulse.given_up:
            self._put_right(fs, path, data)

    def _put_right(self, fs: Any, path: str, data: bytes) -> None:
        """After a write that came late: whatever was written or removed since then counts."""
        newest = self._newest[path]
        if newest is None:
            fs.rm_file(self.full(path))
        elif newest != data:
            self._write(fs, path, newest, Pulse())

    def get(self, pairs: Sequence[tuple[str, str]], stop: threading.Event | None = None) -> list[bool]:
        """Bring files to this machine, each whole or not at all.

        Args:
            pairs: path in the remote, and absolute path here, whose folder exists.

        Returns:
            For each whether it was there.
        """

        def one(fs: Any, pair: tuple[str, str], pulse: Pulse) -> str | None:
            temporary = f"{pair[1]}.{uuid.uuid4().hex}.tmp"
            try:
                if self._has_holes(self.full(pair[0])):
                    copy_file(self.full(pair[0]), temporary, _Beats(pulse))
                else:
                    fs.get_file(self.full(pair[0]), temporary, callback=pulse)
            except BaseException as error:
                _unlink(temporary)
                if isinstance(error, FileNotFoundError):
                    return None
                raise
            return temporary

        found = self.each(pairs, one, "read", stop, _unlink)
        for temporary, (_, target) in zip(found, pairs, strict=True):
            if temporary is not None:
                os.replace(temporary, target)
        return [temporary is not None for temporary in found]

    def put(self, pairs: Sequence[tuple[str, str]], stop: threading.Event | None = None) -> None:
        """Send files of this machine, each whole or not at all.

        Args:
            pairs: absolute path here, and path in the remote, which stands for this content alone.
        """

        def one(fs: Any, pair: tuple[str, str], pulse: Pulse) -> None:
            source, target = pair[0], self.full(pair[1])
            if self.protocol not in _HALF_FILES:
                fs.put_file(source, target, callback=pulse)
                return
            temporary = f"{target}.{uuid.uuid4().hex}.tmp"
            self._make_folder(fs, posixpath.dirname(target))
            if self._has_holes(source):
                copy_file(source, temporary, _Beats(pulse))
            else:
                fs.put_file(source, temporary, callback=pulse)
            self._publish(fs, temporary, target, pulse)

        self.each(pairs, one, "written to", stop)

    def _has_holes(self, path: str) -> bool:
        """Whether a copy on this machine must keep holes, which DVC's fills."""
        if self.protocol != "local":
            return False
        info = os.stat(path)
        return info.st_blocks * 512 < info.st_size

    def _publish(self, fs: Any, temporary: str, target: str, pulse: Pulse) -> None:
        """Give a file that is whole its name, unless nobody waits for it any more."""
        try:
            pulse.beat()
        except GivenUpError:
            fs.rm_file(temporary)
            raise
        self._move(fs, temporary, target)

    def _make_folder(self, fs: Any, folder: str) -> None:
        if folder in self._folders:
            return
        try:
            fs.makedirs(folder, exist_ok=True)
        except FileNotFoundError as error:  # DVC makes folders in the remote's own, and leaves that one to people
            if not self.protocol.startswith("webdav"):
                raise
            message = f"the DVC remote {self.name!r}: the server has no folder {self._redacted(self._arguments['url'])}"
            raise UserError(message, hint="make it there, or correct the url: dvc remote modify") from error
        self._folders.add(folder)

    def _move(self, fs: Any, source: str, target: str) -> None:
        if self.protocol == "local":
            os.replace(source, target)
        elif self.protocol.startswith("webdav"):
            fs.fs.client.move(source, target, overwrite=True)
        else:
            fs.move(source, target)

    def exist(self, paths: Sequence[str]) -> list[bool]:
        """Whether files are there."""
        return self.each(paths, lambda fs, path, _: bool(fs.exists(self.full(path))), "read")

    def remove(self, paths: Sequence[str], stop: threading.Event | None = None) -> None:
        """Remove files; those that are not there are no fault."""

        def one(fs: Any, path: str, _: Pulse) -> None:
            with contextlib.suppress(FileNotFoundError):
                fs.rm_file(self.full(path))

        self._newest.update(dict.fromkeys(self._newest.keys() & set(paths)))
        self.each(paths, one, "written to", stop)

    def names(self, folders: Sequence[str]) -> list[list[str]]:
        """The names of what lies directly in folders; none where there is no such folder."""

        def one(fs: Any, folder: str, _: Pulse) -> list[str]:
            try:
                found = fs.ls(self.full(folder), detail=False)
            except (FileNotFoundError, NotADirectoryError):
                return []
            return sorted({posixpath.basename(str(path).rstrip("/")) for path in found} - {""})

        return self.each(folders, one, "read")

    def files(self, folder: str) -> tuple[str, ...]:
        """All files below a folder, by path from the remote's root."""

        def one(fs: Any, folder: str, _: Pulse) -> list[str]:
            try:
                return list(fs.find(self.full(folder)))
            except (FileNotFoundError, NotADirectoryError):
                return []

        found = self.each([folder], one, "read")[0]
        start = self.full(folder).strip("/")
        paths = (str(path).strip("/") for path in found)
        inner = (path[len(start) + 1 :] for path in paths if path.startswith(f"{start}/"))
        return tuple(sorted(f"{folder.rstrip('/')}/{path}" for path in inner))

    def place(self, path: str) -> str:
        """Where a file lies, for people: a path or a URL, without credentials."""
        full = self.full(path)
        return full if self.protocol == "local" else self._redacted(str(self._file_system.unstrip_protocol(full)))

    def removal(self, path: str) -> str:
        """The command that removes one file; empty where there is no usual one."""
        place = self.place(path)
        if self.protocol == "local":
            return f"rm -f {quote(place)}"
        if self.protocol == "ssh":
            host, port = self._arguments.get("host", ""), self._arguments.get("port") or _SSH_PORT
            return f"ssh -p {port} {quote(str(host))} {quote(f'rm -f {quote(self.full(path))}')}"
        return f"aws s3 rm {quote(place)}" if self.protocol == "s3" else ""

    @property
    def is_flat(self) -> bool:
        """Whether it is a store of objects, where one long listing is cheaper than many short ones."""
        return self.protocol not in _HALF_FILES


def _without_memory(fs: Any) -> Any:
    """The file system, which asks each time: what it has listed once, others may have changed since."""
    cache = getattr(getattr(fs, "fs", None), "dircache", None)
    if isinstance(cache, DirCache):
        cache.use_listings_cache = False
    return fs


def _unlink(path: str | None) -> None:
    with contextlib.suppress(OSError):
        if path is not None:
            os.unlink(path)


class _Beats:
    """Lets a copy on this machine tell that it goes on."""

    def __init__(self, pulse: Pulse) -> None:
        self._pulse = pulse

    def is_set(self) -> bool:
        """Never; when nobody waits any more, the pulse raises."""
        self._pulse.beat()
        return False


def _has_terminal() -> bool:
    try:
        return sys.stdin.isatty()
    except (AttributeError, ValueError):  # closed, or none
        return False


def _asks_nobody() -> dict[str, Any]:
    """A client that fails where DVC's would ask for a password."""
    try:
        from asyncssh import SSHClient
    except ImportError:  # said when the remote is used
        return {}
    return {"client_factory": SSHClient}


def _read(fs: Any, path: str) -> bytes | None:
    try:
        with fs.open(path, "rb") as file:
            return bytes(file.read())
    except (FileNotFoundError, IsADirectoryError):
        return None


def _is_lasting(error: BaseException) -> bool:
    """Whether the remote refuses us, or this machine is at fault: waiting does not help."""
    return is_no_space(error) or any(_refuses(each) for each in _chain(error))


def _refuses(error: BaseException) -> bool:
    if isinstance(error, PermissionError | ImportError) or type(error).__name__ in _REFUSALS:
        return True
    response = getattr(error, "response", None)
    if isinstance(response, dict):  # botocore
        metadata = response.get("ResponseMetadata")
        return isinstance(metadata, dict) and metadata.get("HTTPStatusCode") in _REFUSED
    return getattr(response, "status_code", getattr(error, "status", None)) in _REFUSED


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    each: BaseException | None = error
    while each is not None and id(each) not in seen:
        seen.add(id(each))
        yield each
        each = each.__cause__ or each.__context__
