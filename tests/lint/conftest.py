"""The fixture `told`: what lint says of a dvc.yaml beside the service `split`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.plain_repository import make_repository, with_split
from swath.lint.check import check_repository

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from support.lint_case import Tell


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tell:
    """What lint says of a dvc.yaml beside the service `split`: a line for each finding."""

    def tell(dvc_yaml: str, more: Mapping[str, str | bytes] | None = None) -> list[str]:
        repository = make_repository(tmp_path, with_split(dvc_yaml, {"in.tif": "x", **(more or {})}))
        monkeypatch.chdir(tmp_path)
        return [
            f"{problem.finding.severity[0].upper()} {problem.finding.rule} {problem.finding}"
            for problem in check_repository(repository)
        ]

    return tell
