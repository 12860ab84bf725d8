"""The far-away remote of the end-to-end tests is what it says."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from support.network import line_to
from support.remote_server import RemoteServer
from support.repositories import make_repository

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.docker, pytest.mark.slow]


def test_dvc_pushes_and_pulls_over_ssh_and_the_line_counts(remote_server: RemoteServer, tmp_path: Path) -> None:
    bench = make_repository(tmp_path / "r", {})
    bench.write({"a": "x" * 200_000})
    bench.command("dvc", "remote", "add", "-q", "-d", "origin", remote_server.url("counted"))
    bench.command("dvc", "add", "-q", "a")
    with line_to(remote_server.port, delay_s=0.02) as line:
        (bench.root / ".dvc/config.local").write_text(
            remote_server.dvc_config(url=remote_server.url("counted", line.port))
        )
        started = time.monotonic()
        bench.command("dvc", "push", "-q")
        assert time.monotonic() - started > 10 * 2 * line.delay_s
        assert 200_000 < line.up < 260_000
        assert len(list((remote_server.folder / "counted").rglob("*/*/*/*"))) == 1
        bench.command("rm", "-rf", "a", ".dvc/cache")
        bench.command("dvc", "pull", "-q")
        assert 200_000 < line.down < 260_000
    assert bench.read("a") == "x" * 200_000


def test_a_line_that_is_cut_or_refuses_is_an_error_for_dvc(remote_server: RemoteServer, tmp_path: Path) -> None:
    bench = make_repository(tmp_path / "r", {})
    bench.write({"a": "a"})
    bench.command("dvc", "remote", "add", "-q", "-d", "origin", remote_server.url("cut"))
    bench.command("dvc", "add", "-q", "a")
    with line_to(remote_server.port) as line:
        line.refuse = True
        (bench.root / ".dvc/config.local").write_text(remote_server.dvc_config(url=remote_server.url("cut", line.port)))
        assert bench.command("dvc", "push", check=False).returncode
        line.refuse = False
        assert bench.command("dvc", "push", check=False).returncode == 0
