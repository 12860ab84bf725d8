"""`dvc_border/run_cache.py`: the same files under the same names as DVC writes."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from support.plain_repository import make_repository, reproduce
from swath.dvc_border.cache import Cache
from swath.dvc_border.content import Hasher
from swath.dvc_border.repository import Repository
from swath.dvc_border.run_cache import RunCache
from swath.execute.save import save_outputs
from swath.local.project import read_project
from swath.plan.decide import inputs_entry

KEY: Final = "ab" + "0" * 62
STAGES: Final[dict[str, dict[str, Any]]] = {
    "plain": {"cmd": "cp in.txt plain", "deps": ["in.txt"], "outs": ["plain"]},
    "folder": {"cmd": "mkdir out && cp in.txt out/ü", "deps": ["in.txt", "code"], "outs": ["out"]},
    "params": {
        "cmd": ["echo '{\"a\": 1}' > m.json  # é", "cp in.txt other"],
        "deps": ["in.txt"],
        "params": ["lr", {"more.json": ["depth"]}],
        "outs": ["other"],
        "metrics": [{"m.json": {"cache": False}}],
    },
    "wdir": {"cmd": "cp ../in.txt w", "wdir": "code", "params": [{"../params.yaml": []}], "outs": ["w"]},
    "executable": {"cmd": "cp run.sh x && chmod +x x", "deps": ["run.sh"], "outs": [{"x": {"persist": False}}]},
}
FILES: Final[dict[str, str | bytes]] = {
    "in.txt": "one",
    "code/a.py": "1",
    "code/b/c.py": "2",
    "params.yaml": "lr: 1.0e-05\ndeep: {on: true, list: [1, a]}\n",
    "more.json": '{"depth": 2}',
    "run.sh": "true\n",
    "dvc.yaml": yaml.safe_dump({"stages": STAGES}, sort_keys=False),
}


def runs(root: Path) -> dict[str, str]:
    """All files of the run cache with their text."""
    folder = root / ".dvc/cache/runs"
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, str], dict[str, str]]:
    """The run cache that `dvc repro` leaves, and ours for the same stages and files."""
    root = tmp_path_factory.mktemp("run-cache")
    make_repository(root, FILES)
    (root / "run.sh").chmod(0o755)
    reproduce(root)
    theirs = runs(root)
    shutil.rmtree(root / ".dvc/cache/runs")
    (root / "dvc.lock").unlink()
    project = read_project(Repository(root))
    workspace = project.workspace()
    for stage in project.graph.stages.values():
        save_outputs(workspace, stage, inputs_entry(stage, workspace))
    return theirs, runs(root)


def test_the_files_names_are_dvcs(both: tuple[dict[str, str], dict[str, str]]) -> None:
    theirs, ours = both
    assert sorted(ours) == sorted(theirs)
    assert len(ours) == len(STAGES)


def test_the_files_text_is_dvcs(both: tuple[dict[str, str], dict[str, str]]) -> None:
    theirs, ours = both
    assert ours == theirs


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    cache = run_cache(tmp_path)
    cache.save(KEY, "entry", {"cmd": "true"})
    assert cache.load(KEY) == {"cmd": "true"}


def test_the_newest_entry_wins(tmp_path: Path) -> None:
    cache = run_cache(tmp_path)
    for number, name in enumerate(["b", "c", "a"]):
        cache.save(KEY, name, {"cmd": name})
        os.utime(tmp_path / f".dvc/cache/runs/ab/{KEY}/{name}", (number, number))
    assert cache.load(KEY) == {"cmd": "a"}


def test_an_entry_is_written_once(tmp_path: Path) -> None:
    cache = run_cache(tmp_path)
    cache.save(KEY, "entry", {"cmd": "first"})
    cache.save(KEY, "entry", {"cmd": "second"})
    assert cache.load(KEY) == {"cmd": "first"}


@pytest.mark.parametrize("text", ["", "cmd: [", "- cmd", "outs: []", "cmd: x\nouts: [{md5: e}]", "\0"])
def test_a_broken_entry_is_as_none(tmp_path: Path, text: str) -> None:
    cache = run_cache(tmp_path)
    cache.save(KEY, "entry", {"cmd": "true"})
    (tmp_path / f".dvc/cache/runs/ab/{KEY}/entry").write_text(text)
    assert cache.load(KEY) is None


def test_an_entry_that_is_being_written_does_not_count(tmp_path: Path) -> None:
    cache = run_cache(tmp_path)
    cache.save(KEY, "entry", {"cmd": "true"})
    (tmp_path / f".dvc/cache/runs/ab/{KEY}/entry.123.tmp").write_text("cmd: half")
    assert cache.load(KEY) == {"cmd": "true"}


def test_an_unknown_key_has_no_entry(tmp_path: Path) -> None:
    assert run_cache(tmp_path).load(KEY) is None


def run_cache(root: Path) -> RunCache:
    repository = make_repository(root, {})
    return RunCache(Cache(repository, Hasher(repository)))
