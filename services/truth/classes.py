"""What `--classes` says: which values of the source become which class.

`VALUE=CLASS` or `VALUE=CLASS:NAME`, joined by commas; `*` stands for all other values. A comma, an equals sign or a
colon in a value or a name is written percent-encoded (`%2C`, `%3D`, `%3A`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from urllib.parse import unquote

OTHERS = "*"
HIGHEST = 254  # 255 is "no ground truth" in the raster


@dataclass(frozen=True)
class Classes:
    """A table from values to classes, and the names of classes.

    Attributes:
        table: value of the source (text) → class; empty: the values are the classes.
        names: class → name.
    """

    table: dict[str, int] = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)

    def of(self, value: object) -> int | None:
        """The class of an attribute's value; None: it is not listed, or there is no value.

        Raises:
            ValueError: without a table, for a value that is no integer from 0 to 254.
        """
        text = value_text(value)
        if text is None:
            return None
        if self.table:
            return self.table.get(text, self.table.get(OTHERS))
        if not text.isascii() or not text.isdigit() or int(text) > HIGHEST:
            raise ValueError(f"{text!r} is no class from 0 to {HIGHEST}")
        return int(text)

    def name(self, index: int) -> str:
        """The class's name, or its number."""
        return self.names.get(index, str(index))


def value_text(value: object) -> str | None:
    """An attribute's value as it is written in `--classes`: whole numbers without a point; None: there is none."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()


def parse_classes(text: str) -> Classes:
    """Read `--classes`; `none` is the empty table.

    Raises:
        SystemExit: an entry is not of the form, a value stands twice, or a class has two names.
    """
    if text in {"", "none"}:
        return Classes()
    table: dict[str, int] = {}
    names: dict[int, str] = {}
    for entry in text.split(","):
        value, equals, target = entry.partition("=")
        number, colon, name = target.partition(":")
        value, number, name = unquote(value).strip(), number.strip(), unquote(name).strip()
        if not (equals and value and number.isascii() and number.isdigit()) or (colon and not name):
            raise SystemExit(f"--classes: {entry!r} is not VALUE=CLASS or VALUE=CLASS:NAME")
        index = int(number)
        if index > HIGHEST:
            raise SystemExit(f"--classes: {entry!r}: classes go from 0 to {HIGHEST}")
        if value in table:
            raise SystemExit(f"--classes: the value {value!r} stands twice")
        if name and names.setdefault(index, name) != name:
            raise SystemExit(f"--classes: class {index} has two names, {names[index]!r} and {name!r}")
        table[value] = index
    return Classes(table, names)
