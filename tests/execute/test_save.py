"""`execute/save.py`: outputs into the cache and back; the entries are those that DVC writes."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from support.plain_repository import make_repository, reproduce
from swath.dvc_border.workspace import Workspace
from swath.errors import UserError
from swath.execute.save import restore_outputs, save_outputs
from swath.local.project import read_project
from swath.model.lock_entry import LockEntry
from swath.model.stage import Output, Stage
from swath.plan.decide import inputs_entry

DVC_YAML: Final[dict[str, Any]] = {
    "stages": {
        "make": {
            "cmd": "mkdir -p z && cp in.txt z/one && cp in.txt a && chmod +x a && echo '{}' > m.json",
            "deps": ["in.txt", "code"],
            "params": ["lr"],
            "outs": ["z", "a"],
            "metrics": [{"m.json": {"cache": False}}],
        }
    }
}
FILES: Final = {
    "in.txt": "one", "code/x.py": "1", "params.yaml": "lr: 0.1\n", "dvc.yaml": yaml.safe_dump(DVC_YAML, sort_keys=False),
}  # fmt: skip


def stage(*outs: Output) -> Stage:
    return Stage("a", "dvc.yaml", "a", "a", "true", ".", (), outs)


def test_the_entry_is_the_one_that_dvc_writes(tmp_path: Path) -> None:
    repository = make_repository(tmp_path, FILES)
    reproduce(tmp_path)
    lock = yaml.safe_load((tmp_path / "dvc.lock").read_text())["stages"]["make"]
    (tmp_path / "dvc.lock").unlink()
    project = read_project(repository)
    workspace = project.workspace()
    made = project.graph.stages["make"]
    entry = save_outputs(workspace, made, inputs_entry(made, workspace))
    assert entry == lock
    assert [list(item) for item in entry["outs"]] == [list(item) for item in lock["outs"]]  # type: ignore[union-attr, arg-type]


@pytest.fixture
def saved(tmp_path: Path) -> tuple[Workspace, Stage, LockEntry]:
    """A folder, a file and a metric that are saved."""
    repository = make_repository(tmp_path, {"out/x": "1", "file": "2", "m.json": "{}"})
    made = stage(Output("out", "out"), Output("m.json", "m.json", "metrics", cache=False), Output("file", "file"))
    workspace = Workspace(repository, {})
    return workspace, made, save_outputs(workspace, made, {"cmd": "true"})


def test_outs_are_sorted_by_path(saved: tuple[Workspace, Stage, LockEntry]) -> None:
    _, _, entry = saved
    assert [item["path"] for item in entry["outs"]] == ["file", "m.json", "out"]  # type: ignore[union-attr, index, call-overload]


@pytest.mark.parametrize("name", ["out", "file"])
def test_what_was_saved_is_restored(saved: tuple[Workspace, Stage, LockEntry], name: str) -> None:
    workspace, made, entry = saved
    path = Path(workspace.absolute(name))
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    again = restore_outputs(Workspace(workspace.repository, {}), made, entry, {"cmd": "new"})
    assert again == {**entry, "cmd": "new"}
    assert path.exists()


def test_what_is_there_is_not_touched(saved: tuple[Workspace, Stage, LockEntry]) -> None:
    workspace, made, entry = saved
    path = Path(workspace.absolute("file"))
    before = path.stat()
    restore_outputs(Workspace(workspace.repository, {}), made, entry, {"cmd": "true"})
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_an_output_outside_the_cache_stays_out_of_it(saved: tuple[Workspace, Stage, LockEntry]) -> None:
    workspace, _, entry = saved
    files = [path for path in Path(workspace.cache.folder).rglob("*") if path.is_file()]
    assert len(files) == 3  # out's file, out's list, file: a stage without deps does not fill the run cache
    assert entry["outs"][1]["hash"] == "md5"  # type: ignore[index, call-overload]


@pytest.mark.parametrize("kind", ["nothing", "link"])
def test_an_output_that_was_not_written_is_named(tmp_path: Path, kind: str) -> None:
    workspace = Workspace(make_repository(tmp_path, {}), {})
    if kind == "link":
        (tmp_path / "out").symlink_to("nowhere")
    with pytest.raises(UserError) as caught:
        save_outputs(workspace, stage(Output("out", "out")), {"cmd": "true"})
    what = "is a link to nothing" if kind == "link" else "was not written"
    message = f"the output out {what}\n  see the log of the stage: its command ended well without writing it"
    assert str(caught.value) == message


def test_a_result_that_lacks_an_output_is_not_restored(saved: tuple[Workspace, Stage, LockEntry]) -> None:
    workspace, made, entry = saved
    with pytest.raises(UserError) as caught:
        restore_outputs(workspace, made, {**entry, "outs": []}, {"cmd": "true"})
    assert str(caught.value) == "the cached result of stage a has no out"


def test_a_hash_of_dvc_2_stays_while_the_content_does(tmp_path: Path) -> None:
    repository = make_repository(tmp_path, {"out": "a\n"})
    old = "60b725f10c9c85c70d97880dfe8191b3"
    made = stage(Output("out", "out"))
    item = {"path": "out", "md5": old, "size": 2}
    workspace = Workspace(repository, {"a": {"cmd": "true", "outs": [item]}})
    target = Path(workspace.cache.folder) / old[:2] / old[2:]
    target.parent.mkdir(parents=True)
    target.write_text("a\n")
    assert save_outputs(workspace, made, {"cmd": "true"})["outs"] == [item]
    (tmp_path / "out").write_text("changed")
    (new,) = save_outputs(workspace, made, {"cmd": "true"})["outs"]  # type: ignore[misc, union-attr]
    assert new["hash"] == "md5"  # type: ignore[index, call-overload]


def test_no_outputs_make_no_section(tmp_path: Path) -> None:
    workspace = Workspace(make_repository(tmp_path, {}), {})
    assert save_outputs(workspace, stage(), {"cmd": "true"}) == {"cmd": "true"}
