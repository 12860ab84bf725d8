"""`swath compile`: where the pipeline goes, what is said, and that nothing is written when something is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

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
NO_REMOTE = "swath: there is no DVC remote: nothing can be restored\n"


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """Two stages that never ran."""
    return make_repository(tmp_path / "repo", FILES)


@pytest.mark.parametrize("options", [(), ("-o", "-")])
def test_to_stdout(bench: Bench, options: tuple[str, ...]) -> None:
    result = bench.swath("compile", *options, check=True)
    assert list(yaml.safe_load(result.stdout)) == ["workflow", "stages", "variables", "first .. second", "collect"]
    assert result.stderr == f"{NO_REMOTE}swath: 2 of 2 stages in 1 job\n"
    assert not (bench.root / "-").exists()


def test_to_a_file_from_a_folder_below(bench: Bench) -> None:
    (bench.root / "below").mkdir()
    result = bench.command("sh", "-c", "cd below && swath compile -o out/child.yml")
    assert (result.stdout, list(bench.root.glob("below/out/*"))) == ("", [bench.root / "below/out/child.yml"])
    assert (bench.root / "below/out/child.yml").read_text() == bench.swath("compile").stdout


def test_json(bench: Bench) -> None:
    document = json.loads(bench.swath("compile", "--json", check=True).stdout)
    assert [(stage["name"], stage["decision"], stage["job"]) for stage in document["stages"]] == [
        ("first", "run", "first .. second"),
        ("second", "run", "first .. second"),
    ]
    assert [sorted(job) for job in document["jobs"]] == [["image", "name", "needs", "stages", "tags"]]
    assert json.loads(bench.swath("plan", "--json", "--jobs", check=True).stdout) == document


def test_jobs_of_a_plan_need_json(bench: Bench) -> None:
    result = bench.swath("plan", "--jobs")
    assert result.returncode == 2
    assert "--jobs goes with --json, and without --rev; for a commit: swath compile --json" in result.stderr


def test_up_to_date(bench: Bench) -> None:
    bench.run()
    bench.commit("ran")
    result = bench.swath("compile", "-o", "child.yml", check=True)
    assert result.stderr == f"{NO_REMOTE}swath: all 2 stages are up to date\n"
    assert "nothing-to-do" in bench.read("child.yml")


def test_nothing_is_written_when_gitlab_would_refuse_it(bench: Bench) -> None:
    bench.write({"child.yml": "before", "swath.yaml": "ci: {max_jobs: 1}\n"})
    bench.commit("limit")
    result = bench.swath("compile", "-o", "child.yml")
    assert (result.returncode, result.stdout, bench.read("child.yml")) == (1, "", "before")
    assert result.stderr == (
        "swath: swath.yaml: ci.max_jobs: the plan needs at least 4 jobs, and `ci.max_jobs` allows 1\n"
        "  raise ci.max_jobs, if your GitLab allows it, or compile a part: swath compile TARGETS\n"
    )
    assert not list(bench.root.glob(".child*"))


def test_no_secret_reaches_the_pipeline(bench: Bench) -> None:
    secrets = {name: f"secret-{name}" for name in ("SWATH_TOKEN", "CI_JOB_TOKEN", "CI_REGISTRY_PASSWORD")}
    bench.write({"swath.yaml": "default_image: python:3.12\n"})
    bench.commit("image")
    result = bench.swath("compile", "--no-registry", check=True, **secrets)
    assert "secret-" not in result.stdout + result.stderr


def test_without_a_commit(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.command("git", "init", "-q")
    bench.command("dvc", "init", "-q")
    result = bench.swath("compile")
    assert (result.returncode, result.stderr.startswith("swath: there is no revision 'HEAD'")) == (1, True)


def test_a_merge_request_from_a_fork_is_planned_without_asking_anybody(bench: Bench) -> None:
    bench.add_remote("far", "ssh://nobody@127.0.0.1:9/none")
    bench.write({"swath.yaml": "registry: 127.0.0.1:9/none\ndefault_image: python:3.12\n"})
    bench.commit("unreachable")
    fork = {"CI_MERGE_REQUEST_IID": "1", "CI_MERGE_REQUEST_PROJECT_ID": "1", "CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "2"}
    result = bench.swath("compile", check=True, GITLAB_CI="true", **fork)
    assert result.stderr == (
        "swath: a merge request from a fork: neither registry nor remote is asked, and nothing will run\n"
        "swath: 2 of 2 stages in 1 job, 1 image to build\n"
    )
