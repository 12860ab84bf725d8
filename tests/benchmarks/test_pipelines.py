"""The benchmarks of CI: what they hold to be right and least is so, both projects are sound, and the programs run."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import pytest

from support.repositories import BIN, ENVIRON, make_repository

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


class Modules(NamedTuple):
    """The parts of the benchmark."""

    project: ModuleType
    sides: ModuleType
    pipelines: ModuleType


@pytest.fixture
def modules(monkeypatch: pytest.MonkeyPatch) -> Modules:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return Modules(
        *(importlib.import_module(name) for name in ("pipeline_project", "pipeline_sides", "pipelines")),
    )


def test_what_each_case_costs_at_least(modules: Modules, tmp_path: Path) -> None:
    truth = modules.project.Truth(tmp_path, 64)
    least = {case: truth.run(version) for case, version in modules.project.CASES}
    masks = tuple(f"mask@{part}" for part in modules.project.PARTS)
    assert {case: (len(each.stages), each.down, each.up) for case, each in least.items()} == {
        "first push": (10, 4 * 64, 4 * 32 + 4 * 16 + 32 + 16),
        "README": (0, 0, 0),
        "code of `mask`": (6, 4 * 32, 4 * 16 + 32 + 16),
        "a parameter": (2, 4 * 16 + 32, 32 + 16),
        "set back": (0, 0, 0),
        "a library in an image": (2, 4 * 16 + 32, 32 + 16),
    }
    assert least["code of `mask`"].stages == (*masks, "train", "evaluate")


@pytest.mark.slow
def test_dvc_repro_by_hand_gives_what_is_held_to_be_right(modules: Modules, tmp_path: Path) -> None:
    version = modules.project.Version()
    truth = modules.project.Truth(tmp_path / "truth", 64)
    truth.run(version)
    bench = make_repository(tmp_path / "work", {})
    modules.project.write_scenes(bench.root, 64)
    modules.sides.write_side(bench, "recipe", version, 0)
    bench.add_remote("origin", str(tmp_path / "remote"))
    bench.command("dvc", "add", "-q", *(f"data/scenes/{part}.bin" for part in modules.project.PARTS))
    said = bench.command("dvc", "repro", PYTHONPATH=str(truth.folder / "library")).stdout
    assert sorted(name for name, _ in modules.pipelines._starts(said)) == sorted(
        stage.name for stage in modules.project.stages()
    )
    lock, metric = bench.read("dvc.lock"), bench.read(modules.project.METRIC)
    not_pushed = sorted(set(truth.digests) - {modules.project.METRIC})
    assert list(modules.project.wrong(lock, metric, tmp_path / "remote", truth)) == not_pushed
    bench.command("dvc", "push", "-q")
    assert modules.project.wrong(lock, metric, tmp_path / "remote", truth) == ()
    truth.run(modules.project.Version(library=2))  # DVC does not see what the image holds
    again = bench.command("dvc", "repro", PYTHONPATH=str(truth.folder / "library")).stdout
    assert (modules.pipelines._starts(again), bench.read("dvc.lock")) == ([], lock)
    model_and_map = ("data/map.bin", "data/model.bin", modules.project.METRIC)
    assert modules.project.wrong(lock, metric, tmp_path / "remote", truth) == model_and_map


def test_the_project_of_swath_is_sound(modules: Modules, tmp_path: Path) -> None:
    bench = make_repository(tmp_path, {})
    modules.sides.write_side(bench, "swath", modules.project.Version(), 0)
    for part in modules.project.PARTS:
        bench.write({f"data/scenes/{part}.bin": "scene"})
    bench.commit()
    linted = bench.swath("lint")
    assert linted.returncode == 0, linted.stdout + linted.stderr
    listed = json.loads(bench.swath("plan", "--json", check=True).stdout)
    assert len(listed["stages"]) == len(modules.project.stages())


def test_a_row_shows_medians_and_what_was_wrong(modules: Modules) -> None:
    least = modules.project.Least(("train", "evaluate"), 6_000_000, 6_000_000)
    runs = [
        modules.pipelines.Figures(
            "a parameter", "tuned", wall, 2, wait, 7_000_000, 6_100_000, 1_000_000, ["evaluate"], least, wrong
        )
        for wall, wait, wrong in ((10.0, 4.0, []), (30.0, None, ["data/model.bin"]), (20.0, 6.0, []))
    ]
    assert asdict(runs[0])["least"] == {"stages": ("train", "evaluate"), "down": 6_000_000, "up": 6_000_000}
    assert modules.pipelines.row("a parameter", "tuned", runs, 40.0) == (
        "| a parameter | tuned | 20.0 | 0.50 | 2 | 5.00 | 7.00 | 6.10 | 6.00, 6.00 | 1 | 2 | **no**: data/model.bin | 1 |"
    )


@pytest.mark.slow
def test_compile_py_runs(tmp_path: Path) -> None:
    figures = tmp_path / "figures.json"
    command = [sys.executable, "compile.py", "--stages", "10", "--runs", "1", "--figures", str(figures)]
    environ = {**ENVIRON, "PATH": f"{BIN}:{ENVIRON['PATH']}"}
    done = subprocess.run(command, cwd=BENCHMARKS, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (row,) = json.loads(figures.read_text())
    assert (row["stages"], done.stdout.count("\n")) == (11, 3)


@pytest.mark.parametrize("program", ["compile.py", "local.py", "lock.py", "pipelines.py"])
def test_programs_say_what_they_take(program: str) -> None:
    done = subprocess.run(
        [sys.executable, program, "--help"], cwd=BENCHMARKS, capture_output=True, text=True, check=False
    )
    assert (done.returncode, "--runs" in done.stdout) == (0, True), done.stderr
