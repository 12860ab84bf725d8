"""Which files of a remote or cache are named by nobody: pure.

    files/md5/<2>/<30>, <2>/<30>        objects, as DVC 3 and as DVC 2 have them
    runs/<2>/<key>/<name>               entries of the run cache
    swath/<pipeline>/...                fragments of a pipeline
    swath/scratch/<key>/...             checkpoints of work that has not succeeded yet
    swath/tmp/..., <object>.<x>.tmp     what is being written

All else is not ours, and is never touched. Whatever is young stays: a pipeline that runs may name it soon.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from swath.clean.references import References
    from swath.dvc_border.remote_listing import StoredFile

Kind = Literal["entry", "listing", "object", "fragments", "scratch", "temporary"]
# In this order they are removed: who names something goes before it, so nothing that is found leads to what is gone.
KINDS: Final[tuple[Kind, ...]] = ("entry", "listing", "object", "fragments", "scratch", "temporary")
_OBJECT: Final = re.compile(r"(?:files/md5/)?([0-9a-f]{2})/([0-9a-f]{30}(?:\.dir)?)")
_ENTRY: Final = re.compile(r"runs/[0-9a-f]{2}/([0-9a-f]{64})/([0-9a-f]{64})")
_HALF: Final = re.compile(rf"(?:{_OBJECT.pattern}|{_ENTRY.pattern})\.[^/]+\.tmp")
_TEMPORARY: Final = re.compile(r"swath/tmp/.+")
_SCRATCH: Final = re.compile(r"swath/scratch/([^/]+)/.+")
_FRAGMENTS: Final = re.compile(r"swath/([^/]+)/.+")


class Known(NamedTuple):
    """A file whose meaning we know.

    Attributes:
        group: files that go or stay together: a pipeline, a key of scratch; else the file itself.
        name: an object's hash; an entry's name.
    """

    kind: Kind
    group: str
    name: str
    file: StoredFile


def known(file: StoredFile) -> Known | None:
    """What a file is; None: it is not ours."""
    path = file.path
    if match := _OBJECT.fullmatch(path):
        value = match[1] + match[2]
        return Known("listing" if value.endswith(".dir") else "object", path, value, file)
    if match := _ENTRY.fullmatch(path):
        return Known("entry", match[1], match[2], file)
    if _HALF.fullmatch(path) or _TEMPORARY.fullmatch(path):
        return Known("temporary", path, path, file)
    if match := _SCRATCH.fullmatch(path):
        return Known("scratch", match[1], path, file)
    if match := _FRAGMENTS.fullmatch(path):
        return Known("fragments", match[1], path, file)
    return None


@dataclass(frozen=True, slots=True)
class Stock:
    """The files of one place that we know, and since when a file counts as young.

    Attributes:
        oldest: seconds since 1970; what has changed since then is young.
    """

    files: tuple[Known, ...]
    oldest: float

    @classmethod
    def of(cls, files: Iterable[StoredFile], oldest: float) -> Stock:
        """Sort files by what they are."""
        return cls(tuple(each for file in files if (each := known(file))), oldest)

    def is_young(self, file: StoredFile) -> bool:
        """Whether a file stays for its age; one of unknown age does."""
        return file.changed is None or file.changed >= self.oldest

    def young(self, kind: Kind) -> list[Known]:
        """The files of a kind that stay for their age, or for that of one of their group."""
        ours = [each for each in self.files if each.kind == kind]
        if kind not in {"fragments", "scratch"}:
            return [each for each in ours if self.is_young(each.file)]
        groups = {each.group for each in ours if self.is_young(each.file)}
        return [each for each in ours if each.group in groups]

    def unnamed(self, references: References) -> Iterator[Known]:
        """The files that go."""
        stay = {each.file.path for kind in KINDS for each in self.young(kind)}
        for each in self.files:
            if each.file.path in stay:
                continue
            if each.kind in {"object", "listing"} and each.name in references.values:
                continue
            if each.kind == "entry" and each.name in references.entries:
                continue
            yield each
