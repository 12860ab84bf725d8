"""A small project from its first pipeline on, with everything real but GitLab: what runs, what is built, what is recorded."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest
import yaml

from support.gitlab_project import SOCKET, TOKEN, GitLabProject
from support.gitlab_variables import MergeRequest
from support.network import line_to
from support.repositories import CLEAN
from support.small_project import PARTS, STAGES

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.docker, pytest.mark.slow, pytest.mark.timeout(1500)]
DRAW, SQUARE = ([f"{stage}@{part}" for part in PARTS] for stage in ("draw", "square"))
NO_OP = ["nothing-to-do", "swath:lint", "swath:plan", "swath:run"]


def test_a_project_from_nothing_to_a_restored_model(alone: GitLabProject, tmp_path: Path) -> None:
    first = alone.pipeline()
    assert first.status == "success", first.story()
    assert alone.ran(first) == sorted(STAGES)
    assert {name: len(tags) for name, tags in alone.images().items()} == {"draw": 1, "fit": 1, "judge": 1, "square": 1}
    assert alone.message().rstrip().endswith(f"Swath-Pipeline: {first.id}")

    clone = alone.clone(tmp_path / "colleague")
    clone.command("dvc", "pull", "-q")
    assert clone.dvc_status() == CLEAN
    shown = json.loads(clone.command("dvc", "exp", "show", "--json").stdout)
    assert "160887.38" in json.dumps(shown[0])
    local = alone.clone(tmp_path / "local")
    local.command("git", "checkout", "-q", "HEAD~1")
    local.swath("run", check=True, SWATH_RUNTIME="docker")
    assert local.read("dvc.lock") == clone.read("dvc.lock")

    alone.pull()
    alone.push("Docs", {"README.md": "Nothing that counts.\n"})
    assert alone.pipeline().names() == NO_OP

    alone.push("Speed", {"services/draw/draw.py": alone.bench.read("services/draw/draw.py") + "# faster now\n"})
    comment = alone.pipeline()
    assert comment.status == "success", comment.story()
    assert alone.ran(comment) == sorted(DRAW)
    assert {name: len(tags) for name, tags in alone.images().items()} == {"draw": 2, "fit": 1, "judge": 1, "square": 1}

    alone.pull()
    alone.push("Rate", {"params.yaml": alone.bench.read("params.yaml").replace("0.5", "0.25")}, branch="rate")
    change = alone.pipeline("rate", MergeRequest(1, "rate"))
    assert change.status == "success", change.story()
    assert alone.ran(change) == ["fit", "judge"]
    alone.push("Back", {"params.yaml": alone.bench.read("params.yaml").replace("0.25", "0.5")}, branch="rate")
    assert alone.pipeline("rate", MergeRequest(1, "rate")).names() == NO_OP

    alone.push("Merged", {"params.yaml": alone.bench.read("params.yaml").replace("0.5", "0.25")})
    merged = alone.pipeline()
    assert (merged.status, alone.ran(merged)) == ("success", []), merged.story()
    alone.pull()
    assert yaml.safe_load(alone.bench.read("dvc.lock"))["stages"]["fit"] == alone.lock_of_experiment()["fit"]

    other = alone.clone(tmp_path / "another machine")
    other.command("dvc", "pull", "-q", "--run-cache")
    other.write({"params.yaml": other.read("params.yaml").replace("0.25", "0.5")})
    reproduced = other.command("dvc", "repro").stdout  # DVC itself brings back no metric that Git keeps, so not `fit`
    assert "Stage 'judge' is cached - skipping run, checking out outputs" in reproduced
    assert [other.lock()[name]["outs"] for name in ("fit", "judge")] == [
        local.lock()[name]["outs"] for name in ("fit", "judge")
    ]


def test_bytes_on_a_slow_line_are_the_least_there_can_be(small: GitLabProject) -> None:
    small.push("Large", {"params.yaml": small.bench.read("params.yaml").replace("20", "60000")})
    with line_to(small.remote.port, delay_s=0.02, bytes_per_s=4_000_000) as line:
        small.house.files["SWATH_DVC_CONFIG"] = small.remote.dvc_config(
            url=small.remote.url(small.remote_name, line.port)
        )
        run = small.pipeline()
        assert run.status == "success", run.story()
        sizes = {
            path.name: path.stat().st_size for path in (small.remote_folder / "files").rglob("*") if path.is_file()
        }
        made = sum(sizes.values())
        assert made > 1_500_000
        records = [record for fragment in small.fragments(run.id).values() for record in fragment["stages"].values()]
        assert sum(record["pushed_bytes"] for record in records) == made
        taken = sum(record["pulled_bytes"] for record in records)
        assert 1_500_000 < taken <= made  # each set of numbers once by `square`, each of squares once by `fit`
        jobs = len(run.names())
        assert line.up < 1.1 * made + 60_000 * jobs
        assert line.down < 1.1 * taken + 60_000 * jobs


def test_no_secret_is_in_what_stays_behind(small: GitLabProject) -> None:
    small.house.variables["SWATH_TOKEN"] = TOKEN
    run = small.pipeline()
    assert run.status == "success", run.story()
    secrets = {small.remote.password, TOKEN, "registry-password", "job-token-"}
    kept = [job.log for job in run.all_jobs()] + [path.read_text() for path in small.remote_folder.rglob("*.json")]
    kept += [
        path.read_text(errors="replace")
        for job in run.all_jobs()
        for path in job.artifacts.rglob("*")
        if path.is_file()
    ]
    kept.append(small.house.git_command("log", "--all", "-p"))
    assert len(kept) > 20
    assert [text for text in kept if any(secret in text for secret in secrets)] == []


def test_odd_names_and_ordinary_users(small: GitLabProject, tmp_path: Path) -> None:
    odd = "it's $(touch /tmp/x) `y` <b> & *[a](b): #1"
    small.house.runners[0].user = f"1234:{os.stat(SOCKET).st_gid}"  # build jobs need the socket
    workflow = yaml.safe_load(small.bench.read("dvc.yaml").replace("${item}", "${item.file}"))
    parameters = {
        **yaml.safe_load(small.bench.read("params.yaml")),
        "parts": {odd: {"file": "a"}, "b c": {"file": "b"}},
    }
    message = f"{odd}\n\n- [ ] *list*\n'''\nkey: [value\n"
    branch = "odd/it's-$(id)-`y`-&-#1"
    small.push(message, {"dvc.yaml": workflow, "params.yaml": parameters}, branch)
    run = small.pipeline(branch, MergeRequest(1, branch))
    assert run.status == "success", run.story()
    stages = [f"{name}@{key}" for name in ("draw", "square") for key in (odd, "b c")] + ["fit", "judge"]
    assert small.ran(run) == sorted(stages)
    experiments = small.refs("refs/exps")
    assert len(experiments) == 1
    clone = small.clone(tmp_path / "colleague", branch)
    clone.command("git", "fetch", "-q", "origin", f"{experiments[0]}:{experiments[0]}")
    clone.command("git", "checkout", "-q", experiments[0])
    clone.command("dvc", "pull")
    assert clone.dvc_status() == CLEAN
