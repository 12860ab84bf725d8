"""DVC's local cache: are objects there, put outputs in, take outputs out.

Objects lie at ``<cache>/files/md5/<2 hex>/<30 hex>``, those of DVC 2 at ``<cache>/<2 hex>/<30 hex>``. An object is
copied to a temporary name and renamed, so a killed process leaves no half object. A workspace file is a reflink, copy,
hardlink or symlink of its object, as the repository is set up.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import shutil
import stat
import threading
import uuid
from shlex import quote
from typing import TYPE_CHECKING, Final

from swath.dvc_border.refused_settings import refuse_old_cache
from swath.errors import PassingFaultError, UserError
from swath.files.copying import copy_file
from swath.files.modes import process_umask
from swath.files.removal import remove
from swath.model.content import Content
from swath.schema.folder_listing import DamagedListingError, read_listing

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from swath.dvc_border.content import Hasher, Tree
    from swath.dvc_border.repository import Repository
    from swath.schema.folder_listing import FileHash

_log = logging.getLogger(__name__)
_PROTECTED: Final = 0o444
_OF_A_GROUP: Final = 0o2775  # DVC's mode for folders of a cache that a group shares
_NOT_SUPPORTED: Final = frozenset(
    {errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOTTY, errno.EINVAL, errno.EXDEV, errno.ENOSYS, errno.EPERM, errno.EMLINK}
)


class Cache:
    """The cache of one repository. Thread-safe."""

    def __init__(self, repository: Repository, hasher: Hasher) -> None:
        self._hasher = hasher
        self._folder = repository.cache_dir
        self._modern = os.path.join(repository.cache_dir, "files", "md5")
        self._staging = repository.tmp_dir / "checkout"
        self._types = repository.link_types
        refuse_old_cache(repository)
        self._shared = repository.config["cache"].get("shared") == "group"
        self._without_reflink = False
        self._made: set[str] = set()
        self._warned: set[str] = set()
        self._umask = process_umask()
        self._lock = threading.Lock()

    @property
    def folder(self) -> str:
        """The cache's folder, absolute."""
        return self._folder

    def path(self, content: Content) -> str:
        """Where the object of `content` lies, or would.

        Raises:
            UserError: its value is no object's name, and so could be any path.
        """
        if not content.is_object:
            message = f"{content.value!r} is not the MD5 of a file or folder"
            raise UserError(message, hint="restore the dvc.lock or .dvc file that names it from Git")
        return self._object(content.value, legacy=content.legacy)

    def _object(self, value: str, *, legacy: bool = False) -> str:
        base = self._folder if legacy else self._modern
        return f"{base}{os.sep}{value[:2]}{os.sep}{value[2:]}"

    def has(self, content: Content) -> bool:
        """Whether the object is there, and for a folder all its files' objects too; a damaged listing is not there."""
        if not content.is_object or not self._has_object(content.value, legacy=content.legacy):
            return False
        if not content.is_folder:
            return True
        files = self.sound_files(content)
        return files is not None and all(self._has_object(file.value, legacy=content.legacy) for file in files)

    def _has_object(self, value: str, *, legacy: bool) -> bool:
        path = self._object(value, legacy=legacy)
        try:
            info = os.stat(path)
        except OSError:
            return False
        if stat.S_IMODE(info.st_mode) == _PROTECTED or legacy:
            return True
        # Not write-protected (a file system without modes, a stray hand): believe the bytes only, as DVC does.
        return self._hasher.file_value(path, info) == value.removesuffix(".dir")

    def files(self, content: Content) -> tuple[FileHash, ...] | None:
        """The files of a folder; None when its object is missing.

        Raises:
            UserError: the object is damaged, or names files outside the folder.
        """
        path = self.path(content)
        try:
            with open(path, "rb") as file:
                data = file.read()
        except OSError:
            return None
        try:
            return read_listing(data)
        except DamagedListingError as error:
            message = f"the listing {content.value} in DVC's cache cannot be used: {error}"
            raise UserError(
                message, hint=f"remove this one file, then pull or run again: rm -f {quote(path)}"
            ) from error

    def sound_files(self, content: Content) -> tuple[FileHash, ...] | None:
        """As `files`, but a damaged listing counts as missing: whoever makes the folder again replaces it."""
        try:
            return self.files(content)
        except UserError as error:
            if content.value not in self._warned:
                self._warned.add(content.value)
                _log.warning("swath: %s", error)
            return None

    def put(self, path: str, content: Content, tree: Tree | None) -> None:
        """Put an output of the workspace into the cache, and leave it in the workspace in the repository's link type.

        Args:
            path: the output, absolute.
            content: its content, just hashed.
            tree: its files, when it is a folder.

        Raises:
            PassingFaultError: no space is left.
            UserError: the cache cannot be written.
        """
        kind = next((kind for kind in self._types if kind != "reflink" or not self._without_reflink), "copy")
        self._put(path, content, tree, kind)

    def store(self, path: str, content: Content, tree: Tree | None) -> None:
        """As `put`, but the workspace's files stay what they are."""
        self._put(path, content, tree, "copy")

    def _put(self, path: str, content: Content, tree: Tree | None, kind: str) -> None:
        with _translated(self._folder):
            if tree is None:
                self._put_file(path, content.value, kind)
                return
            for file in tree.files:
                self._put_file(f"{path}{os.sep}{file.relpath}", file.value, kind)
            if not self._has_object(content.value, legacy=False) or self.sound_files(content) is None:
                self._write(self._object(content.value), tree.as_bytes())

    def _put_file(self, path: str, value: str, kind: str) -> None:
        target = self._object(value)
        if not self._has_object(value, legacy=False):
            temporary = self._temporary(target)
            with _own(temporary):
                if kind in {"hardlink", "symlink"} and not os.path.islink(path):
                    self._link_or_copy(path, temporary)
                else:
                    self._copy(path, temporary)
                os.chmod(temporary, _PROTECTED)
                os.replace(temporary, target)
            info = os.stat(target)
            self._hasher.remember(target, value.removesuffix(".dir"), info)
        if kind in {"hardlink", "symlink"}:
            self._relink(path, target, kind)
        self._hasher.remember(path, value, os.stat(path))

    def _relink(self, path: str, target: str, kind: str) -> None:
        if kind == "symlink" and os.path.islink(path) and os.readlink(path) == target:
            return
        if kind == "hardlink" and os.path.samefile(path, target) and not os.path.islink(path):
            return
        temporary = f"{path}.{uuid.uuid4().hex}.tmp"
        with _own(temporary):
            self._place(target, temporary, (kind,))
            os.replace(temporary, path)

    def take(self, content: Content, path: str, *, copy: bool = False, stop: threading.Event | None = None) -> None:
        """Bring the object of `content` into the workspace at `path` (absolute), in place of what is there.

        Args:
            copy: never a link, whatever the repository's link type is: the file is Git's.
            stop: ends the copying when set; what was at `path` stays. Putting in is not stopped: it is finished work.

        Raises:
            InterruptedRunError: `stop` was set.
            UserError: the object is not in the cache, or the workspace cannot be written.
            PassingFaultError: no space is left.
        """
        with _translated(path):
            self._staging.mkdir(parents=True, exist_ok=True)
            staged = str(self._staging / uuid.uuid4().hex)
            try:
                types = ("reflink", "copy") if copy else self._types
                if content.is_folder:
                    self._take_folder(content, staged, types, stop)
                else:
                    self._place(self.path(content), staged, types, stop)
                    if content.isexec:
                        _make_executable(staged)
                remove(path)
                os.makedirs(os.path.dirname(path), exist_ok=True)
                _move(staged, path)
            finally:
                remove(staged)
            self._remember(content, path)

    def unprotect(self, path: str, stop: threading.Event | None = None) -> None:
        """Make `path` (absolute) files of its own, that may be written: no links into the cache.

        Args:
            stop: ends it when set; each file is whole, whether it is its own by then or not.

        Raises:
            InterruptedRunError: `stop` was set.
            PassingFaultError: no space is left.
            UserError: the workspace cannot be written.
        """
        if not os.path.lexists(path):
            return
        files = (
            [path] if not os.path.isdir(path) else [os.path.join(root, f) for root, _, fs in os.walk(path) for f in fs]
        )
        with _translated(path):
            for file in files:
                self._unprotect_file(file, stop)

    def _unprotect_file(self, file: str, stop: threading.Event | None) -> None:
        info = os.lstat(file)
        if stat.S_ISLNK(info.st_mode) and not os.path.exists(file):
            return  # to nothing, or in a circle: no link into the cache; who saves the output names it
        if stat.S_ISLNK(info.st_mode) or info.st_nlink > 1:
            temporary = f"{file}.{uuid.uuid4().hex}.tmp"
            with _own(temporary):
                copy_file(file, temporary, stop)
                os.replace(temporary, file)
        os.chmod(file, 0o666 & ~self._umask | (info.st_mode & stat.S_IXUSR if stat.S_ISREG(info.st_mode) else 0))

    def _take_folder(self, content: Content, staged: str, types: Sequence[str], stop: threading.Event | None) -> None:
        files = self.files(content)
        if files is None:
            raise UserError(f"the object {content.value} is not in the cache", hint="run the stage again, or: dvc pull")
        os.mkdir(staged)
        for file in files:
            target = f"{staged}{os.sep}{file.relpath}"
            os.makedirs(os.path.dirname(target), exist_ok=True)
            self._place(self._object(file.value, legacy=content.legacy), target, types, stop)

    def _remember(self, content: Content, path: str) -> None:
        self._hasher.forget(path)
        if content.legacy:
            return
        if content.is_folder:
            for file in self.files(content) or ():
                inner = f"{path}{os.sep}{file.relpath}"
                self._hasher.remember(inner, file.value, os.stat(inner))
        else:
            self._hasher.remember(path, content.value, os.stat(path))
        self._hasher.remember_link(path)

    def _place(self, source: str, target: str, types: Sequence[str], stop: threading.Event | None = None) -> None:
        """Bring an object out, by the first way that works here."""
        if not os.path.exists(source):
            raise UserError(f"the object {source} is not in the cache", hint="run the stage again, or: dvc pull")
        for kind in types:
            try:
                if kind == "hardlink":
                    os.link(source, target)
                elif kind == "symlink":
                    os.symlink(source, target)
                elif kind == "reflink":
                    if self._without_reflink or not self._reflink(source, target):
                        continue
                    os.chmod(target, 0o666 & ~self._umask)
                else:
                    copy_file(source, target, stop)
            except OSError as error:
                if error.errno not in _NOT_SUPPORTED:
                    raise
            else:
                return
        copy_file(source, target, stop)

    def _copy(self, source: str, target: str) -> None:
        if self._without_reflink or not self._reflink(source, target):
            copy_file(source, target)

    def _link_or_copy(self, source: str, target: str) -> None:
        """A hard link, unless other names have the file: it may be an input, which must stay as it is, and writable."""
        try:
            if os.lstat(source).st_nlink == 1:
                os.link(source, target)
                return
        except OSError:
            pass
        self._copy(source, target)

    def _reflink(self, source: str, target: str) -> bool:
        """Share the blocks of `source` (Btrfs, XFS); False when the file system cannot."""
        from dvc_objects.fs.system import reflink

        try:
            reflink(source, target)
        except (OSError, NotImplementedError):
            self._without_reflink = True
            with contextlib.suppress(OSError):
                os.unlink(target)
            return False
        return True

    def _write(self, target: str, data: bytes) -> None:
        temporary = self._temporary(target)
        with _own(temporary):
            with open(temporary, "wb") as file:
                file.write(data)
            os.chmod(temporary, _PROTECTED)
            os.replace(temporary, target)

    def _temporary(self, target: str) -> str:
        self.make_folder(os.path.dirname(target))
        return f"{target}.{uuid.uuid4().hex}.tmp"

    def make_folder(self, folder: str) -> bool:
        """Make a folder of the cache, with the modes of a shared cache where it is one.

        Returns:
            Whether it was made just now, and so is empty.
        """
        if folder in self._made:
            return False
        try:
            made = self._mkdir(folder)
        except FileNotFoundError:
            parent = os.path.dirname(folder)
            self._made.discard(parent)  # somebody took it away
            self.make_folder(parent)
            made = self._mkdir(folder)
        self._made.add(folder)
        return made

    def _mkdir(self, folder: str) -> bool:
        try:
            os.mkdir(folder)
        except FileExistsError:
            return False
        if self._shared:
            is_open = os.stat(os.path.dirname(folder)).st_mode & stat.S_IWOTH
            os.chmod(folder, _OF_A_GROUP | is_open)
        return True


def _make_executable(path: str) -> None:
    with contextlib.suppress(OSError):
        os.chmod(path, os.stat(path).st_mode | stat.S_IXUSR)


def _move(source: str, target: str) -> None:
    try:
        os.rename(source, target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        shutil.move(source, target, copy_function=_copy_with_mode)


def _copy_with_mode(source: str, target: str, *, follow_symlinks: bool = True) -> str:
    copy_file(source, target, follow=follow_symlinks)
    shutil.copystat(source, target)
    return target


@contextlib.contextmanager
def _own(temporary: str) -> Iterator[None]:
    """Leave no temporary file behind, whatever happens."""
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            os.unlink(temporary)


@contextlib.contextmanager
def _translated(what: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        where = error.filename or what
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise PassingFaultError(
                f"no space left on the device of {where}: free some, or move the cache (dvc cache dir)"
            ) from error
        raise UserError(f"{where}: {error.strerror or error}", hint="check that this user may write there") from error
