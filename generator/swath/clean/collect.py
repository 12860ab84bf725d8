"""Find and remove what nobody names, in a DVC remote or in a cache.

    references (Git, work tree) ─▶ + fragments, young entries ─▶ + files of folders ─▶ what is left goes

Others may push while this goes on. What is young stays, so whatever they bring is safe. What they only name again
(a result that a job restores from the run cache) is seen by a second look: entries of the run cache go first, so that
nothing more is restored from them; then comes a pause, in which jobs write down what they have restored; then all
references are read again, and objects go that nobody names even now. A folder's listing goes before its files, and
files of a listing that has come back meanwhile stay.
"""

from __future__ import annotations

import json
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from swath.clean.decide import Known, Stock
from swath.dvc_border.content import hash_bytes
from swath.dvc_border.remote_listing import stored_files
from swath.errors import UserError
from swath.schema import yaml12
from swath.schema.folder_listing import DamagedListingError, read_listing

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from swath.clean.references import References
    from swath.dvc_border.remote_files import RemoteFiles
    from swath.model.stage import JSONValue

PAUSE_S: Final = 60.0  # between the entries of the run cache and the objects: jobs write what they restore
SETTLE_S: Final = 10.0  # for jobs that have sent objects just before that was announced, to write their fragments


@dataclass(frozen=True, slots=True)
class Removed:
    """What goes, or went, from one place.

    Attributes:
        place: in words.
        absent: hashes of folders that are named, and whose listings are nowhere: their files are not known.
        kept: files of ours that stay.
        kept_bytes: how much that is.
    """

    place: str
    files: tuple[Known, ...]
    absent: tuple[str, ...]
    kept: int
    kept_bytes: int

    @property
    def freed_bytes(self) -> int:
        """How much all that is."""
        return sum(each.file.size for each in self.files)


