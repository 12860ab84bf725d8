"""dvc.yaml and `.dvc` files in something that is made are data, as in DVC: their commands never run."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from dvc.repo import Repo

from support.plain_repository import make_repository
from swath.errors import UserError
from swath.load.workflows import load_workflows

if TYPE_CHECKING:
    from pathlib import Path

    from swath.dvc_border.repository import Repository

EVIL = "stages:\n  evil:\n    cmd: touch ../pwned\n"
PARAMS = "keys: [a, b]\nfolder: made\n"


def made(*outs: str) -> str:
    """A workflow with one stage that makes something."""
    return f"stages:\n  make:\n    cmd: x\n    outs: [{', '.join(outs)}]\n"


MADE = {
    "plain": made("made"),
    "not cached": made("made: {cache: false}"),
    "around": made("top/made"),
    "templated": "stages:\n  make:\n    cmd: x\n    outs: ['${folder}']\n",
    "each": "stages:\n  make:\n    foreach: [made, other]\n    do:\n      cmd: x ${item}\n      outs: ['${item}']\n",
    "wdir": "stages:\n  make:\n    wdir: made\n    cmd: x\n    outs: [sub]\n",
    "metrics": "stages:\n  make:\n    cmd: x\n    metrics: [made]\n",
}
PLACES = {"around": "top/made/sub", "wdir": "made/sub"}


def names(repository: Repository) -> list[str]:
    """The stages and the data that count."""
    loaded = load_workflows(repository)
    return sorted([*loaded.graph.stages, *(out.file for out in loaded.data)])


def theirs(root: Path) -> list[str]:
    """The same from DVC."""
    with contextlib.chdir(root), Repo(str(root)) as repo:
        return sorted(stage.addressing for stage in repo.index.stages)


@pytest.mark.parametrize("case", MADE)
def test_files_in_an_output_do_not_count(tmp_path: Path, case: str) -> None:
    place = PLACES.get(case, "made")
    files = {"dvc.yaml": MADE[case], "params.yaml": PARAMS, f"{place}/dvc.yaml": EVIL, f"{place}/deep/dvc.yaml": EVIL}
    files |= {f"{place}/x.dvc": "outs:\n- path: x\n", "own/dvc.yaml": EVIL, "data.dvc": "outs:\n- path: data\n"}
    repository = make_repository(tmp_path, files)
    found = names(repository)
    assert found == theirs(tmp_path)
    assert {"own/dvc.yaml:evil", "data.dvc"} <= set(found)
    assert repository.workflow_files == ("dvc.yaml", "own/dvc.yaml")
    assert repository.data_files == ("data.dvc",)


def test_files_in_tracked_data_do_not_count(tmp_path: Path) -> None:
    files = {"got.dvc": "outs:\n- path: got\n", "got/dvc.yaml": EVIL, "got/in/x.dvc": "outs:\n- path: x\n"}
    assert names(make_repository(tmp_path, files)) == theirs(tmp_path) == ["got.dvc"]


def test_broken_files_in_an_output_stop_nothing(tmp_path: Path) -> None:
    files = {"dvc.yaml": made("made"), "made/dvc.yaml": "stages: [", "made/x.dvc": "outs: 1"}
    assert names(make_repository(tmp_path, files)) == ["make"]


def test_a_broken_file_of_the_repository_is_named(tmp_path: Path) -> None:
    repository = make_repository(tmp_path, {"dvc.yaml": made("made"), "own/x.dvc": "outs: 1"})
    with pytest.raises(UserError, match=r"own/x.dvc: a .dvc file has a list `outs`"):
        load_workflows(repository)


def test_what_a_waiting_stage_may_make_does_not_count_until_it_is_known(tmp_path: Path) -> None:
    workflow = """
vars: [keys.yaml]
stages:
  find: {cmd: x, outs: [{keys.yaml: {cache: false}}]}
  make: {foreach: "${keys}", do: {cmd: "x ${item}", outs: ["made/${item}"]}}
"""
    files = {"dvc.yaml": workflow, "made/a/dvc.yaml": EVIL, "made/dvc.yaml": EVIL, "own/dvc.yaml": EVIL}
    repository = make_repository(tmp_path, files)
    assert names(repository) == ["find", "made/dvc.yaml:evil", "own/dvc.yaml:evil"]
    (tmp_path / "keys.yaml").write_text("keys: [b]\n")
    assert names(repository) == ["find", "made/a/dvc.yaml:evil", "made/dvc.yaml:evil", "make@b", "own/dvc.yaml:evil"]


def test_what_a_service_wrote_as_a_workflow_never_runs(tmp_path: Path) -> None:
    script = "mkdir out; printf 'stages:\\n  evil:\\n    cmd: touch ../pwned\\n' >out/dvc.yaml"
    workflow = "stages:\n  make:\n    cmd: sh make.sh\n    deps: [make.sh]\n    outs: [{out: {cache: false}}]\n"
    make_repository(tmp_path, {"dvc.yaml": workflow, "make.sh": script})
    for _ in range(2):
        subprocess.run([sys.executable, "-m", "swath", "run"], cwd=tmp_path, check=True, capture_output=True)
    assert (tmp_path / "out/dvc.yaml").exists()
    assert not (tmp_path / "pwned").exists()
