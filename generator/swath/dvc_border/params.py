"""Read parameters as DVC does: YAML, JSON, TOML and Python files, dotted keys."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

from swath.errors import Place, UserError
from swath.schema import yaml12
from swath.schema.one_nan import with_one_nan

if TYPE_CHECKING:
    from collections.abc import Mapping

    from swath.model.stage import JSONValue, ParamsRead

_PATTERN: Final = frozenset("*?[")  # dpath takes a key with one of these as a pattern, even where that is a key's name


class ParamsReader:
    """Reads each parameter file once."""

    def __init__(self, root: str) -> None:
        self._root = root
        self._files: dict[str, tuple[tuple[int, float, int], JSONValue]] = {}

    def values(self, read: ParamsRead) -> dict[str, JSONValue] | None:
        """The parameters that a stage reads from one file; keys that are not there are left out.

        Returns:
            In the order of the keys; the whole file's top level when there are none. None: the file does not exist.

        Raises:
            UserError: the file is no parameter file.
        """
        content = self._content(read.path)
        if content is None:
            return None
        if not isinstance(content, dict):
            if read.keys:
                raise UserError(
                    "expected a mapping", place=Place(read.path), hint="a parameter file has keys at its top level"
                )
            return {}
        if not read.keys:
            return dict(content)
        found = {key: _lookup(content, key) for key in read.keys}
        return {key: value[0] for key, value in found.items() if value}

    def _content(self, path: str) -> JSONValue:
        full = os.path.join(self._root, path)
        try:
            info = os.stat(full)
        except (FileNotFoundError, NotADirectoryError):
            return None
        mark = (info.st_ino, info.st_mtime, info.st_size)
        known = self._files.get(path)
        if known and known[0] == mark:
            return known[1]
        content = load_params_file(full, path)
        self._files[path] = (mark, content)
        return content


def load_params_file(full: str, name: str) -> JSONValue:
    """The content of a parameter file, by its suffix.

    Raises:
        UserError: it cannot be read or parsed; with `name`.
    """
    suffix = os.path.splitext(full)[1].lower()
    if suffix in {".json", ".toml", ".py"}:
        from dvc.fs import localfs
        from dvc.utils.serialize import ParseError, load_path

        try:
            value: JSONValue = with_one_nan(load_path(full, localfs))
        except RecursionError as error:
            raise yaml12.too_deep(Place(name)) from error
        except (ParseError, OSError, ValueError, TypeError, SyntaxError, MemoryError) as error:  # the last: ast's own
            message = str(error)
            if isinstance(error, ParseError):  # it names the file from the working directory
                _, _, message = message.partition("', ")
                message = f"{message}: {error.__cause__}"
            raise UserError(f"cannot be read: {message}", place=Place(name), hint="correct the file") from error
        yaml12.check_nesting(value, Place(name))
        return value
    try:
        with open(full, encoding="utf-8") as file:
            return yaml12.parse(file.read(), name)
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot be read: {error}", place=Place(name), hint="correct the file") from error


def _lookup(content: Mapping[str, JSONValue], key: str) -> tuple[JSONValue] | None:
    """The value at a dotted key, in a tuple; None when there is none.

    DVC looks up with dpath (a list's items by their number, globs); the usual keys need no library.
    """
    if not _PATTERN.isdisjoint(key):
        return _lookup_with_dpath(content, key)
    node: JSONValue = content
    for part in key.split("."):
        if isinstance(node, dict) and part in node:
            node = node[part]
        else:
            return _lookup_with_dpath(content, key)
    return (node,)


def _lookup_with_dpath(content: Mapping[str, JSONValue], key: str) -> tuple[JSONValue] | None:
    import dpath

    try:
        value: Any = dpath.get(dict(content), key, separator=".")
    except (KeyError, ValueError):
        return None
    return (value,)


def merge_keys(items: list[JSONValue]) -> dict[str, tuple[str, ...]]:
    """The `params` of a stage as file to keys; no keys: the whole file.

    Source: DVC 3.67.1 `dependency/__init__.py: _merge_params`.
    """
    whole = {file for item in items if isinstance(item, dict) for file, keys in item.items() if not keys}
    merged: dict[str, list[str]] = {}
    for item in items:
        if isinstance(item, str):
            if "params.yaml" not in whole:
                merged.setdefault("params.yaml", []).append(item)
            continue
        for file, keys in item.items() if isinstance(item, dict) else ():
            merged.setdefault(file, [])
            if file not in whole and isinstance(keys, list):
                merged[file].extend(str(key) for key in keys)
    return {file: tuple(keys) for file, keys in merged.items()}