@dataclass(frozen=True, slots=True)
class Collector:
    """Cleans one place.

    Attributes:
        files: of the place.
        named: reads what Git and the work tree name; called again for the second look.
        listing: a folder's listing from elsewhere, as bytes; None: it is not there.
        oldest: seconds since 1970; what has changed since then stays.
    """

    place: str
    files: RemoteFiles
    named: Callable[[], References]
    listing: Callable[[str], bytes | None]
    oldest: float

    def look(self) -> Removed:
        """Say what would go.

        Raises:
            UserError: it is not known what a lock or a listing names.
            PassingFaultError: a remote does not answer.
        """
        stock = Stock.of(stored_files(self.files), self.oldest)
        references = self.named().copy()
        self._add_fragments(stock, references)
        self._add_young_entries(stock, references)
        absent = self._add_folders(stock, references)
        unnamed = list(stock.unnamed(references))
        kept_entries = self._still_whole([each for each in unnamed if each.kind == "entry"], references)
        going = tuple(each for each in unnamed if each.file.path not in kept_entries)
        size = sum(each.file.size for each in stock.files) - sum(each.file.size for each in going)
        return Removed(self.place, going, tuple(sorted(absent)), len(stock.files) - len(going), size)

    def clean(
        self, pause: Callable[[float], object], announced: Callable[[], AbstractContextManager[None]] = nullcontext
    ) -> Removed:
        """Remove what nobody names.

        Args:
            pause: waits so many seconds.
            announced: within it, whoever sends objects knows that some are being removed.

        Returns:
            What was removed.
        """
        first = self.look()
        entries = [each for each in first.files if each.kind == "entry"]
        self._remove(entries)
        if not any(each.kind in {"listing", "object"} for each in first.files):
            return self._rest(first, entries, first)
        pause(PAUSE_S)
        with announced():
            pause(SETTLE_S)
            return self._rest(first, entries, self.look())

    def _rest(self, first: Removed, entries: list[Known], second: Removed) -> Removed:
        """Remove what both looks have found, but the entries, which are gone."""
        still = {each.file for each in second.files}
        going = [each for each in first.files if each.kind != "entry" and each.file in still]
        self._remove([each for each in going if each.kind == "listing"])
        objects = [each for each in going if each.kind == "object"]
        back = self._came_back([each for each in going if each.kind == "listing"]) if objects else set()
        objects = [each for each in objects if each.name not in back]
        self._remove(objects)
        others = [each for each in going if each.kind not in {"listing", "object"}]
        self._remove(sorted(others, key=lambda each: (not each.file.path.endswith(".json"), each.file.path)))
        listings = [each for each in going if each.kind == "listing"]
        return Removed(
            first.place, (*entries, *listings, *objects, *others), second.absent, second.kept, second.kept_bytes
        )

    def _remove(self, known: Sequence[Known]) -> None:
        self.files.remove([each.file.path for each in known])

    def _came_back(self, listings: Sequence[Known]) -> set[str]:
        """The files of listings that somebody has pushed again since they were removed."""
        there = self.files.exist([each.file.path for each in listings])
        back = [each.file.path for each, is_there in zip(listings, there, strict=True) if is_there]
        return {value for data in self.files.read_all(back) if data for value in _members(data) or ()}

    def _add_fragments(self, stock: Stock, references: References) -> None:
        """What pipelines have found that may not be recorded yet."""
        for data in self._read([each for each in stock.young("fragments") if each.file.path.endswith(".json")]):
            text = data.decode(errors="replace")
            references.add_text(text)
            try:
                references.add_document(json.loads(text))
            except (ValueError, RecursionError):  # being written, or damaged: what looks like a hash counts
                continue

    def _add_young_entries(self, stock: Stock, references: References) -> None:
        """An entry that stays for its age keeps its objects."""
        for data in self._read(stock.young("entry")):
            references.add_text(data.decode(errors="replace"))

    def _read(self, known: Sequence[Known]) -> list[bytes]:
        return [data for data in self.files.read_all([each.file.path for each in known]) if data is not None]

    def _add_folders(self, stock: Stock, references: References) -> set[str]:
        """Add the files of folders: of those that are named, and of those that somebody has just brought.

        Returns:
            Hashes of folders that are named, and whose listings are nowhere.

        Raises:
            UserError: a listing that is named is damaged.
        """
        named = references.folders
        young = {each.name for each in stock.young("listing")}
        paths = [(each.name, each.file.path) for each in stock.files if each.kind == "listing"]
        wanted = [(value, path) for value, path in paths if value in named or value in young]
        found: set[str] = set()
        for (value, path), data in zip(wanted, self.files.read_all([path for _, path in wanted]), strict=True):
            members = _sound_members(value, path, data)
            if members is None and value in named:
                members = self._elsewhere(value)
            if members is not None:
                references.values.update(members)
                found.add(value)
            elif value in named and data is not None:
                raise self._damaged(path)
        for value in named - found:
            members = self._elsewhere(value)
            if members is not None:
                references.values.update(members)
                found.add(value)
        return named - found

    def _elsewhere(self, value: str) -> set[str] | None:
        data = self.listing(value)
        return None if data is None else _members(data)

    def _damaged(self, path: str) -> UserError:
        command = self.files.removal(path)
        message = f"the listing {self.files.place(path)} is damaged, so it is not known which files it names"
        how = f" ({command})" if command else ""
        return UserError(message, hint=f"remove it there{how}, and push it again from a clone that has it: dvc push")

    def _still_whole(self, entries: Sequence[Known], references: References) -> set[str]:
        """Paths of entries that no lock names, of inputs that a lock names, all of whose objects stay."""
        asked = [each for each in entries if each.group in references.keys]
        texts = self.files.read_all([each.file.path for each in asked])
        return {
            each.file.path
            for each, data in zip(asked, texts, strict=True)
            if data is not None and _outs(data) and _outs(data) <= references.values
        }


def _sound_members(value: str, path: str, data: bytes | None) -> set[str] | None:
    """The files of a listing, if it is what its name says; DVC 2's names cannot be checked."""
    if data is None or (path.startswith("files/md5/") and f"{hash_bytes(data)}.dir" != value):
        return None
    return _members(data)


def _members(data: bytes) -> set[str] | None:
    try:
        return {file.value for file in read_listing(data)}
    except DamagedListingError:
        return None


def _outs(data: bytes) -> set[str]:
    """Hashes of the outputs of an entry."""
    try:
        entry: JSONValue = yaml12.parse(data.decode(errors="replace"), "an entry of the run cache")
    except UserError:
        return set()
    outs = entry.get("outs") if isinstance(entry, dict) else None
    return {str(item.get("md5")) for item in outs if isinstance(item, dict)} if isinstance(outs, list) else set()
