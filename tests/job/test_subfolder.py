"""DVC repositories in folders of one Git repository: from `swath init` to what DVC and Git say of the results."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from support.repositories import CLEAN, Bench
from support.subfolders import Monorepo, make_monorepo, pipeline

pytestmark = pytest.mark.slow

PLAIN = "ml-a"
HOSTILE = "teams/it's $HOME [b] 北"
LEARN = {
    "learn": {
        "cmd": "mkdir -p models && cp data.txt models/m && echo 'rate: ${rate}' > metrics.yaml",
        "deps": ["data.txt"],
        "params": ["rate"],
        "outs": ["models/m"],
        "metrics": [{"metrics.yaml": {"cache": False}}],
    }
}  # fmt: skip
LATER = {
    "search": {"cmd": "cp data.txt found.yaml", "deps": ["data.txt"], "outs": [{"found.yaml": {"cache": False}}]},
    "cut": {"foreach": "${items}", "do": {"cmd": "echo ${item} > cut-${item}", "deps": ["data.txt"], "outs": ["cut-${item}"]}},
}  # fmt: skip


@pytest.fixture
def mono(tmp_path: Path) -> Monorepo:
    """Two: the stages of one are called as those of the other, and give something else; one has two levels."""
    made = make_monorepo(
        tmp_path,
        {
            PLAIN: {"dvc.yaml": {"stages": LEARN}, "params.yaml": "rate: 1\n", "data.txt": "items: [a]\n"},
            HOSTILE: {
                "dvc.yaml": {"vars": ["found.yaml"], "stages": {**LEARN, **LATER}},
                "params.yaml": "rate: 2\n",
                "data.txt": "items: [p, q]\n",
                "found.yaml": "items: []\n",
            },
        },
    )
    for subfolder in made.subfolders:
        made.bench(subfolder).swath("init", check=True)
    return made


def swath_here(mono: Monorepo, commit: str, subfolder: str) -> Bench:
    """What `swath run` gives in a clone."""
    bench = Bench(mono.clone(commit).root / subfolder)
    bench.swath("run", check=True)
    return bench


def assert_recorded_as_run_here(mono: Monorepo, commit: str) -> None:
    """DVC and `swath run` agree with what is on the server's main branch."""
    fresh = mono.clone()
    for subfolder in mono.subfolders:
        here, there = swath_here(mono, commit, subfolder), Bench(fresh.root / subfolder)
        assert there.read("dvc.lock") == here.read("dvc.lock")
        assert there.read("metrics.yaml") == here.read("metrics.yaml")
        there.command("dvc", "pull", "-q")
        assert there.dvc_status() == CLEAN
        assert there.read("models/m") == here.read("data.txt")
    assert fresh.command("git", "status", "--porcelain").stdout == ""


def test_two_repositories_are_recorded_by_one_pipeline(mono: Monorepo) -> None:
    commit = mono.push("first")
    run = pipeline(mono, commit)
    two = "swath:run:teams/it-s-HOME-b--bc66685a"
    assert run.run() == [
        f"swath:lint:{two[10:]}", f"swath:plan:{two[10:]}",
        *(f"{two} > {name}" for name in ("search", "plan")),
        *(f"{two} > level-2 > {name}" for name in ("learn", "cut@p", "cut@q", "collect")),
        "swath:lint:ml-a", "swath:plan:ml-a", "swath:run:ml-a > learn", "swath:run:ml-a > collect",
    ]  # fmt: skip
    assert mono.git("rev-list", "--count", f"{commit}..main") == "2"
    assert changes(mono, "main") == [f"{PLAIN}/{name}" for name in ("dvc.lock", "metrics.yaml", "models/.gitignore")]
    assert changes(mono, "main^") == [
        f"{HOSTILE}/{name}" for name in (".gitignore", "dvc.lock", "found.yaml", "metrics.yaml", "models/.gitignore")
    ]
    assert_recorded_as_run_here(mono, commit)
    folder = mono.remote / "swath" / run.environ["SWATH_PIPELINE"]
    assert sorted(str(path.relative_to(folder)) for path in folder.rglob("learn.json")) == [
        "at-ml-a/1/learn.json", "at-teams-it-s-HOME-b--bc66685a/2/learn.json",
    ]  # fmt: skip

    mono.top.command("git", "pull", "-q", "--ff-only", mono.url, "main")
    again = pipeline(mono, mono.git("rev-parse", "main"), SWATH_PIPELINE_SOURCE="web")
    assert [name for name in again.run() if " > " in name] == [
        f"{two} > nothing-to-do",
        "swath:run:ml-a > nothing-to-do",
    ]

    here = Bench(mono.clone("main").root / HOSTILE)
    here.command("dvc", "pull", "-q")
    shown = {
        stage["name"]: stage["decision"]
        for stage in json.loads(here.swath("plan", "--rev", "HEAD~2", "--json").stdout)["stages"]
    }
    assert shown == {"learn": "run", "search": "run"}
    verified = here.swath("verify", "--json", SWATH_RUNTIME="process", check=True).stdout
    assert {stage["result"] for stage in json.loads(verified)["stages"]} == {"same"}


def changes(mono: Monorepo, rev: str) -> list[str]:
    """The files that a commit changes, from Git's top."""
    return mono.git("diff", "--name-only", "-z", f"{rev}^", rev).strip("\0").split("\0")


def test_a_merge_request_is_an_experiment_that_dvc_shows_in_its_folder(mono: Monorepo) -> None:
    for subfolder in mono.subfolders:
        mono.bench(subfolder).write({"params.yaml": "rate: 5\n"})
    commit = mono.push("both faster", "faster")
    variables = {"CI_MERGE_REQUEST_IID": "3", "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME": "faster", "CI_COMMIT_BRANCH": ""}
    run = pipeline(mono, commit, **variables)
    run.run()
    number = run.environ["SWATH_PIPELINE"]
    names = [f"ml-a-mr-3-{number}", f"teams-it-s-HOME-b-mr-3-{number}"]
    refs = mono.git("for-each-ref", "--format=%(refname)", "refs/exps").splitlines()
    assert sorted(ref.rpartition("/")[2] for ref in refs) == names
    assert f"It comes into a clone with:\n  dvc exp pull origin {names[0]}\n" in run.logs["swath:run:ml-a > collect"]

    fresh = mono.clone(commit)
    for subfolder, name in zip(mono.subfolders, names, strict=True):
        here = Bench(fresh.root / subfolder)
        here.command("dvc", "exp", "pull", "-q", "origin", name)
        rows = {row["name"]: row for row in experiments(here)}
        assert set(rows) == set(names[: names.index(name) + 1])
        shown = rows[name]
        assert shown["data"]["params"]["params.yaml"]["data"] == {"rate": 5}
        assert shown["data"]["metrics"]["metrics.yaml"]["data"] == {"rate": 5}
        here.command("dvc", "exp", "apply", "-q", name)
        assert here.dvc_status() == CLEAN
        fresh.command("git", "stash", "-q", "-u")


def experiments(bench: Bench) -> list[dict[str, Any]]:
    """The rows of `dvc exp show` below HEAD, the state of each by its name."""
    shown = json.loads(bench.command("dvc", "exp", "show", "--json").stdout)
    rows = [revision for entry in shown[1:] for revision in entry["experiments"] or ()]
    return [{"name": row["name"], "data": row["revs"][-1]["data"]} for row in rows]
