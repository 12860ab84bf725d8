"""All findings come together."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from support.lint_case import Tell


def test_a_broken_stage_hides_no_other(told: Tell) -> None:
    text = "stages:\n  b: {cm: x}\n  a: {cmd: swath exec nope}\n"

    assert [line.split(": ", 1)[0] for line in told(text)] == [
        "E schema dvc.yaml:2",
        "E schema dvc.yaml:2",
        "E unknown-service dvc.yaml:3",
    ]
