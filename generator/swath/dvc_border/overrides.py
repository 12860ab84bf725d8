"""Set parameters in their files, as `dvc exp run -S` does: comments and order stay."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

from swath.dvc_border.translate import translated
from swath.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from swath.dvc_border.repository import Repository

PARAMS_FILE: Final = "params.yaml"


def apply_overrides(repository: Repository, overrides: Sequence[str], *, dry_run: bool = False) -> list[str]:
    """Set parameters.

    Args:
        overrides: ``key=value`` for params.yaml, ``file:key=value`` for others; values in Hydra's grammar.
        dry_run: only check.

    Returns:
        The files that changed, from the root.

    Raises:
        UserError: an override is malformed, its key is unknown, or the file does not exist.
    """
    by_file: dict[str, list[str]] = {}
    for override in overrides:
        file, assignment = _split(override)
        by_file.setdefault(file, []).append(assignment)
    before: dict[Path, bytes] = {}
    with contextlib.ExitStack() as undo:
        undo.callback(_put_back, before)
        for file, assignments in by_file.items():
            path = _params_file(repository, file)
            before[path] = path.read_bytes()
            _apply(path, file, assignments)
        changed = [file for file in by_file if (repository.root / file).read_bytes() != before[repository.root / file]]
        if not dry_run:
            undo.pop_all()
    return changed


def _params_file(repository: Repository, file: str) -> Path:
    path = repository.root / file
    if not path.is_file():
        raise UserError(f"-S: there is no parameter file {file}", hint="name it as -S FILE:KEY=VALUE")
    return path


def _apply(path: Path, file: str, assignments: list[str]) -> None:
    from dvc.utils.hydra import apply_overrides as apply_to_file
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    with translated(hint="write it as -S KEY=VALUE or -S FILE:KEY=VALUE, with a key that the file has"):
        try:
            apply_to_file(path, assignments)
        except (HydraException, OmegaConfBaseException) as error:
            raise UserError(f"-S {' '.join(assignments)}: {error}", hint="see the keys in " + file) from error


def _put_back(before: Mapping[Path, bytes]) -> None:
    """Give the files the bytes that they had; one that is the same is not touched."""
    for path, data in before.items():
        if path.read_bytes() != data:
            path.write_bytes(data)


def _split(override: str) -> tuple[str, str]:
    key, equals, _ = override.partition("=")
    if not equals and not override.startswith("~"):
        raise UserError(f"-S {override!r} has no value", hint="write it as -S KEY=VALUE or -S FILE:KEY=VALUE")
    file, colon, _ = key.rpartition(":")
    return (file, override[len(file) + 1 :]) if colon else (PARAMS_FILE, override)
