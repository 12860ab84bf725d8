"""`local/project.py`: one reading of a repository."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.plain_repository import make_repository
from swath.dvc_border.repository import Repository
from swath.errors import FindingsError
from swath.local.journal import Journal
from swath.local.project import read_project, stage_order
from swath.schema.lock_text import write_lock

FILES = {
    "dvc.yaml": "stages:\n  b:\n    cmd: b\n    deps: [x]\n  a:\n    cmd: a\n    outs: [x]\n",
    "sub/dvc.yaml": "stages:\n  b:\n    cmd: c\n",
    "dvc.lock": write_lock({"a": {"cmd": "a"}, "b": {"cmd": "old"}, "gone": {"cmd": "x"}}),
    "sub/dvc.lock": write_lock({"b": {"cmd": "c"}}),
    "data.dvc": "outs:\n- path: data\n",
}


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return make_repository(tmp_path, FILES)


def test_entries_are_those_of_stages_that_exist(repository: Repository) -> None:
    project = read_project(repository)
    assert project.entries == {"a": {"cmd": "a"}, "b": {"cmd": "old"}, "sub/dvc.yaml:b": {"cmd": "c"}}
    assert [out.path for out in project.data] == ["data"]


def test_the_journal_stands_over_the_lock(repository: Repository) -> None:
    journal = Journal(repository.tmp_dir)
    journal.append(read_project(repository).graph.stages["b"], {"cmd": "new"})
    journal.close()
    assert read_project(repository).entries["b"] == {"cmd": "new"}
    assert read_project(repository).entries["sub/dvc.yaml:b"] == {"cmd": "c"}


def test_a_journal_of_a_workflow_that_is_gone_does_not_count(repository: Repository) -> None:
    journal = Journal(repository.tmp_dir)
    journal.append(read_project(repository).graph.stages["sub/dvc.yaml:b"], {"cmd": "new"})
    journal.close()
    (repository.root / "sub/dvc.yaml").unlink()
    assert set(read_project(Repository(repository.root)).entries) == {"a", "b"}


def test_new_entries_enter_the_lock_in_the_order_of_the_file(repository: Repository) -> None:
    assert stage_order(read_project(repository).loaded) == {"dvc.yaml": ["b", "a"], "sub/dvc.yaml": ["b"]}


def test_the_workspace_answers_from_the_entries(repository: Repository) -> None:
    project = read_project(repository)
    assert project.workspace().locked(project.graph.stages["b"]) == {"cmd": "old"}
    assert project.workspace(["a"]).locked(project.graph.stages["b"]) == {"cmd": "old"}


def test_wrong_files_are_all_told(tmp_path: Path) -> None:
    repository = make_repository(tmp_path, {"dvc.yaml": "stages: 1\n", "sub/dvc.yaml": "stages: 2\n"})
    with pytest.raises(FindingsError) as caught:
        read_project(repository)
    assert [finding.place.file for finding in caught.value.findings] == ["dvc.yaml", "sub/dvc.yaml"]
