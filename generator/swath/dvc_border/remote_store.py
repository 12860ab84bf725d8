"""A DVC remote as jobs use it: objects by content, single entries of the run cache, small texts.

    <remote>/files/md5/<2 hex>/<30 hex>      objects; DVC 2's at <remote>/<2 hex>/<30 hex>
    <remote>/runs/<2 hex>/<key>/<entry>      the run cache
    <remote>/swath/...                       ours: fragments, scratch folders

All but the last is as DVC writes it (`dvc pull --run-cache` takes it), less two of its habits: entries are read and
written one by one, by key, and objects of outputs outside the cache are sent as well. A folder's listing is sent after
its files, so that who finds it finds them.

Source: DVC 3.67.1, `stage/cache.py: transfer`, `data_cloud.py`, read 2026-11-22.
"""

from __future__ import annotations

import contextlib
import os
import re
import threading
import uuid
from functools import cached_property
from typing import TYPE_CHECKING, Final

from swath.dvc_border.cache import Cache
from swath.dvc_border.cleaning import last_cleaning
from swath.dvc_border.content import Hasher, hash_file
from swath.dvc_border.remote_files import RemoteFiles
from swath.errors import UserError
from swath.model.content import Content
from swath.model.lock_entry import form_fault
from swath.schema import yaml12
from swath.schema.folder_listing import DamagedListingError, read_listing
from swath.schema.lock_text import render_run_cache_entry

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Sequence

    from swath.dvc_border.patience import Patience
    from swath.dvc_border.repository import Repository
    from swath.model.lock_entry import LockEntry

_KEY: Final = re.compile(r"[0-9a-f]{64}")
_PREFIX: Final = re.compile(r"[0-9a-f]{2}")
_WITHOUT_RUN_CACHE: Final = ("http", "https")


class MissingObjectsError(UserError):
    """A remote does not have some objects.

    Attributes:
        values: their hashes.
    """

    def __init__(self, message: str, values: frozenset[str], *, hint: str) -> None:
        super().__init__(message, hint=hint)
        self.values = values


