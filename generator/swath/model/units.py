"""Quantities that users write with a unit: ``4GiB``, ``2h30m``; and how many of something there are.

Values are plain integers with the unit in their type's name; the text form is only for files and tables. Called by
`model/service.py` and `load/settings.py` while they read, by reports while they write.
"""

from __future__ import annotations

import re
from typing import Any, Final

_SIZE_FACTOR: Final = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40, "PiB": 2**50}
_SIZE: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGTP]iB|B)")
_DURATION_FACTOR: Final = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
_DURATION: Final = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")


def counted(number: int, noun: str) -> str:
    """``1 stage``, ``2 stages``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


class Size(int):
    """A number of bytes, written as ``4GiB``; binary units only."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Size:
        """The size that `text` says.

        Args:
            text: a number and one of B, KiB, MiB, GiB, TiB, PiB.

        Raises:
            ValueError: `text` is not a size, or has a decimal unit.
        """
        match = _SIZE.fullmatch(text.strip())
        if not match:
            raise ValueError(f"{text!r} is not a size: write a number and a binary unit, such as 512MiB or 4GiB")
        return cls(float(match[1]) * _SIZE_FACTOR[match[2]])

    def __str__(self) -> str:
        """The largest unit that leaves a number of at least 1, with at most one decimal."""
        for unit, factor in reversed(_SIZE_FACTOR.items()):
            if self >= factor:
                number = f"{int(self) / factor:.1f}".removesuffix(".0")
                return f"{number}{unit}"
        return "0B"


class Duration(int):
    """A number of seconds, written as ``2h30m``."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Duration:
        """The duration that `text` says.

        Args:
            text: numbers with d, h, m, s, in this order.

        Raises:
            ValueError: `text` is not a duration, or is zero.
        """
        match = _DURATION.fullmatch(text.strip())
        groups = match.groups() if match else ()
        seconds = sum(int(n) * factor for n, factor in zip(groups, _DURATION_FACTOR.values(), strict=False) if n)
        if not seconds:
            raise ValueError(f"{text!r} is not a duration: write it as 45s, 30m or 2h30m")
        return cls(seconds)

    def __str__(self) -> str:
        """``2h30m``; zero is ``0s``."""
        rest, parts = int(self), []
        for unit, factor in _DURATION_FACTOR.items():
            number, rest = divmod(rest, factor)
            if number:
                parts.append(f"{number}{unit}")
        return "".join(parts) or "0s"


def decode_quantity(kind: type, value: object) -> Size | Duration:
    """Read a quantity: msgspec's `dec_hook`.

    Raises:
        ValueError: the value is no text, or says no quantity.
        NotImplementedError: `kind` is no quantity.
    """
    if not (isinstance(kind, type) and issubclass(kind, Size | Duration)):
        raise NotImplementedError(kind)
    if not isinstance(value, str):
        example = "512MiB or 4GiB" if issubclass(kind, Size) else "45s, 30m or 2h30m"
        raise ValueError(f"{value} has no unit: write it as {example}")  # noqa: TRY004 - msgspec reports ValueError
    return kind.parse(value)


def quantity_schema(kind: type) -> dict[str, Any]:
    """The JSON Schema of a quantity: msgspec's `schema_hook`.

    Raises:
        NotImplementedError: `kind` is no quantity.
    """
    if kind is Size:
        return {"type": "string", "pattern": f"^{_SIZE.pattern}$", "examples": ["512MiB", "4GiB"]}
    if kind is Duration:
        return {"type": "string", "pattern": f"^{_DURATION.pattern}$", "minLength": 1, "examples": ["30m", "2h30m"]}
    raise NotImplementedError(kind)
