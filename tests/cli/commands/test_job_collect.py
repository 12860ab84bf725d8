"""`swath job collect`: what a person reads in the log of a pipeline's last job."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from support.git_server import serve_git
from support.job_bench import JobBench, Pipeline
from support.repositories import CLEAN, Bench

FILES = {
    "in.txt": "one\n",
    "dvc.yaml": {
        "stages": {
            "prepare": {"cmd": "mkdir mid && cp in.txt mid/a", "deps": ["in.txt"], "outs": ["mid"]},
            "train": {
                "cmd": "cat mid/a > model && test ! -e stop && echo '{\"loss\": 1}' > metrics.json",
                "deps": ["mid"],
                "outs": ["model"],
                "metrics": [{"metrics.json": {"cache": False}}],
            },
        }
    },
}
TOKEN = "glpat-very-secret"


@pytest.fixture
def house(tmp_path: Path) -> JobBench:
    made = JobBench(tmp_path, FILES)
    made.bench.command("git", "init", "-q", "--bare", "-b", "main", str(tmp_path / "server.git"))
    made.bench.command("git", "--git-dir", str(tmp_path / "server.git"), "config", "http.receivepack", "true")
    made.bench.command("git", "remote", "add", "origin", str(tmp_path / "server.git"))
    made.bench.command("git", "push", "-q", "-u", "origin", "main")
    return made


def variables(house: JobBench, pipeline: Pipeline) -> dict[str, str]:
    return {
        **{name: value for name, value in pipeline.environ.items() if name.startswith(("SWATH_", "CI_"))},
        "CI_COMMIT_BRANCH": "main",
        "CI_DEFAULT_BRANCH": "main",
        "CI_PIPELINE_CREATED_AT": "2026-11-22T20:00:00Z",
        "SWATH_GIT_URL": str(house.root / "server.git"),
        "SWATH_TOKEN": TOKEN,
    }


def collect(house: JobBench, pipeline: Pipeline, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    digest = ("--plan-digest", pipeline.plan.digest)
    return pipeline.clone().swath("job", "collect", *digest, *words, **{**variables(house, pipeline), **environ})


def fresh(house: JobBench) -> Bench:
    house.bench.command("git", "clone", "-q", str(house.root / "server.git"), str(house.root / "fresh"))
    return Bench(house.root / "fresh")


def test_a_pipeline_from_nothing_to_a_fresh_clone_that_is_clean(house: JobBench) -> None:
    pipeline = house.pipeline(4711)
    pipeline.run_all()
    done = collect(house, pipeline)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["stage", "did", "wall", "time"]
    assert [line.split()[:2] for line in lines[1:3]] == [["prepare", "ran"], ["train", "ran"]]
    clone = fresh(house)
    head = clone.command("git", "rev-parse", "HEAD").stdout.strip()
    assert lines[3:] == ["2 ran", f"recorded as commit {head[:12]} on main"]
    assert done.stderr == ""
    house.bench.run()
    for name in ("dvc.lock", ".gitignore", "metrics.json"):
        assert clone.read(name) == house.bench.read(name)
    clone.command("dvc", "pull", "-q")
    assert clone.dvc_status() == CLEAN
    again = collect(house, pipeline)
    assert again.stdout.splitlines()[-1] == "already recorded: main"


def test_a_failed_pipeline_says_how_its_experiment_is_fetched(house: JobBench) -> None:
    house.bench.write({"stop": ""})
    house.bench.commit("stop")
    house.bench.command("git", "push", "-q")
    pipeline = house.pipeline(4711)
    for name in pipeline.names:
        try:
            pipeline.run(name)
        except Exception:  # noqa: BLE001 - the stage fails
            break
    done = collect(house, pipeline)
    assert done.returncode == 0, done.stderr
    head = pipeline.environ["CI_COMMIT_SHA"]
    assert done.stdout.splitlines()[3:] == [
        "1 ran, 1 failed",
        f"recorded as the experiment main-4711-failed on {head[:12]}",
        "It comes into a clone with:",
        "  dvc exp pull origin main-4711-failed",
    ]
    clone = fresh(house)
    clone.command("dvc", "exp", "pull", "origin", "main-4711-failed")
    clone.command("dvc", "exp", "branch", "main-4711-failed", "go-on")
    clone.command("git", "checkout", "-q", "go-on")
    clone.command("dvc", "pull", "-q", "prepare")
    assert clone.command("dvc", "status", "prepare").stdout.strip() == CLEAN


def test_the_token_is_in_no_output(house: JobBench, tmp_path: Path) -> None:
    pipeline = house.pipeline(4711)
    pipeline.run_all()
    with serve_git(tmp_path) as server:
        address = f"{server.url}/server.git".replace("//", f"//u:{TOKEN}@")
        denied = collect(house, pipeline, SWATH_GIT_URL=address)
        server.tokens.add(TOKEN)
        done = collect(house, pipeline, SWATH_GIT_URL=address)
    assert (denied.returncode, done.returncode) == (1, 0), done.stderr
    assert "the token is expired, revoked or too weak" in denied.stderr
    assert TOKEN not in denied.stdout + denied.stderr + done.stdout + done.stderr
    assert not [path for path in house.far.rglob("*") if path.is_file() and TOKEN.encode() in path.read_bytes()]


def test_without_a_token_all_is_well_and_the_results_are_fetched_by_hand(house: JobBench) -> None:
    pipeline = house.pipeline(4711)
    pipeline.run_all()
    done = collect(house, pipeline, SWATH_TOKEN="")
    assert done.returncode == 0
    assert done.stderr.startswith("swath: SWATH_TOKEN is not set: nothing is pushed to Git.\n")
    clone = fresh(house)
    here = clone.swath("job", "collect", "--write", check=True, SWATH_PIPELINE="4711")
    assert here.stdout == "2 stages recorded here; their data comes with: dvc pull\n"
    clone.command("dvc", "pull", "-q")
    assert clone.dvc_status() == CLEAN


def test_the_job_token_records_where_no_other_is_set(house: JobBench, tmp_path: Path) -> None:
    pipeline = house.pipeline(4711)
    pipeline.run_all()
    with serve_git(tmp_path) as server:
        server.job_tokens["glcbt-of-the-job"] = "server"
        job = {"SWATH_GIT_URL": "", "CI_PROJECT_PATH": "server", "CI_SERVER_URL": server.url, "SWATH_TOKEN": ""}
        job["CI_JOB_TOKEN"] = "glcbt-of-the-job"
        kept = collect(house, pipeline, **job)
        server.jobs_may_push.add("server")
        done = collect(house, pipeline, **job)
        again = collect(house, pipeline, **{**job, "SWATH_TOKEN": "glcbt-of-the-job"})
    assert (kept.returncode, done.returncode, again.returncode) == (0, 0, 0), done.stderr
    assert kept.stderr.startswith(f"swath: pushing to main: {server.url}/server.git denies access to the job token ")
    clone = fresh(house)
    head = clone.command("git", "rev-parse", "HEAD").stdout.strip()
    assert done.stdout.splitlines()[-1] == f"recorded as commit {head[:12]} on main"
    assert again.stdout.splitlines()[-1] == "already recorded: main"
    assert "glcbt-of-the-job" not in kept.stdout + kept.stderr + done.stdout + done.stderr


def test_a_fragment_that_is_cut_off_ends_the_job_with_1_after_the_rest_was_recorded(house: JobBench) -> None:
    pipeline = house.pipeline(4711)
    pipeline.run_all()
    (path,) = (path for path in house.far.rglob("swath/4711/1/*.json"))
    path.with_name("more.json").write_text(path.read_text()[:100])
    done = collect(house, pipeline)
    assert done.returncode == 1
    assert "recorded as the experiment main-4711-failed on" in done.stdout
    first, *_ = done.stderr.splitlines()
    assert first.startswith("not recorded: swath/4711/1/more.json: is cut off or damaged: ")
    assert done.stderr.endswith(
        "swath: a fragment cannot be read: swath/4711/1/more.json\n"
        "  what its job did is not recorded: retry that job, then this one\n"
    )


def test_a_repository_without_a_remote(tmp_path: Path) -> None:
    bare = JobBench(tmp_path, FILES)
    bare.bench.command("dvc", "remote", "remove", "far")
    done = bare.bench.swath("job", "collect", SWATH_PIPELINE="1")
    assert (done.returncode, done.stdout) == (1, "")
    assert "dvc remote add -d NAME URL" in done.stderr
