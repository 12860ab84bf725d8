"""Names of stages that DVC makes of `foreach` and `matrix`: it must find them again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from swath.lint.group import Group, Observation, observe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from swath.lint.problem import Problem
    from swath.model.stage import Stage


def check_keys(group: Group) -> Iterator[Problem]:
    """A warning for keys with an ``@``.

    DVC looks for such a stage under what stands before the last ``@``, and does not find it. Then no command of DVC's
    that reads the dvc.yaml works: status, pull, push, repro.
    Source: DVC 3.67.1, tried 2026-11-23 (`dvc.stage.loader: StageLoader.__getitem__`).
    """
    yield from observe(group, _at_signs)


def _at_signs(stage: Stage) -> Iterator[Observation]:
    key = stage.key.removeprefix(f"{stage.group}@")
    if stage.key != stage.group and "@" in key:
        message = f"DVC does not find the stage {stage.key!r} again: its key has an '@'"
        hint = "take other keys: `dvc status`, `dvc pull` and `dvc repro` fail in the whole repository"
        yield Observation("key", "", message, hint, severity="warning")
