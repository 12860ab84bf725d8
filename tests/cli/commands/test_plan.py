"""`swath plan`: table, JSON, pictures, revisions."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from support.repositories import Bench, make_repository

FILES = {
    "in.txt": "one",
    "dvc.yaml": {
        "stages": {
            "first": {"cmd": "cp in.txt mid", "deps": ["in.txt"], "outs": ["mid"]},
            "second": {"cmd": "cp mid end", "deps": ["mid"], "outs": ["end"]},
        }
    },
}


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """Two stages that ran and were committed."""
    bench = make_repository(tmp_path / "repo", FILES)
    bench.run()
    bench.commit("ran")
    return bench


def decisions(bench: Bench, *options: str) -> dict[str, str]:
    """Decisions by stage."""
    result = bench.swath("plan", "--json", *options, check=True)
    return {stage["name"]: stage["decision"] for stage in json.loads(result.stdout)["stages"]}


def test_the_table(bench: Bench) -> None:
    assert bench.swath("plan").stdout == "2 unchanged\n"
    bench.write({"in.txt": "two"})
    assert bench.swath("plan").stdout == (
        "stage   decision  why           \n"
        "first   run       in.txt changed\n"
        "second  run       behind first  \n"
        "\n2 to run\n"
    )


def test_the_json_document(bench: Bench) -> None:
    bench.write({"in.txt": "two"})
    document = json.loads(bench.swath("plan", "--json", "first", check=True).stdout)
    assert document == {
        "version": 1,
        "stages": [
            {
                "name": "first",
                "decision": "run",
                "reasons": [
                    {
                        "kind": "dep",
                        "path": "in.txt",
                        "old": "f97c5d29941bfb1b2fdab0874906ab82",
                        "new": "b8a9f715dbb64fd5c56e7783c6820a61",
                    }
                ],
                "service": None,
                "job": None,
            }
        ],
        "jobs": [],
    }


def test_pictures(bench: Bench) -> None:
    assert "s0 --> s1" in bench.swath("plan", "--mermaid").stdout
    assert '"first" -> "second";' in bench.swath("plan", "--dot").stdout


def test_a_plan_changes_nothing(bench: Bench) -> None:
    bench.write({"in.txt": "two"})
    before = bench.command("git", "status", "--porcelain").stdout
    bench.swath("plan", check=True)
    assert bench.command("git", "status", "--porcelain").stdout == before


def test_a_revision_without_any_data(bench: Bench, tmp_path: Path) -> None:
    bench.command("git", "clone", "-q", str(bench.root), str(tmp_path / "clone"))
    clone = Bench(tmp_path / "clone")
    assert decisions(clone, "--rev", "HEAD") == {"first": "unchanged", "second": "unchanged"}
    assert decisions(clone) == {"first": "run", "second": "run"}
    clone.write({"in.txt": "two"})
    clone.commit("changed")
    assert decisions(clone, "--rev", "HEAD") == {"first": "run", "second": "run"}
    assert decisions(clone, "--rev", "HEAD~1") == {"first": "unchanged", "second": "unchanged"}


def test_a_revision_agrees_with_dvc_repro_allow_missing(bench: Bench, tmp_path: Path) -> None:
    bench.command("git", "clone", "-q", str(bench.root), str(tmp_path / "clone"))
    clone = Bench(tmp_path / "clone")
    said = clone.command("dvc", "repro", "--allow-missing", "--dry").stdout
    assert said.count("didn't change, skipping") == list(decisions(clone, "--rev", "HEAD").values()).count("unchanged")


def test_what_the_remote_lost(bench: Bench, tmp_path: Path) -> None:
    bench.add_remote("store", str(tmp_path / "store"))
    bench.command("dvc", "push", "-q")
    assert decisions(bench, "--rev", "HEAD", "--verify-remote") == {"first": "unchanged", "second": "unchanged"}
    for path in (tmp_path / "store").rglob("*"):
        if path.is_file():
            path.unlink()
    document = json.loads(bench.swath("plan", "--json", "--rev", "HEAD", "--verify-remote", check=True).stdout)
    assert [reason["kind"] for reason in document["stages"][0]["reasons"]] == ["lost"]


def test_an_unknown_revision(bench: Bench) -> None:
    result = bench.swath("plan", "--rev", "v9")
    expected = "swath: there is no revision 'v9'\n  see: git log; a shallow clone may lack it (git fetch --unshallow)\n"
    assert (result.returncode, result.stderr) == (1, expected)
