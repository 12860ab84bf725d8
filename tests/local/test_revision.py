"""`local/revision.py`: what a run of a revision would do in a fresh clone, without data."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from support.repositories import Bench, make_repository
from swath.dvc_border.repository import Repository
from swath.errors import UserError
from swath.load.targets import Selection
from swath.local.revision import planned_revision

STAGES = {
    "first": {"cmd": "cp in.txt a", "deps": ["in.txt"], "outs": ["a"]},
    "second": {"cmd": "cat a a > b", "deps": ["a"], "outs": ["b"]},
    "other": {"cmd": "cp in.txt c", "deps": ["in.txt"], "outs": [{"c": {"push": False}}]},
}


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """A repository whose stages ran, were committed and pushed to a remote; then its data is gone."""
    made = make_repository(tmp_path / "repo", {"in.txt": "1", "dvc.yaml": {"stages": STAGES}})
    made.add_remote("store", str(tmp_path / "remote"))
    made.swath("run", "-q", check=True)
    made.command("dvc", "push", "-q")
    made.commit("ran")
    for name in ("a", "b", "c"):
        (made.root / name).unlink()
    shutil.rmtree(made.root / ".dvc/cache")
    return made


def kinds(bench: Bench, rev: str = "HEAD", *targets: str, verify_remote: bool = False) -> dict[str, str]:
    _, decisions = planned_revision(Repository(bench.root), rev, Selection(tuple(targets)), verify_remote=verify_remote)
    return {name: decision.kind for name, decision in decisions.items()}


def test_no_data_is_needed(bench: Bench) -> None:
    assert kinds(bench) == {"first": "unchanged", "second": "unchanged", "other": "unchanged"}


def test_the_working_tree_does_not_count(bench: Bench) -> None:
    bench.write({"in.txt": "2"})
    assert set(kinds(bench).values()) == {"unchanged"}
    bench.commit("edited")
    assert kinds(bench) == {"first": "run", "second": "run", "other": "run"}
    assert set(kinds(bench, "HEAD~1").values()) == {"unchanged"}


def test_a_target_is_planned_with_what_it_needs(bench: Bench) -> None:
    assert list(kinds(bench, "HEAD", "second")) == ["first", "second"]


def test_what_the_remote_lost_runs_again_and_what_is_never_pushed_is_not_missed(bench: Bench, tmp_path: Path) -> None:
    assert set(kinds(bench, verify_remote=True).values()) == {"unchanged"}
    value = bench.lock()["second"]["outs"][0]["md5"]
    (tmp_path / "remote/files/md5" / value[:2] / value[2:]).unlink()
    _, decisions = planned_revision(Repository(bench.root), "HEAD", verify_remote=True)
    reasons = {name: [(r.kind, r.path) for r in each.reasons] for name, each in decisions.items()}
    assert reasons == {"first": [], "second": [("lost", "b")], "other": []}


def test_a_revision_that_is_not_there(bench: Bench) -> None:
    with pytest.raises(UserError, match="no-such"):
        planned_revision(Repository(bench.root), "no-such")