class RemoteStore:
    """A remote, and the cache of this machine that objects come into and go out of. Thread-safe.

    Args:
        remote: its name; None: the default one.

    Raises:
        UserError: there is no such remote.
    """

    def __init__(self, repository: Repository, remote: str | None = None, patience: Patience | None = None) -> None:
        self.files = RemoteFiles(repository, remote, patience)
        self._cache = Cache(repository, Hasher(repository))
        self._listings: dict[str, tuple[str, ...]] = {}
        self._present: set[str] = set()
        self._cleaning = ""

    @property
    def name(self) -> str:
        """The remote's name."""
        return self.files.name

    def read_text(self, path: str) -> str | None:
        """A file's text; None: there is none.

        Raises:
            PassingFaultError: the remote does not answer.
        """
        data = self.files.read(path)
        return None if data is None else data.decode(errors="replace")

    def write_text(self, path: str, text: str) -> None:
        """Write a file, whole or not at all.

        Raises:
            PassingFaultError: the remote does not answer.
        """
        self.files.write(path, text.encode())

    def list_files(self, folder: str) -> tuple[str, ...]:
        """Paths of all files below a folder, sorted; none: there is no such folder."""
        return self.files.files(folder)

    def run_cache_keys(self) -> frozenset[str]:
        """All keys of the remote's run cache, listed once."""
        return self._keys

    @cached_property
    def _keys(self) -> frozenset[str]:
        if self.files.protocol in _WITHOUT_RUN_CACHE:
            return frozenset()
        if self.files.is_flat:
            names = (path.split("/")[-2] for path in self.files.files("runs") if path.count("/") == 3)
            return frozenset(name for name in names if _KEY.fullmatch(name))
        prefixes = [name for name in self.files.names(["runs"])[0] if _PREFIX.fullmatch(name)]
        found = self.files.names([f"runs/{prefix}" for prefix in prefixes])
        return frozenset(name for names in found for name in names if _KEY.fullmatch(name))

    def load_run_cache(self, key: str, prefer: Container[str] = ()) -> LockEntry | None:
        """The entry to take for a key; None: there is none, or all are broken.

        Args:
            prefer: names of entries that a lock names; without one of them the smallest name counts: so all jobs of a
                pipeline take the same, whatever the order in which entries came.
        """
        if self.files.protocol in _WITHOUT_RUN_CACHE:
            return None
        folder = f"runs/{key[:2]}/{key}"
        names = [name for name in self.files.names([folder])[0] if _KEY.fullmatch(name)]
        for name in sorted(names, key=lambda name: (name not in prefer, name)):
            entry = _entry(self.files.read(f"{folder}/{name}"), name)
            if entry is not None:
                return entry
        return None

    def save_run_cache(self, key: str, name: str, entry: LockEntry) -> bool:
        """Write an entry, unless it is there; whether the remote keeps entries at all."""
        if self.files.protocol in _WITHOUT_RUN_CACHE:
            return False
        path = f"runs/{key[:2]}/{key}/{name}"
        if not self.files.exist([path])[0]:
            self.files.write(path, render_run_cache_entry(entry).encode())
        return True

    def missing(self, contents: Iterable[Content]) -> set[str]:
        """Hashes of the contents that the remote lacks, wholly or in part.

        Raises:
            PassingFaultError: the remote does not answer.
        """
        asked = {content.value: content for content in contents}
        by_value = {value: content for value, content in asked.items() if content.is_object}
        listings = self._listings_of([content for content in by_value.values() if content.is_folder])
        parts = {
            value: [content, *(Content(file, legacy=content.legacy) for file in listings.get(value) or ())]
            for value, content in by_value.items()
            if not content.is_folder or listings.get(value) is not None
        }
        absent = {each.value for each in self._absent(part for all_ in parts.values() for part in all_)}
        return {value for value in asked if value not in parts or any(p.value in absent for p in parts[value])}

    def pull(self, contents: Iterable[Content], stop: threading.Event | None = None) -> int:
        """Bring objects into the cache, of folders all their files; what is there already stays.

        Args:
            stop: set it to give up.

        Returns:
            Bytes that came.

        Raises:
            UserError: the remote lacks one, or it is damaged there.
            PassingFaultError: the remote does not answer, or no space is left.
        """
        wanted = list({content.value: content for content in contents}.values())
        folders = [content for content in wanted if content.is_folder]
        files = [content for content in wanted if not content.is_folder]
        moved = self._get_listings(folders, stop)
        for folder in folders:
            inner = self._cache.files(folder)
            if inner is None:
                raise self._lacks([folder.value])  # somebody took it out of the cache just now
            files += [Content(file.value, legacy=folder.legacy) for file in inner]
        unique = {(content.value, content.legacy): content for content in files}.values()
        return moved + self._get([content for content in unique if not self._cache.has(content)], stop)

    def pull_listings(self, contents: Iterable[Content]) -> None:
        """Bring the listings of folders into the cache, without their files.

        Raises:
            UserError: the remote lacks one.
            PassingFaultError: the remote does not answer.
        """
        self._get_listings([content for content in contents if content.is_folder], None)

    def _get_listings(self, folders: Sequence[Content], stop: threading.Event | None) -> int:
        return self._get([folder for folder in folders if not os.path.exists(self._cache.path(folder))], stop)

    def push(self, contents: Iterable[Content]) -> int:
        """Send objects of the cache, of folders all their files; what is there already stays.

        Returns:
            Bytes that went.

        Raises:
            UserError: the cache lacks one, or the remote refuses.
            PassingFaultError: the remote does not answer.
        """
        wanted = list({content.value: content for content in contents}.values())
        folders = [content for content in wanted if content.is_folder]
        files = [content for content in wanted if not content.is_folder]
        for folder in folders:
            inner = self._cache.files(folder)
            if inner is None:
                raise UserError(f"the object {folder.value} is not in the cache", hint="run the stage again")
            files += [Content(file.value, legacy=folder.legacy) for file in inner]
        every = [*files, *folders]
        if not every:
            return 0
        self._see_cleaning()
        sent, moved = self._send(every)
        skipped = [each for each in every if each.value not in sent]
        while skipped and self._see_cleaning():
            moved += self._send(skipped)[1]
        return moved

    def _send(self, contents: Sequence[Content]) -> tuple[set[str], int]:
        """Send what the remote lacks, listings last; the hashes, and how many bytes that were."""
        absent = self._absent(contents)
        moved = self._put([each for each in absent if not each.is_folder])
        moved += self._put([each for each in absent if each.is_folder])
        return {each.value for each in absent}, moved

    def _see_cleaning(self) -> bool:
        """Whether the remote was cleaned since the last look; then what was seen in it counts no more."""
        cleaning = last_cleaning(self.files)
        has_been = cleaning != self._cleaning
        if has_been:
            self._present.clear()
            self._cleaning = cleaning
        return has_been

    def _put(self, contents: Sequence[Content]) -> int:
        pairs = [(self._cache.path(content), _object_path(content)) for content in contents]
        try:
            size = sum(os.stat(source).st_size for source, _ in pairs)
        except OSError as error:
            raise UserError(f"the object {error.filename} is not in the cache", hint="run the stage again") from error
        self.files.put(pairs)
        self._present.update(content.value for content in contents)
        return size

    def _get(self, contents: Sequence[Content], stop: threading.Event | None) -> int:
        targets = [self._cache.path(content) for content in contents]
        temporaries = [f"{target}.{uuid.uuid4().hex}.tmp" for target in targets]
        try:
            for folder in {os.path.dirname(target) for target in targets}:
                self._cache.make_folder(folder)
            pairs = list(zip(map(_object_path, contents), temporaries, strict=True))
            there = self.files.get(pairs, stop)
            lacking = [content.value for content, is_there in zip(contents, there, strict=True) if not is_there]
            if lacking:
                raise self._lacks(lacking)
            return sum(map(self._adopt, contents, temporaries, targets))
        finally:
            for temporary in temporaries:
                with contextlib.suppress(OSError):
                    os.unlink(temporary)

    def _adopt(self, content: Content, temporary: str, target: str) -> int:
        """Make a file that came an object of the cache, if it is what its name says."""
        size = os.stat(temporary).st_size
        if not content.legacy and hash_file(temporary) != content.value.removesuffix(".dir"):
            raise self._damaged(content)
        if content.is_folder:
            with open(temporary, "rb") as file:
                self._listing(content, file.read())
        os.chmod(temporary, 0o444)
        os.replace(temporary, target)
        return size

    def _damaged(self, content: Content) -> UserError:
        message = f"the object {content.value} is damaged in the DVC remote {self.name!r} ({self._place(content)})"
        return UserError(message, hint=self._how_to_replace(content))

    def _place(self, content: Content) -> str:
        return self.files.place(_object_path(content))

    def _how_to_replace(self, content: Content) -> str:
        command = self.files.removal(_object_path(content))
        how = f" ({command})" if command else ""
        return f"remove it there{how}, and push it again from a clone that has it: dvc push"

    def _listing(self, content: Content, data: bytes) -> tuple[str, ...]:
        """The hashes of a folder's files, from its object in the remote.

        Raises:
            UserError: it is damaged, or names files outside the folder.
        """
        try:
            return tuple(file.value for file in read_listing(data))
        except DamagedListingError as error:
            message = (
                f"the listing {content.value} in the DVC remote {self.name!r} ({self._place(content)}) cannot be used: "
                f"{error}"
            )
            raise UserError(message, hint=self._how_to_replace(content)) from error

    def _lacks(self, values: Sequence[str]) -> MissingObjectsError:
        names = ", ".join(values[:3]) + (f" and {len(values) - 3} more" if len(values) > 3 else "")
        hint = "push from a clone that has them (dvc push), or run the stages that make them again"
        return MissingObjectsError(f"the DVC remote {self.name!r} does not have {names}", frozenset(values), hint=hint)

    def _absent(self, contents: Iterable[Content]) -> list[Content]:
        """Those of some objects that the remote lacks, each once."""
        unique = {content.value: content for content in contents if content.value not in self._present}
        asked = list(unique.values())
        there = self.files.exist([_object_path(content) for content in asked])
        self._present.update(content.value for content, is_there in zip(asked, there, strict=True) if is_there)
        return [content for content, is_there in zip(asked, there, strict=True) if not is_there]

    def _listings_of(self, folders: Sequence[Content]) -> dict[str, tuple[str, ...] | None]:
        """For each folder the hashes of its files: the cache's word, else the remote's; None: neither knows it."""
        found: dict[str, tuple[str, ...] | None] = {}
        for folder in folders:
            files = self._cache.sound_files(folder)
            known = tuple(file.value for file in files) if files is not None else self._listings.get(folder.value)
            found[folder.value] = known
        ask = [folder for folder in folders if found[folder.value] is None]
        for folder, data in zip(ask, self.files.read_all([_object_path(each) for each in ask]), strict=True):
            if data is not None:
                found[folder.value] = self._listings[folder.value] = self._listing(folder, data)
        return found


def _object_path(content: Content) -> str:
    base = "" if content.legacy else "files/md5/"
    return f"{base}{content.value[:2]}/{content.value[2:]}"


def _entry(data: bytes | None, name: str) -> LockEntry | None:
    try:
        entry = yaml12.parse((data or b"").decode(), name)
    except (UnicodeDecodeError, UserError):
        return None
    return dict(entry) if isinstance(entry, dict) and not form_fault(entry) else None
