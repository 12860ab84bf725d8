from __future__ import annotations

from typing import TYPE_CHECKING

from support.service_repositories import make_repository, swath

if TYPE_CHECKING:
    from pathlib import Path


def test_exec_has_its_own_entry(tmp_path: Path) -> None:
    make_repository(tmp_path)
    assert swath(tmp_path, "exec", "--help").stdout.startswith("Usage: swath exec [--runtime ")


def test_all_else_is_clicks(tmp_path: Path) -> None:
    assert "Usage: swath " in swath(tmp_path, "--help").stdout
