"""What a file or folder holds, as DVC names it: a hash and a little about its form. No I/O."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from swath.model.stage import JSONValue

_OBJECT: Final = re.compile(r"[0-9a-f]{32}(?:\.dir)?")


@dataclass(frozen=True, slots=True)
class Content:
    """The content of a file or folder.

    Attributes:
        value: MD5 in hex; a folder's ends in ``.dir``.
        size: bytes, of a folder all its files together.
        nfiles: number of files, of a folder; None for a file.
        isexec: whether the file may be executed.
        legacy: hashed as DVC 2 did (``md5-dos2unix``: line ends of text files made equal).
    """

    value: str
    size: int | None = None
    nfiles: int | None = None
    isexec: bool = False
    legacy: bool = False

    @property
    def is_object(self) -> bool:
        """Whether the value can be an object's name; locks and fragments are text, which may say ``../../etc``."""
        return _OBJECT.fullmatch(self.value) is not None

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder's."""
        return self.value.endswith(".dir")

    def same_as(self, other: Content | None) -> bool:
        """Whether both are the same bytes, hashed the same way; sizes and modes do not count."""
        return other is not None and self.value == other.value and self.legacy == other.legacy

    def lock_item(self, path: str) -> dict[str, JSONValue]:
        """How it stands in dvc.lock under `path`."""
        item: dict[str, JSONValue] = {"path": path}
        if not self.legacy:
            item["hash"] = "md5"
        item["md5"] = self.value
        if self.size is not None:
            item["size"] = self.size
        if self.nfiles is not None:
            item["nfiles"] = self.nfiles
        if self.isexec:
            item["isexec"] = True
        return item


def content_from_lock_item(item: Mapping[str, JSONValue]) -> Content | None:
    """The content that an item of dvc.lock names; None when it has no MD5 (data of a cloud)."""
    value, size, nfiles = item.get("md5"), item.get("size"), item.get("nfiles")
    if not isinstance(value, str):
        return None
    return Content(
        value=value,
        size=size if isinstance(size, int) else None,
        nfiles=nfiles if isinstance(nfiles, int) else None,
        isexec=bool(item.get("isexec")),
        legacy="hash" not in item,
    )
