"""Outputs that overlap: refused where DVC refuses them, a warning where it takes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest

from support.repositories import Bench, make_repository

if TYPE_CHECKING:
    from pathlib import Path

STAGE: Final = {"cmd": "mkdir -p o && cp in.txt o/one", "deps": ["in.txt"], "outs": ["o"]}
SHAPES: Final[dict[str, tuple[dict[str, Any], str]]] = {
    "twice": (
        {"a": STAGE, "b": {"cmd": "mkdir -p o && cp in.txt o/one", "outs": ["o"]}},
        "dvc.yaml:8: stages.b: the output o of stage b is also one of stage a\n  give each output one stage\n",
    ),
    "inside": (
        {"a": STAGE, "b": {"cmd": "mkdir -p o && cp in.txt o/two", "outs": ["o/two"]}},
        (
            "dvc.yaml:8: stages.b: the output o/two of stage b lies inside the output o of stage a\n"
            "  track one of them, or move one elsewhere\n"
        ),
    ),
}


@pytest.fixture(params=SHAPES)
def shape(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Bench, str]:
    """A committed repository and what is said of its overlap."""
    stages, said = SHAPES[request.param]
    bench = make_repository(tmp_path / "repo", {"in.txt": "one", "dvc.yaml": {"stages": stages}})
    bench.commit("files")
    return bench, said


def test_where_dvc_builds_no_graph_it_is_a_warning(shape: tuple[Bench, str]) -> None:
    bench, said = shape
    assert bench.command("dvc", "status").returncode == 0
    assert bench.command("dvc", "repro", "--single-item", "--dry", "a").returncode == 0

    for words in (["plan"], ["plan", "--rev", "HEAD"]):
        done = bench.swath(*words)
        assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "2 to run")
        assert done.stderr == f"swath: warning: {said}  `swath run` and `dvc repro` refuse this\n"
    assert bench.swath("run", "-n", "-s", "-q", "a").stdout == "1 to run\n"
    assert bench.swath("run", "-s", "a").returncode == 0
    assert bench.read("o/one") == "one"


def test_where_dvc_builds_its_graph_it_is_an_error(shape: tuple[Bench, str]) -> None:
    bench, said = shape
    assert bench.command("dvc", "repro", "--dry", check=False).returncode == 255

    for words in (["run"], ["run", "-n"], ["run", "a"], ["run", "--downstream", "a"], ["compile", "--no-registry"]):
        done = bench.swath(*words)
        assert (done.returncode, done.stderr, done.stdout) == (1, f"swath: {said}", "")
    done = bench.swath("lint")
    assert done.returncode == 1
    assert f"{said.splitlines()[0].split(': ', 2)[2]} [graph]" in done.stdout


def test_a_stage_is_verified_by_itself(shape: tuple[Bench, str]) -> None:
    bench, _ = shape
    bench.run("a", reach="alone")
    bench.commit("ran")

    done = bench.swath("verify", "a")

    assert (done.returncode, done.stdout) == (0, "1 same\n")
