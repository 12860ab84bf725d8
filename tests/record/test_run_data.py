"""`record/run_data.py`: figures as a Git note on what was recorded."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from support.gitlab_checkout import Project, make_project, recording_of
from swath.model.fragment import StageRecord
from swath.record.merge import Results
from swath.record.run_data import NOTES_REF, note_run_data, run_data


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return make_project(tmp_path)


def results(project: Project) -> Results:
    return Results(project.commit(), {"b": StageRecord(None, exit=2), "a": StageRecord({"cmd": "a"}, 1.23456, 1.0, 7)})


def test_the_note_names_each_stage(project: Project) -> None:
    document = json.loads(run_data("4711", results(project)))
    assert (document["version"], document["pipeline"], document["commit"]) == (1, "4711", project.commit())
    assert list(document["stages"]) == ["a", "b"]
    assert document["stages"]["a"] == {
        "wall_s": 1.235, "cpu_s": 1.0, "peak_memory_bytes": 7, "pulled_bytes": 0, "pushed_bytes": 0, "exit": 0
    }  # fmt: skip


def test_git_shows_it_in_a_fresh_clone(project: Project) -> None:
    assert note_run_data(recording_of(project, project.checkout(), results(project)), project.commit())
    fresh = project.clone()
    fresh.command("git", "fetch", "-q", "origin", f"{NOTES_REF}:{NOTES_REF}")
    shown = fresh.command("git", "notes", "--ref=swath", "show", "HEAD").stdout
    assert shown == run_data("4711", results(project))


def test_a_second_note_stands_beside_the_first_and_a_retry_adds_none(project: Project) -> None:
    first = project.commit()
    note_run_data(recording_of(project, project.checkout(), results(project)), first)
    second = project.push("more")
    note_run_data(recording_of(project, project.checkout(), results(project)), second)
    tip = project.served(NOTES_REF)
    assert note_run_data(recording_of(project, project.checkout(), results(project)), first)
    assert project.served(NOTES_REF) == tip
    assert set(project.git("ls-tree", "--name-only", NOTES_REF).split()) == {first, second}


def test_others_that_are_always_quicker_are_no_failure(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("swath.record.run_data.push", lambda *_: "moved")
    recording = recording_of(project, project.checkout(), results(project))
    assert not note_run_data(recording, project.commit(), pause=lambda _: None)
