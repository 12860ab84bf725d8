"""`record/branch.py`: results become a commit on the branch, also when it moves."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from support.gitlab_checkout import Project, fragments_of, make_project, recording_of, results_of
from support.repositories import CLEAN
from swath.errors import PassingFaultError, UserError
from swath.record.branch import record_commit
from swath.record.merge import merge_fragments


def no_pause(_seconds: float) -> None:
    """Tests do not wait."""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return make_project(tmp_path)


def test_the_lock_is_byte_equal_to_the_one_of_swath_run(project: Project) -> None:
    results = results_of(project)
    local = project.clone()
    local.run()
    checkout = project.checkout()
    recorded = record_commit(recording_of(project, checkout, results), "main")
    assert (recorded.how, recorded.name) == ("commit", "main")
    for name in ("dvc.lock", "use/dvc.lock", ".gitignore", "data/.gitignore", "use/.gitignore", "metrics.json"):
        assert project.show(f"main:{name}") == local.read(name), name


def test_only_these_paths_are_in_the_commit_and_the_checkout_is_not_touched(project: Project) -> None:
    results = results_of(project)
    checkout = project.checkout()
    checkout.write({"params.yaml": "lr: 7\n", "stray": "x"})
    checkout.command("git", "add", "stray")
    before = checkout.command("git", "status", "--porcelain").stdout
    recorded = record_commit(recording_of(project, checkout, results), "main")
    assert checkout.command("git", "status", "--porcelain").stdout == before
    changed = project.git("diff-tree", "--no-commit-id", "--name-only", "-r", "main").split()
    assert changed == [
        ".gitignore", "data/.gitignore", "dvc.lock", "metrics.json", "use/.gitignore", "use/dvc.lock"
    ]  # fmt: skip
    assert project.git("rev-parse", "main^") == recorded.parent == project.commit()


def test_the_commit_is_the_bots_at_the_pipelines_time(project: Project) -> None:
    record_commit(recording_of(project, project.checkout(), results_of(project)), "main")
    seen = project.git("log", "-1", "--format=%an <%ae> %aI|%cn <%ce> %cI|%(trailers:key=Swath-Pipeline)", "main")
    who = "Swath <swath@localhost> 2026-11-22T20:00:00Z"
    assert seen.replace("+00:00", "Z") == f"{who}|{who}|Swath-Pipeline: 4711"


def test_a_fresh_clone_of_it_is_up_to_date(project: Project) -> None:
    local = project.checkout()
    local.run()
    results = merge_fragments(project.commit(), fragments_of(local, project.commit()))
    record_commit(recording_of(project, project.checkout(), results), "main")
    fresh = project.clone()
    cache = local.root / ".dvc" / "cache"
    fresh.command("dvc", "config", "--local", "cache.dir", str(cache))
    fresh.command("dvc", "checkout", "-q")
    assert fresh.dvc_status() == CLEAN
    assert fresh.did() == {}


def test_a_retried_job_does_nothing_more(project: Project) -> None:
    results = results_of(project)
    first = record_commit(recording_of(project, project.checkout(), results), "main")
    again = record_commit(recording_of(project, project.checkout(), results), "main")
    assert again.how == "already recorded"
    assert project.served() == first.commit


def test_results_that_the_lock_has_already_need_no_commit(project: Project) -> None:
    results = results_of(project)
    record_commit(recording_of(project, project.checkout(), results), "main")
    project.developer.command("git", "pull", "-q")
    same = merge_fragments(project.commit(), [])
    object.__setattr__(same, "stages", results.stages)
    again = record_commit(recording_of(project, project.checkout(), same, "4712"), "main")
    assert (again.how, again.commit) == ("nothing new", None)


def test_the_branch_moved_elsewhere(project: Project) -> None:
    results, checkout = results_of(project), project.checkout()
    moved = project.push(files={"README": "new\n", "params.yaml": {"lr": 0.1, "other": 2}})
    recorded = record_commit(recording_of(project, checkout, results), "main")
    assert recorded.parent == moved == project.git("rev-parse", "main^")
    assert project.show("main:README") == "new\n"
    assert recorded.changes.stages == ("prepare", "train", "use/dvc.yaml:use")
    assert recorded.changes.left_out == {"apart": "its command, inputs or parameters are others there"}


def test_what_the_moved_branch_makes_stale_is_not_recorded(project: Project) -> None:
    results, checkout = results_of(project), project.checkout()
    project.push(files={"params.yaml": {"lr": 0.2, "other": 1}})
    recorded = record_commit(recording_of(project, checkout, results), "main")
    assert recorded.changes.stages == ("prepare",)
    assert set(recorded.changes.left_out) == {"apart", "train", "use/dvc.yaml:use"}
    assert "metrics.json" not in project.git("ls-tree", "--name-only", "main").split()


def test_a_newer_entry_of_another_pipeline_stays(project: Project) -> None:
    old, checkout = results_of(project), project.checkout()
    project.push(files={"params.yaml": {"lr": 0.2, "other": 1}})
    newer = results_of(project)
    record_commit(recording_of(project, project.checkout(), newer, "4712"), "main")
    lock, head = project.show("main:dvc.lock"), project.served()
    recorded = record_commit(recording_of(project, checkout, old), "main")
    assert recorded.how == "nothing new"
    assert (project.show("main:dvc.lock"), project.served()) == (lock, head)


def test_equal_inputs_with_other_results_of_another_pipeline_stay(project: Project) -> None:
    ours, checkout = results_of(project, stages=("prepare",)), project.checkout()
    theirs = results_of(project, stages=("prepare",))
    entry = dict(theirs.stages["prepare"].lock or {})
    entry["outs"] = [{"path": "mid", "hash": "md5", "md5": "0" * 32 + ".dir", "size": 4, "nfiles": 1}]
    record = type(theirs.stages["prepare"])(entry)
    object.__setattr__(theirs, "stages", {"prepare": record})
    record_commit(recording_of(project, project.checkout(), theirs, "1"), "main")
    recorded = record_commit(recording_of(project, checkout, ours, "2"), "main")
    assert recorded.how == "nothing new"
    assert recorded.changes.left_out == {"prepare": "another pipeline has recorded it"}


@pytest.mark.slow
def test_two_pipelines_at_once_both_survive(project: Project) -> None:
    whole = results_of(project)
    halves = [("prepare",), ("apart",)]
    recordings = []
    for number, names in enumerate(halves):
        part = merge_fragments(whole.commit, [])
        object.__setattr__(part, "stages", {name: whole.stages[name] for name in names})
        object.__setattr__(part, "ignores", whole.ignores)
        recordings.append(recording_of(project, project.checkout(), part, str(number)))
    start = threading.Barrier(len(recordings))
    said: list[str] = []

    def work(number: int) -> None:
        start.wait()
        said.append(record_in_own_process(project, recordings[number]))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(len(recordings))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert said == ["commit", "commit"]
    lock = project.show("main:dvc.lock")
    assert "  prepare:\n" in lock
    assert "  apart:\n" in lock
    assert project.git("rev-list", "--count", "main") == "3"


def record_in_own_process(project: Project, recording: object) -> str:
    """`record_commit`, in a process of its own: it changes the working directory."""
    import multiprocessing

    with multiprocessing.get_context("fork").Pool(1) as pool:
        return pool.apply(_record, (recording_fields(recording), project.url))


def recording_fields(recording: object) -> tuple[object, ...]:
    return (recording.repository.root, recording.results, recording.pipeline)  # type: ignore[attr-defined]


def _record(fields: tuple[object, ...], url: str) -> str:
    from support.repositories import Bench

    root, results, pipeline = fields
    project = Project(Path(url).parent, Bench(Path(url).parent / "developer"))
    return record_commit(recording_of(project, Bench(root), results, pipeline), "main").how  # type: ignore[arg-type]


def test_a_branch_that_is_gone_is_told(project: Project) -> None:
    with pytest.raises(UserError) as caught:
        record_commit(recording_of(project, project.checkout(), results_of(project)), "gone")
    assert str(caught.value) == (
        f"the branch gone is gone from {project.url}\n"
        "  its results stay in the DVC remote; run the pipeline again on a branch that exists"
    )


def test_a_branch_that_moves_again_and_again_is_a_passing_fault(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording = recording_of(project, project.checkout(), results_of(project))
    monkeypatch.setattr("swath.record.branch.push", lambda *_: "moved")
    with pytest.raises(PassingFaultError) as caught:
        record_commit(recording, "main", pause=no_pause)
    assert str(caught.value) == "the branch main moved again and again while this job pushed; retry it later"


def test_from_a_shallow_clone_onto_a_branch_that_moved(project: Project) -> None:
    project.push(files={"README": "1\n"})
    results = results_of(project)
    checkout = project.checkout(depth=1)
    project.push(files={"README": "2\n"})
    moved = project.push(files={"README": "3\n"})
    recorded = record_commit(recording_of(project, checkout, results), "main")
    assert (recorded.how, recorded.parent) == ("commit", moved)
    assert project.show("main:README") == "3\n"
    again = record_commit(recording_of(project, checkout, results), "main")
    assert again.how == "already recorded"
