"""Set parameters in their files, as `dvc exp run -S` does: comments and order stay."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Final

from swath.dvc_border.refused_settings import refuse_hydra
from swath.dvc_border.translate import translated
from swath.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from swath.dvc_border.repository import Repository

PARAMS_FILE: Final = "params.yaml"


def apply_overrides(repository: Repository, overrides: Sequence[str]) -> list[str]:
    """Set parameters.

    Args:
        overrides: ``key=value`` for params.yaml, ``file:key=value`` for others; values in Hydra's grammar.

    Returns:
        The files that changed, from the root.

    Raises:
        UserError: an override is malformed, its key is unknown, or the file does not exist.
    """
    with contextlib.ExitStack() as undo:
        changed = _apply_all(repository, overrides, undo)
        undo.pop_all()
    return changed


@contextlib.contextmanager
def overridden(repository: Repository, overrides: Sequence[str]) -> Iterator[list[str]]:
    """As `apply_overrides`, within the block alone: then the files are as they were, their times too.

    Raises:
        UserError: as there.
    """
    with contextlib.ExitStack() as undo:
        yield _apply_all(repository, overrides, undo)


def _apply_all(repository: Repository, overrides: Sequence[str], undo: contextlib.ExitStack) -> list[str]:
    refuse_hydra(repository)
    by_file: dict[str, list[str]] = {}
    for override in overrides:
        file, assignment = _split(override)
        by_file.setdefault(file, []).append(assignment)
    before: dict[Path, bytes] = {}
    for file, assignments in by_file.items():
        path = _params_file(repository, file)
        before[path] = path.read_bytes()
        undo.callback(_put_back, path, before[path], path.stat().st_mtime_ns)
        _apply(path, file, assignments)
    return [file for file in by_file if (repository.root / file).read_bytes() != before[repository.root / file]]


def _params_file(repository: Repository, file: str) -> Path:
    path = repository.root / file
    if not path.is_file():
        raise UserError(f"-S: there is no parameter file {file}", hint="name it as -S FILE:KEY=VALUE")
    return path


def _apply(path: Path, file: str, assignments: list[str]) -> None:
    from dvc.exceptions import DvcException
    from dvc.utils.hydra import apply_overrides as apply_to_file
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException
    from ruamel.yaml.error import YAMLError

    with translated(hint="write it as -S KEY=VALUE or -S FILE:KEY=VALUE, with a key that the file has"):
        try:
            apply_to_file(path, assignments)
        except (HydraException, OmegaConfBaseException) as error:
            raise UserError(f"-S {' '.join(assignments)}: {error}", hint="see the keys in " + file) from error
        except DvcException:  # one of them is a ValueError
            raise
        except (YAMLError, TypeError, ValueError) as error:  # of the libraries that write YAML, TOML and JSON
            message = f"-S {' '.join(assignments)}: {file} cannot hold this value: {error}"
            raise UserError(message, hint="set one value of text, a number, true, false, or lists of them") from error


def _put_back(path: Path, data: bytes, modified_ns: int) -> None:
    """Give a file the bytes and the time that it had; one that is the same is not touched."""
    if path.read_bytes() != data:
        path.write_bytes(data)
        os.utime(path, ns=(modified_ns, modified_ns))


def _split(override: str) -> tuple[str, str]:
    key, equals, _ = override.partition("=")
    if not equals and not override.startswith("~"):
        raise UserError(f"-S {override!r} has no value", hint="write it as -S KEY=VALUE or -S FILE:KEY=VALUE")
    file, colon, _ = key.rpartition(":")
    return (file, override[len(file) + 1 :]) if colon else (PARAMS_FILE, override)
