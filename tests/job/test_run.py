"""`swath job run`: jobs of real pipelines, each in a clone of its own, with a remote in a folder."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from support.job_bench import JobBench, Pipeline
from support.job_services import three_services
from support.repositories import CLEAN, ENVIRON, Bench, make_repository
from swath.dvc_border.remote_files import RemoteFiles
from swath.errors import InterruptedRunError, PassingFaultError, StageFailedError, UserError
from swath.job.scratch import Scratch
from swath.limits import STOP_S
from swath.model.fragment import fragment_path


@pytest.fixture
def house(tmp_path: Path) -> JobBench:
    seen = tmp_path / "seen"
    seen.mkdir()
    return JobBench(tmp_path, three_services(seen))


@pytest.fixture
def seen(house: JobBench) -> Path:
    """What the learning service saw, and where it looks."""
    return house.root / "seen"


def own_lock(house: JobBench, pipeline: Pipeline) -> dict[str, object]:
    """What `swath run` records for the same commit."""
    bench = pipeline.clone()
    assert set(bench.run(runtime="process").named("ran")) == {"cut", "learn", "judge"}
    return bench.lock()


def test_jobs_record_what_a_run_here_records(house: JobBench) -> None:
    pipeline = house.pipeline()
    assert pipeline.names == ["cut", "learn", "judge"]
    logs = pipeline.run_all()
    assert pipeline.locks() == own_lock(house, pipeline)
    assert "learning at 1\nswath: 10B pushed\n" in logs["learn"]
    fragment = pipeline.fragment("judge")
    assert fragment.files["judged.json"].text == '{"bytes": 10}\n'
    assert fragment.stages["judge"].exit == 0
    assert (fragment.plan, fragment.attempt, fragment.commit) == (pipeline.plan.digest, 1, pipeline.plan.commit)


@pytest.mark.parametrize("target", ["/proc/self/environ", "SECRET"])
def test_a_link_in_an_output_sends_nothing_of_the_job(house: JobBench, target: str) -> None:
    """The service runs in the job's own container, beside what Swath knows."""
    secret = house.root / "SWATH_DVC_CONFIG"
    secret.write_text("password = swordfish\n")
    said = target.replace("SECRET", str(secret))
    (house.bench.root / "services/cut/cut.sh").write_text(f"mkdir tiles; echo ok >tiles/1; ln -s {said} tiles/2")
    house.bench.commit("hostile")
    pipeline = house.pipeline()
    reason = f"its output tiles has a link that leads out of it: '2' -> '{said}'; a link in an output must be relative"
    with pytest.raises(StageFailedError, match=re.escape(reason)):
        pipeline.run("cut", SWATH_RUNTIME="inside", MY_TOKEN="swordfish")
    assert not [path for path in house.far.rglob("*") if path.is_file() and b"swordfish" in path.read_bytes()]
    assert not [path for path in house.far.rglob("*") if path.is_file() and "files" in path.parts]


def test_a_job_pulls_its_deps_and_sends_what_is_new_and_nothing_twice(house: JobBench) -> None:
    pipeline = house.pipeline()
    pipeline.run_all()
    cut, learn, judge = (pipeline.fragment(name).stages[name] for name in pipeline.names)
    listing = next(house.far.glob("files/md5/*/*.dir")).stat().st_size
    assert (cut.pulled_bytes, cut.pushed_bytes) == (0, 4 + 4 + listing)
    assert (learn.pulled_bytes, learn.pushed_bytes) == (4 + 4 + listing, 10)
    assert (judge.pulled_bytes, judge.pushed_bytes) == (10, 14)
    assert len(house.objects()) == 2 + 1 + 1 + 1
    caches = [
        sum(path.is_file() for path in (clone.root / ".dvc/cache/files/md5").rglob("*")) for clone in pipeline.clones
    ]
    assert caches == [3, 4, 2]


