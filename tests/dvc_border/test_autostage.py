"""`core.autostage` and DVC's other settings: what `dvc repro` does with them, `swath run` does, or it says that it does not."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from support.repositories import Bench, make_repository

if TYPE_CHECKING:
    from pathlib import Path

STAGES = {
    "a": {"cmd": "echo > o", "outs": ["o"]},
    "b": {"cmd": "mkdir -p d && cp o d/p", "deps": ["o"], "outs": ["d/p", {"m": {"cache": False}}]},
}
STAGES["b"]["cmd"] += " && echo > m"


def config(bench: Bench, *words: str) -> None:
    """`dvc config`, committed."""
    bench.command("dvc", "config", *words)
    bench.commit()


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """A repository with two stages."""
    made = make_repository(tmp_path / "ours", {"dvc.yaml": {"stages": STAGES}})
    made.commit()
    return made


def staged(bench: Bench) -> list[str]:
    """As Git says it: what is staged, and what is not."""
    return bench.command("git", "status", "--porcelain", "--untracked-files=all").stdout.splitlines()


def test_what_dvc_stages_is_staged(bench: Bench, tmp_path: Path) -> None:
    config(bench, "core.autostage", "true")
    shutil.copytree(bench.root, tmp_path / "theirs", symlinks=True)
    theirs = Bench(tmp_path / "theirs")

    bench.swath("run", "-q", check=True)
    theirs.command("dvc", "repro", "-q")

    assert staged(bench) == staged(theirs) == ["A  .gitignore", "A  d/.gitignore", "A  dvc.lock", "?? m"]


def test_nothing_is_staged_unless_it_is_set(bench: Bench) -> None:
    bench.swath("run", "-q", check=True)

    assert staged(bench) == ["?? .gitignore", "?? d/.gitignore", "?? dvc.lock", "?? m"]


def test_nothing_is_staged_after_a_failure(bench: Bench) -> None:
    bench.write({"dvc.yaml": {"stages": {**STAGES, "c": {"cmd": "exit 3", "deps": ["o"]}}}})
    config(bench, "core.autostage", "true")

    assert bench.swath("run", "-q", "-k").returncode == 4
    assert not [line for line in staged(bench) if line.startswith("A")]


def test_a_git_that_does_not_take_them_is_told(bench: Bench) -> None:
    config(bench, "core.autostage", "true")
    (bench.root / ".git/index.lock").touch()

    told = bench.swath("run", "-q")

    assert told.returncode == 1
    assert "all is recorded, but could not be staged (core.autostage): fatal: " in told.stderr
    assert "  stage them by hand: git add .gitignore d/.gitignore dvc.lock" in told.stderr
    assert bench.lock().keys() == {"a", "b"}


@pytest.mark.parametrize(
    ("setting", "words", "message"),
    [
        (
            "core.interactive",
            (),
            "core.interactive is set: `dvc repro` would ask before each stage, and Swath does not ask",
        ),
        ("hydra.enabled", ("-S", "a=1"), "hydra.enabled is set: -S would have Hydra compose the parameters"),
    ],
)
def test_what_is_not_followed_is_an_error(bench: Bench, setting: str, words: tuple[str, ...], message: str) -> None:
    config(bench, setting, "true")

    told = bench.swath("run", *words)

    assert told.returncode == 1
    assert told.stderr.startswith(f"swath: {message}")
    assert not (bench.root / "o").exists()


def test_an_old_cache_is_an_error(bench: Bench) -> None:
    path = bench.root / ".dvc/config"
    path.write_text(path.read_text() + "[cache]\n    local = elsewhere\n['remote \"elsewhere\"']\n    url = /nowhere\n")

    told = bench.swath("plan")

    assert told.returncode == 1
    assert told.stderr.startswith("swath: cache.local names the remote 'elsewhere' as the cache")


@pytest.mark.parametrize("style", ["store_true", "boolean_optional"])
@pytest.mark.parametrize("form", ["nargs", "append"])
def test_mappings_in_commands_follow_the_parsing_settings(bench: Bench, tmp_path: Path, style: str, form: str) -> None:
    values = {"x": {"yes": True, "no": False, "list": [1, "b c"], "deep": {"n": 1e-5}}}
    bench.write({"dvc.yaml": {"vars": [values], "stages": {"s": {"cmd": "echo ${x} > o", "outs": ["o"]}}}})
    config(bench, "parsing.bool", style)
    config(bench, "parsing.list", form)
    shutil.copytree(bench.root, tmp_path / "theirs", symlinks=True)
    theirs = Bench(tmp_path / "theirs")

    bench.swath("run", "-q", check=True)
    theirs.command("dvc", "repro", "-q")

    assert bench.lock() == theirs.lock()
