"""`swath run` and `dvc repro` on two copies of one random repository: the same stages run, files and locks are equal.

SWATH_EXAMPLES=200 tries more repositories than the few of an ordinary run; the share of each of DVC's features is
printed.
"""

from __future__ import annotations

import os
import random
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support.random_workflows import Maker, World, edit
from support.repositories import Bench, make_repository

EXAMPLES = int(os.environ.get("SWATH_EXAMPLES", "4"))
STEPS = 3
features: Counter[str] = Counter()


@pytest.mark.slow
@pytest.mark.timeout(1800)
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=EXAMPLES <= 4,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(seed=st.integers(0, 2**32))
def test_a_run_does_what_dvc_repro_does(tmp_path: Path, seed: int) -> None:
    source = random.Random(seed)
    world = Maker(source).make()
    features.update(set(world.features))
    folder = tmp_path / str(seed)
    ours = _repository(folder / "ours", world)
    shutil.copytree(ours.root, folder / "theirs", symlinks=True)
    theirs = Bench(folder / "theirs")
    try:
        for step in range(STEPS):
            if step:
                change = source.random()
                edit(ours.root, world, random.Random(change))
                edit(theirs.root, world, random.Random(change))
            _same_step(ours, theirs, folder, step)
    finally:
        shutil.rmtree(folder)


def _same_step(ours: Bench, theirs: Bench, folder: Path, step: int) -> None:
    logs = [folder / f"{step}.ours", folder / f"{step}.theirs"]
    for log in logs:
        log.touch()
    us = ours.swath("run", "-q", "-j4", RAN=str(logs[0]))
    they = theirs.command("dvc", "repro", "-q", "--all-pipelines", check=False, RAN=str(logs[1]))
    assert bool(us.returncode) == bool(they.returncode), us.stderr + they.stderr
    if us.returncode:
        return
    assert sorted(logs[0].read_text().split()) == sorted(logs[1].read_text().split())
    assert files(ours.root) == files(theirs.root)
    assert locks(ours.root) == locks(theirs.root)
    assert ours.command("dvc", "status").stdout == theirs.command("dvc", "status").stdout


def _repository(root: Path, world: World) -> Bench:
    bench = make_repository(root, world.files)
    for path in world.tracked:
        bench.command("git", "rm", "-q", "--cached", path)
        bench.command("dvc", "add", "-q", path)
    bench.commit("tracked")
    return bench


def files(root: Path) -> dict[str, Any]:
    """All files with their bytes; of a .gitignore, whose lines have no order, its lines."""
    found: dict[str, Any] = {}
    for path in sorted(root.rglob("*")):
        inner = path.relative_to(root)
        if path.is_file() and inner.parts[0] not in {".git", ".dvc"} and path.name != "dvc.lock":
            found[str(inner)] = sorted(path.read_text().split()) if path.name == ".gitignore" else path.read_bytes()
    return found


def locks(root: Path) -> dict[str, Any]:
    """All locks, parsed, without the order of stages and the modes of deps."""
    found = {}
    for path in root.rglob("dvc.lock"):
        stages = yaml.safe_load(path.read_text())["stages"]
        for entry in stages.values():
            for dep in entry.get("deps", ()):
                dep.pop("isexec", None)
        found[str(path.relative_to(root))] = stages
    return found


@pytest.mark.slow
def test_the_share_of_each_feature_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """Not a test of Swath: it says what the test above has covered in this process."""
    if not features:
        pytest.skip("the comparison ran in another process")
    with capsys.disabled():
        print("\nfeatures of DVC in the compared repositories:")
        for name, number in features.most_common():
            print(f"  {name:30} {number}/{EXAMPLES}")
    assert features