def test_dvc_is_content_with_what_jobs_leave(house: JobBench) -> None:
    pipeline = house.pipeline()
    pipeline.run_all()
    again = house.pipeline()
    bench = again.clone()
    bench.command("dvc", "remote", "list")
    bench.command("dvc", "repro", "-q", "--pull")
    assert (house.root / "seen/epochs").read_text() == "epoch\n"  # it was restored from the entries in the remote
    assert bench.dvc_status() == CLEAN
    assert bench.lock() == pipeline.locks()


def test_a_second_pipeline_with_equal_work_restores_and_pulls_no_data(house: JobBench, seen: Path) -> None:
    first, second = house.pipeline(), house.pipeline()
    first.run_all()
    (seen / "epochs").unlink()
    logs = second.run_all()
    assert not (seen / "epochs").exists()
    assert second.locks() == first.locks()
    assert "swath: learn restored from the run cache\n" in logs["learn"]
    figures = [second.fragment(name).stages[name] for name in second.names]
    assert [each.wall_s for each in figures] == [0, 0, 0]
    assert [each.pulled_bytes for each in figures] == [0, 0, 14]  # what Git keeps comes, to be recorded
    assert [each.pushed_bytes for each in figures] == [0, 0, 0]
    assert second.fragment("judge").files["judged.json"].text == '{"bytes": 10}\n'


def recorded(house: JobBench, pipeline: Pipeline) -> None:
    """Commit what a pipeline found, as its last job would."""
    house.bench.command("dvc", "repro", "-q", "--pull")
    assert house.bench.lock() == pipeline.locks()
    house.bench.commit("recorded")


def test_what_comes_out_the_same_is_not_done_behind(house: JobBench, seen: Path) -> None:
    first = house.pipeline()
    first.run_all()
    recorded(house, first)
    house.bench.write({"services/cut/cut.sh": house.bench.read("services/cut/cut.sh") + "# a remark\n"})
    house.bench.commit()
    second = house.pipeline()
    assert second.names == ["cut", "learn", "judge"]
    (seen / "epochs").unlink()
    logs = second.run_all()
    assert "swath: cut done" in logs["cut"]
    assert "swath: learn came out unchanged\n" in logs["learn"]
    assert not (seen / "epochs").exists()
    assert second.fragment("learn").stages["learn"].pulled_bytes == 0


def test_a_failure_is_recorded_and_a_retry_goes_on_behind_what_is_finished(house: JobBench, seen: Path) -> None:
    pipeline = house.pipeline()
    pipeline.run("cut")
    (seen / "fail").touch()
    with pytest.raises(StageFailedError) as caught:
        pipeline.run("learn")
    why = "it ended with exit code 3; its secrets API_KEY_OF_LEARN are not set in the environment"
    assert str(caught.value) == f"learn failed: {why}"
    record = pipeline.fragment("learn").stages["learn"]
    assert (record.lock, record.exit) == (None, 3)
    (seen / "fail").unlink()
    pipeline.run("learn")
    assert pipeline.fragment("learn").attempt == 2
    assert (seen / "epochs").read_text() == "epoch\nepoch\n"  # SWATH_SCRATCH came along, to another clone
    assert not list((house.far / "swath/scratch").rglob("*.json"))


def test_a_job_that_is_stopped_keeps_its_scratch_folder(house: JobBench, seen: Path) -> None:
    pipeline = house.pipeline()
    pipeline.run("cut")
    (seen / "slow").touch()
    stop = threading.Event()

    def interrupt() -> None:
        while not (seen / "started").exists():
            time.sleep(0.02)
        stop.set()

    threading.Thread(target=interrupt).start()
    with pytest.raises(InterruptedRunError) as caught:
        pipeline.run("learn", stop=stop)
    assert str(caught.value) == "the job was stopped; what it has finished is kept, a retry goes on from here"
    assert len(list((house.far / "swath/scratch").rglob("manifest.json"))) == 1
    (seen / "slow").unlink()
    assert "1 files of an earlier attempt are in SWATH_SCRATCH" in pipeline.run("learn")
    assert (seen / "epochs").read_text() == "epoch\nepoch\n"


