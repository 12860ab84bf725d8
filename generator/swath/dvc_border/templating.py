"""Resolve a dvc.yaml with DVC's own resolver: `vars`, `foreach`, `matrix`, `${…}`.

Group by group, so that one group that cannot be resolved yet (its `vars` file is an output that does not exist) does
not hide the others. DVC's `Repo` is not needed; its resolver asks for a file system and the parsing settings. It names
files from the working directory, which belongs to all threads; so it gets names from the repository's root, and a file
system that starts there.
"""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from dvc.exceptions import DvcException
from dvc.fs import LocalFileSystem
from dvc.parsing import DataResolver, ForeachDefinition, MatrixDefinition

from swath.errors import Place, UserError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from swath.dvc_border.repository import Repository
    from swath.model.stage import JSONValue

# What DVC's resolver lets through beside its own: values of other types than it knows, and what is nested too deeply.
_FAULTS: Final = (DvcException, ValueError, TypeError, KeyError, AttributeError, RecursionError)
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Templated:
    """A resolved workflow.

    Attributes:
        stages: key in the lock (``predict@a``) to the resolved definition, in DVC's order.
        groups: the same keys to the name in dvc.yaml that they come from.
        vars_files: files, from the repository's root, that templating read.
        unresolved: groups that could not be resolved, with DVC's message.
    """

    stages: Mapping[str, Mapping[str, JSONValue]]
    groups: Mapping[str, str]
    vars_files: tuple[str, ...]
    unresolved: Mapping[str, str] = field(default_factory=dict)


class _Host:
    """As much of DVC's `Repo` as its resolver uses."""

    def __init__(self, repository: Repository, empty: frozenset[str]) -> None:
        self.fs = _Files(str(repository.root), empty)
        self.config = repository.config


class _Files(LocalFileSystem):  # type: ignore[misc]  # fsspec has no types
    """The local file system as seen from a root, on which some missing files read as an empty mapping."""

    def __init__(self, root: str, empty: frozenset[str]) -> None:
        super().__init__()
        self._root, self._empty = root, empty

    def full(self, path: str) -> str:
        """The absolute path of a file that is named from the root."""
        return os.path.normpath(os.path.join(self._root, path))

    def exists(self, path: Any, **kwargs: Any) -> Any:
        """Whether the file is there, or stands for an empty one."""
        return self._stands_in(path) or super().exists(self.full(path), **kwargs)

    def isdir(self, path: Any) -> Any:
        """Whether it is a folder."""
        return super().isdir(self.full(path))

    def open(self, path: Any, mode: str = "r", **kwargs: Any) -> Any:
        """The file, or an empty one."""
        return super().open(os.devnull if self._stands_in(path) else self.full(path), mode=mode, **kwargs)

    def _stands_in(self, path: str) -> bool:
        full = self.full(path)
        return full in self._empty and not os.path.exists(full)


def resolve(
    repository: Repository, file: str, document: Mapping[str, JSONValue], *, empty: frozenset[str] = frozenset()
) -> Templated:
    """Resolve the stages of one dvc.yaml.

    Args:
        file: the dvc.yaml, from the repository's root.
        document: its content.
        empty: absolute paths of `vars` files that may be missing: they read as empty.

    Raises:
        UserError: a `vars` file is missing or broken, or `vars` themselves are.
    """
    host = _Host(repository, empty)
    try:
        resolver = DataResolver(host, os.path.dirname(file), dict(document))
    except _FAULTS as error:
        hint = "correct `vars`, or bring the file back (git checkout -- FILE)"
        raise UserError(_message(error), place=Place(file, key="vars"), hint=hint) from error
    except OSError as error:  # DVC looks whether the file is there, but not whether it may read it
        name = os.path.relpath(host.fs.full(error.filename or file), repository.root)
        hint = "check its permissions, and that it is a file"
        raise UserError(f"cannot be read: {error.strerror}", place=Place(name), hint=hint) from error
    stages: dict[str, Mapping[str, JSONValue]] = {}
    groups: dict[str, str] = {}
    unresolved: dict[str, str] = {}
    for group, definition in resolver.definitions.items():
        try:
            if isinstance(definition, ForeachDefinition | MatrixDefinition):
                resolved = definition.resolve_all() if definition.normalized_iterable else {}
            else:
                resolved = definition.resolve()
        except _FAULTS as error:
            unresolved[group] = _message(error)
            continue
        stages.update(resolved)
        groups.update(dict.fromkeys(resolved, group))
    root = str(repository.root)
    read = sorted({os.path.relpath(host.fs.full(path), root) for path in resolver.context.imports})
    return Templated(stages, groups, tuple(read), unresolved)


def _message(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "lists and mappings are nested too deeply"
    return " ".join(str(error).split())
