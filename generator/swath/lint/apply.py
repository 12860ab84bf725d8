"""Write what `lint/fix.py` worked out, and take it back if it broke the graph."""

from __future__ import annotations

from typing import TYPE_CHECKING

from swath.dvc_border.repository import Repository
from swath.lint.check import check_repository
from swath.lint.fix import DVCIGNORE, Fixed, mended
from swath.schema.atomic_file import write_atomically

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from swath.lint.problem import Problem

_LOADING = frozenset({"graph", "stage", "schema", "template", "workflow"})


def fix_repository(
    repository: Repository, problems: Sequence[Problem]
) -> tuple[tuple[Problem, ...], tuple[Fixed, ...]]:
    """Mend what can be mended.

    Returns:
        The problems that are left, and what was added. Nothing is added when the stages would form no graph then.
    """
    root = repository.root
    texts = {file: text for file in repository.workflow_files if (text := _text(root / file)) is not None}
    texts[DVCIGNORE] = _text(root / DVCIGNORE) or ""
    changed, fixed = mended(problems, texts)
    if not changed:
        return tuple(problems), ()
    before = {file: _text(root / file) for file in changed}
    for file, text in changed.items():
        write_atomically(root / file, text)
    left = check_repository(Repository(root))
    if _broken(left) <= _broken(problems):
        return left, fixed
    for file, old in before.items():
        if old is None:
            (root / file).unlink()
        else:
            write_atomically(root / file, old)
    return tuple(problems), ()


def _broken(problems: Sequence[Problem]) -> set[str]:
    return {problem.finding.message for problem in problems if problem.finding.rule in _LOADING}


def _text(path: Path) -> str | None:
    try:
        return path.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError):
        return None