def stalling_scratch(monkeypatch: pytest.MonkeyPatch, never: threading.Event) -> None:
    """Let no file of a scratch folder reach the remote."""
    real = RemoteFiles.put

    def put(files: RemoteFiles, pairs: Sequence[tuple[str, str]], stop: threading.Event | None = None) -> None:
        if any("swath/scratch/" in target for _, target in pairs):
            files.each(pairs, lambda *_: never.wait(60), "written to", stop)
        real(files, pairs, stop)

    monkeypatch.setattr(RemoteFiles, "put", put)


def test_a_job_that_is_stopped_ends_in_the_time_that_the_runner_leaves(
    house: JobBench, seen: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = house.pipeline()
    pipeline.run("cut")
    (seen / "slow").touch()
    stop, never, stopped = threading.Event(), threading.Event(), []
    stalling_scratch(monkeypatch, never)

    def interrupt() -> None:
        while not (seen / "started").exists():
            time.sleep(0.02)
        stopped.append(time.monotonic())
        stop.set()

    threading.Thread(target=interrupt).start()
    with pytest.raises(InterruptedRunError, match="the job was stopped; what it has finished is kept"):
        pipeline.run("learn", stop=stop)
    assert time.monotonic() - stopped[0] < STOP_S
    assert (
        "swath: SWATH_SCRATCH was not sent once more, what was sent before stays: there was no time left"
        in pipeline.log
    )
    never.set()


def test_a_remote_that_takes_no_checkpoint_hides_nothing_of_the_failure(
    house: JobBench, seen: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = house.pipeline()
    pipeline.run("cut")
    (seen / "fail").touch()

    def refuse(*_: object, **__: object) -> None:
        raise PassingFaultError("the remote is down")

    monkeypatch.setattr(Scratch, "keep", refuse)
    with pytest.raises(StageFailedError, match="learn failed: it ended with exit code 3"):
        pipeline.run("learn")
    assert pipeline.fragment("learn").stages["learn"].exit == 3
    assert "what was sent before stays: the remote is down" in pipeline.log


def test_sigterm_ends_a_job_in_good_order(house: JobBench, seen: Path) -> None:
    pipeline = house.pipeline()
    pipeline.run("cut")
    (seen / "slow").touch()
    bench = pipeline.clone()
    job = pipeline.start("learn", bench)
    while not (seen / "started").exists():
        time.sleep(0.05)
    job.send_signal(signal.SIGTERM)
    said, _ = job.communicate(timeout=60)
    assert job.returncode == 130
    assert "swath: the job was stopped; what it has finished is kept" in said
    assert (bench.root / ".swath/logs/learn.log").exists()
    assert "learning" in (bench.root / ".swath/logs/learn.log").read_text()


def descendants(pid: int) -> list[int]:
    """The processes below one."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [each for child in map(int, children) for each in (child, *descendants(child))]


def test_a_service_that_the_runner_signals_before_the_job_has_not_failed(house: JobBench, seen: Path) -> None:
    """The runner goes from the highest process id down, and waits for the end of each, looking once a second."""
    pipeline = house.pipeline()
    pipeline.run("cut")
    (seen / "slow").touch()
    job = pipeline.start("learn", pipeline.clone())
    while not (seen / "started").exists():
        time.sleep(0.05)
    for pid in sorted(descendants(job.pid), reverse=True):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
    time.sleep(1.2)
    job.send_signal(signal.SIGTERM)
    said, _ = job.communicate(timeout=60)
    assert job.returncode == 130, said
    assert "swath: the job was stopped; what it has finished is kept" in said
    assert not (house.far / fragment_path(pipeline.environ["SWATH_PIPELINE"], 1, "learn")).exists()


def test_a_job_that_is_killed_between_push_and_fragment_restores(
    house: JobBench, seen: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = house.pipeline()
    pipeline.run("cut")
    monkeypatch.setattr("swath.job.fragments.OwnFragment.add", lambda *_: os.kill(os.getpid(), 0) or _die())
    with pytest.raises(RuntimeError):
        pipeline.run("learn")
    monkeypatch.undo()
    assert not (house.far / fragment_path(pipeline.environ["SWATH_PIPELINE"], 1, "learn")).exists()
    assert "swath: learn restored from the run cache" in pipeline.run("learn")
    assert (seen / "epochs").read_text() == "epoch\n"


def _die() -> None:
    raise RuntimeError("killed")


def test_a_retry_of_a_finished_job_does_nothing(house: JobBench, seen: Path) -> None:
    pipeline = house.pipeline()
    pipeline.run("cut")
    pipeline.run("learn")
    assert pipeline.run("learn") == "swath: attempt 2: 1 stage is done already\n"


def test_another_plan_is_refused(house: JobBench) -> None:
    pipeline = house.pipeline()
    bench = pipeline.clone()
    (bench.root / "dvc.yaml").write_text((bench.root / "dvc.yaml").read_text().replace("judge:", "judged:"))
    with pytest.raises(UserError) as caught:
        pipeline.run("cut", bench)
    assert f"is not the one of the pipeline ({pipeline.plan.digest})" in str(caught.value)
    assert str(caught.value).endswith(
        "\n  a file has changed since, or another version of Swath compiled the pipeline: start a new pipeline"
    )


def test_a_job_that_the_plan_does_not_have_is_refused(house: JobBench) -> None:
    with pytest.raises(UserError) as caught:
        house.pipeline().run("none")
    assert str(caught.value) == "the plan has no job 'none' with stages\n  start a new pipeline"


def test_without_decisions_there_is_no_job(house: JobBench) -> None:
    pipeline = house.pipeline()
    del pipeline.environ["SWATH_DECISIONS"]
    with pytest.raises(UserError) as caught:
        pipeline.run("cut")
    assert str(caught.value) == (
        "SWATH_DECISIONS is not set: this is no job of a compiled pipeline\n"
        "  the compiled pipeline sets it; to run stages by hand: swath run"
    )


def test_a_fragment_that_is_missing_is_told(house: JobBench) -> None:
    pipeline = house.pipeline()
    with pytest.raises(UserError) as caught:
        pipeline.run("learn")
    path = fragment_path(pipeline.environ["SWATH_PIPELINE"], 1, "cut")
    assert str(caught.value) == (
        f"the job 'cut' left no fragment in the DVC remote ({path})\n  retry the job 'cut', then this one"
    )


def test_a_fragment_that_is_cut_off_is_told(house: JobBench) -> None:
    pipeline = house.pipeline()
    pipeline.run("cut")
    path = house.far / fragment_path(pipeline.environ["SWATH_PIPELINE"], 1, "cut")
    path.write_text(path.read_text()[:300])
    with pytest.raises(UserError, match="is cut off or damaged"):
        pipeline.run("learn")


def test_a_fragment_of_another_commit_is_refused(house: JobBench) -> None:
    pipeline = house.pipeline(7)
    house.bench.commit("again")
    other = house.pipeline(7)
    pipeline.run("cut")
    with pytest.raises(UserError) as caught:
        other.run("learn")
    assert str(caught.value).startswith("the fragment swath/7/1/cut.json is not of this pipeline: it is of commit ")


def test_an_own_fragment_that_is_damaged_is_written_anew(house: JobBench) -> None:
    pipeline = house.pipeline()
    pipeline.run("cut")
    path = house.far / fragment_path(pipeline.environ["SWATH_PIPELINE"], 1, "cut")
    path.write_text("{")
    pipeline.run("cut")
    assert pipeline.fragment("cut").attempt == 2


SECRETS = {
    "SWATH_TOKEN": "hush-token",
    "CI_JOB_TOKEN": "hush-job",
    "CI_REGISTRY_PASSWORD": "hush-registry",
    "AWS_SECRET_ACCESS_KEY": "hush-aws",
}


def test_no_secret_reaches_service_log_or_fragment(house: JobBench, seen: Path) -> None:
    over = house.root / "settings"
    over.write_text(
        f"['remote \"far\"']\n    url = {house.far}\n['remote \"keys\"']\n    url = ssh://host/x\n    password = hush-remote\n"
    )
    pipeline = house.pipeline()
    bench = pipeline.clone()
    variables = {**SECRETS, "SWATH_DVC_CONFIG": str(over), "API_KEY_OF_LEARN": "its own"}
    pipeline.run("cut")
    log = pipeline.run("learn", bench, **variables)
    environment = (seen / "learn.env").read_text()
    assert "API_KEY_OF_LEARN=its own" in environment
    swath = "".join(path.read_text() for path in (bench.root / ".swath").rglob("*") if path.is_file())
    remote = "".join(path.read_text(errors="replace") for path in house.far.rglob("*") if path.is_file())
    for text in (environment, log, swath, remote, bench.read(".dvc/config")):
        assert "hush" not in text


def test_a_plain_command_sees_no_secret_either(tmp_path: Path) -> None:
    stage = {"cmd": 'env > out; test -n "$DVC_ROOT"', "deps": ["in"], "outs": ["out"]}
    house = JobBench(tmp_path, {"in": "1", "dvc.yaml": {"stages": {"a": stage}}})
    pipeline = house.pipeline()
    bench = pipeline.clone()
    pipeline.run("a", bench, **SECRETS)
    assert "hush" not in bench.read("out")
    assert "DVC_STAGE=a" in bench.read("out")


def test_a_runners_cache_is_shared_without_copies(house: JobBench, seen: Path) -> None:
    shared = house.root / "shared"
    shared.mkdir()
    house.bench.write({"swath.yaml": f"runners:\n  - {{tags: [docker], cache: {shared}}}\n"})
    house.bench.commit()
    pipeline = house.pipeline()
    pipeline.run_all()
    assert [pipeline.fragment(name).stages[name].pulled_bytes for name in pipeline.names] == [0, 0, 0]
    learn = pipeline.clones[1]
    assert not (learn.root / ".dvc/cache").exists()
    tile = learn.root / "tiles/1"
    assert tile.is_symlink() or tile.stat().st_nlink > 1
    folder = next((shared / "files/md5").iterdir())
    assert folder.stat().st_mode & 0o7777 == 0o2775
    assert not list((shared / "swath/scratch").rglob("epochs"))


@pytest.mark.parametrize(("where", "is_gone"), [("true", True), ("", False)])
def test_the_cache_of_a_kept_checkout_loses_what_nobody_used_for_long(
    house: JobBench, where: str, *, is_gone: bool
) -> None:
    pipeline = house.pipeline()
    bench = pipeline.clone()
    old = bench.root / ".dvc/cache/files/md5/ab" / ("c" * 30)
    old.parent.mkdir(parents=True)
    old.write_text("old")
    os.utime(old, (1, 1))
    log = pipeline.run("cut", bench, GITLAB_CI=where)
    assert old.exists() != is_gone
    assert ("swath: 3B that nobody has used for long removed from the runner's cache\n" in log) == is_gone


def test_the_cache_of_a_kept_checkout_makes_room(house: JobBench, monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline = house.pipeline()
    bench = pipeline.clone()
    old = bench.root / ".dvc/cache/files/md5/ab" / ("c" * 30)
    old.parent.mkdir(parents=True)
    old.write_text("old")
    two_days_ago = time.time() - 2 * 24 * 3600
    os.utime(old, (two_days_ago, two_days_ago))
    monkeypatch.setattr("swath.job.space.free_bytes", lambda _: -1 if old.exists() else 2**60)
    assert "swath: 3B of old objects removed from the runner's cache\n" in pipeline.run("cut", bench, GITLAB_CI="true")
    assert not old.exists()


def test_a_runners_cache_that_is_not_mounted_is_told(house: JobBench) -> None:
    house.bench.write({"swath.yaml": "runners:\n  - {tags: [docker], cache: /no/cache}\n"})
    house.bench.commit()
    with pytest.raises(UserError) as caught:
        house.pipeline().run("cut")
    assert str(caught.value) == (
        "the runner's cache /no/cache is not there for this job, or cannot be written\n"
        '  mount it into jobs, writable: volumes = ["/no/cache:/no/cache"] in config.toml; or correct `runners`'
    )


def test_too_little_space_is_a_passing_fault_before_the_start(house: JobBench) -> None:
    house.bench.write(
        {
            "swath.yaml": "runners:\n  - {tags: [docker], disk: 4000TiB}\nservices:\n  cut: {resources: {disk: 3000TiB}}\n"
        }
    )
    house.bench.commit()
    pipeline = house.pipeline()
    with pytest.raises(PassingFaultError) as caught:
        pipeline.run("cut")
    assert " of free space, the stage needs 2.9PiB: free some, or ask for less (resources.disk)" in str(caught.value)
    assert pipeline.fragment("cut").stages["cut"].exit == 75


def test_it_works_with_the_programs_of_the_tool_layer_and_leaves_nothing_that_counts(
    house: JobBench, tmp_path: Path
) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("sh", "cat", "cp", "env", "mkdir", "wc", "sleep", "touch", "git"):  # bin/swath brings Git
        found = shutil.which(name)
        assert found
        (programs / name).symlink_to(found)
    pipeline = house.pipeline()
    bench = pipeline.clone()
    job = pipeline.start("cut", bench, PATH=str(programs))
    said, _ = job.communicate(timeout=120)
    assert job.returncode == 0, said
    assert (bench.root / ".gitignore").read_text() == "/tiles\n/model\n"
    assert bench.command("git", "status", "--porcelain").stdout == "?? .gitignore\n"
    assert sorted(p.name for p in (bench.root / ".swath").iterdir()) == [".gitignore", "fragment.json", "logs"]


def test_stages_of_one_job_hand_their_data_on_without_a_pull(tmp_path: Path) -> None:
    stages = {
        "a": {"cmd": "cp in a.txt", "deps": ["in"], "outs": ["a.txt"]},
        "b": {"cmd": "mkdir b && cp a.txt b/1 && echo 2 > b/2", "deps": ["a.txt"], "outs": ["b"]},
        "c": {"cmd": "cat b/1 > m.json", "deps": ["b/1"], "metrics": [{"m.json": {"cache": False}}]},
    }
    house = JobBench(tmp_path, {"in": "1\n", "dvc.yaml": {"stages": stages}})
    pipeline = house.pipeline()
    (name,) = pipeline.names
    pipeline.run(name)
    records = pipeline.fragment(name).stages
    assert list(records) == ["a", "b", "c"]
    assert [record.pulled_bytes for record in records.values()] == [0, 0, 0]
    bench = pipeline.clone()
    bench.run()
    assert bench.lock() == pipeline.locks()


def test_a_dep_inside_and_one_around_outputs_are_fetched_exactly(tmp_path: Path) -> None:
    stages = {
        "make": {"cmd": "mkdir -p d/x && echo 1 > d/x/1 && echo 22 > d/x/2", "deps": ["in"], "outs": ["d/x"]},
        "inside": {"cmd": "cp d/x/1 one", "deps": ["d/x/1"], "outs": ["one"]},
        "around": {"cmd": "cat d/x/* d/own > all", "deps": ["d"], "outs": ["all"]},
    }
    house = JobBench(
        tmp_path, {"in": "1\n", "d/own": "own\n", "dvc.yaml": {"stages": stages}, ".dvcignore": ".gitignore\n"}
    )
    pipeline = house.pipeline()
    for name in pipeline.names:
        pipeline.run(name)
    bench = pipeline.clone()
    bench.run()
    assert bench.lock() == pipeline.locks()


def test_imports_come_from_their_repository_and_other_data_from_the_remote_it_names(tmp_path: Path) -> None:
    source = make_repository(tmp_path / "source", {"git.txt": "git\n"})
    source.write({"folder/a": "a\n", "folder/b": "b\n"})
    source.command("dvc", "add", "-q", "folder")
    source.add_remote("far", str(tmp_path / "source-far"))
    source.commit("data")
    source.command("dvc", "push", "-q")
    stage = {"cmd": "cat git.txt folder/a own > all", "deps": ["git.txt", "folder/a", "own"], "outs": ["all"]}
    house = JobBench(tmp_path, {"dvc.yaml": {"stages": {"join": stage}}})
    for path in ("git.txt", "folder"):
        house.bench.command("dvc", "import", "-q", str(source.root), path, "-o", path)
    house.bench.write({"own": "own\n"})
    house.bench.command("dvc", "add", "-q", "own")
    house.bench.command("dvc", "remote", "add", "-q", "second", str(tmp_path / "second"))
    house.bench.write({"own.dvc": house.bench.read("own.dvc") + "  remote: second\n"})
    house.bench.command("dvc", "push", "-q")
    house.bench.commit("Data")
    assert len(list((tmp_path / "second").rglob("files/md5/*/*"))) == 1
    pipeline = house.pipeline()
    pipeline.run("join")
    house.bench.run()
    assert house.bench.read("all") == "git\na\nown\n"
    assert pipeline.locks() == house.bench.lock()


@pytest.mark.parametrize("cache", [True, False])
def test_an_output_that_persists_grows_from_job_to_job_as_it_does_here(tmp_path: Path, cache: bool) -> None:  # noqa: FBT001
    cmd = "mkdir -p all && cp in all/$(cat in) && ls all | wc -l > count"
    stage = {"cmd": cmd, "deps": ["in"], "outs": [{"all": {"persist": True, "cache": cache}}, "count"]}
    house = JobBench(tmp_path, {"in": "one\n", "dvc.yaml": {"stages": {"gather": stage}}})
    house.bench.run()
    house.bench.command("dvc", "push", "-q")
    house.bench.write({"in": "two\n"})
    house.bench.commit("More")
    pipeline = house.pipeline()
    pipeline.run("gather")
    house.bench.run()
    assert house.bench.read("count").strip() == "2"
    assert pipeline.locks() == house.bench.lock()


def test_an_output_that_persists_and_was_never_pushed_is_not_begun_anew(tmp_path: Path) -> None:
    stage = {"cmd": "cat in >> all", "deps": ["in"], "outs": [{"all": {"persist": True}}]}
    house = JobBench(tmp_path, {"in": "one\n", "dvc.yaml": {"stages": {"gather": stage}}})
    house.bench.run()
    house.bench.write({"in": "two\n"})
    house.bench.commit("More")
    with pytest.raises(UserError) as caught:
        house.pipeline().run("gather")
    assert str(caught.value) == (
        "all: the DVC remote 'far' does not have 5bbf5a52328e7439ae6e719dfe712200\n"
        "  push from a clone that has them (dvc push), or run the stages that make them again"
    )


def git_owned_by_another(bench: Bench) -> None:
    subprocess.run(["chown", "-R", "12345", str(bench.root / ".git")], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_a_checkout_of_another_user_will_do(house: JobBench) -> None:
    pipeline = house.pipeline()
    bench = pipeline.clone()
    git_owned_by_another(bench)
    subprocess.run(["chown", "12345", str(bench.root)], check=True)
    job = pipeline.start("cut", bench)
    said, _ = job.communicate(timeout=120)
    assert job.returncode == 0, said


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become others")
def test_a_user_without_name_and_home_will_do(tmp_path: Path) -> None:
    stage = {"cmd": "id -u > out", "deps": ["in"], "outs": ["out"]}
    house = JobBench(tmp_path, {"in": "1", "dvc.yaml": {"stages": {"a": stage}}})
    pipeline = house.pipeline()
    bench = pipeline.clone()
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_uid == 0 and str(folder) not in {"/", "/tmp"}:
            folder.chmod(folder.stat().st_mode | 0o055)
    subprocess.run(["chown", "-R", "12345:12345", str(bench.root), str(house.far)], check=True)
    nameless = {"HOME", "USER", "LOGNAME", "USERNAME", "LNAME"}
    environ = {name: value for name, value in {**ENVIRON, **pipeline.environ}.items() if name not in nameless}
    words = [sys.executable, "-m", "swath", "job", "run", "a", "--plan-digest", pipeline.plan.digest]
    reading = "-all,+dac_read_search"  # the Python of this machine may lie in root's home
    user = ["setpriv", "--reuid=12345", "--regid=12345", "--clear-groups", f"--inh-caps={reading}"]
    user.append(f"--ambient-caps={reading}")
    done = subprocess.run([*user, *words], cwd=bench.root, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert bench.read("out") == "12345\n"
