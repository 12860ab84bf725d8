"""`job/inputs.py`: what a stage reads and is not in the checkout comes, and nothing else."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.plain_repository import read_data_files
from support.repositories import Bench, make_repository
from swath.dvc_border.lock import entries_of_stages, read_entries
from swath.dvc_border.remote_store import RemoteStore
from swath.dvc_border.repository import Repository
from swath.dvc_border.workspace import Workspace
from swath.errors import UserError
from swath.job.facts import JobFacts
from swath.job.inputs import bring_inputs, missing_bytes, needed_inputs, previous_outputs
from swath.load.workflows import load_workflows

STAGES = {
    "cut": {"cmd": "mkdir tiles && echo one > tiles/a && echo two > tiles/b", "outs": ["tiles"]},
    "note": {"cmd": "echo '{}' > note.json", "metrics": [{"note.json": {"cache": False}}]},
    "grow": {"cmd": "echo more >> grown", "deps": ["in.txt"], "outs": [{"grown": {"persist": True}}]},
    "all": {"cmd": "cat tiles/* note.json > all", "deps": ["tiles", "in.txt", "note.json"], "outs": ["all"]},
    "one": {"cmd": "cat tiles/a > one", "deps": ["tiles/a"], "outs": ["one"]},
    "tracked": {"cmd": "cat data.bin > copy", "deps": ["data.bin"], "outs": ["copy"]},
}


class Case:
    """A checkout without data, whose remote has all of it."""

    def __init__(self, root: Path) -> None:
        made = make_repository(root / "made", {"dvc.yaml": {"stages": STAGES}, "in.txt": "x", "data.bin": "data"})
        made.command("git", "rm", "-q", "--cached", "data.bin")
        made.command("dvc", "add", "-q", "data.bin")
        made.add_remote("far", str(root / "far"))
        made.run()
        made.command("dvc", "push", "-q")
        made.commit("run")
        made.command("git", "clone", "-q", str(made.root), str(root / "job"))
        self.bench = Bench(root / "job")
        self.repository = Repository(self.bench.root)
        data = read_data_files(self.repository)
        self.graph = load_workflows(self.repository).graph
        stages = self.graph.stages
        self.entries = entries_of_stages(stages.values(), read_entries(self.repository, ["dvc.yaml"]))
        store = RemoteStore(self.repository)
        self.stores = {None: store, store.name: store}
        self.facts = JobFacts(self.repository, self.entries, self.graph, data, self.stores)
        self.disk = Workspace(self.repository, self.entries)

    def needed(self, stage: str) -> list[str]:
        return [each.path for each in needed_inputs(self.graph.stages[stage], self.facts, self.disk)]

    def bring(self, stage: str) -> int:
        inputs = needed_inputs(self.graph.stages[stage], self.facts, self.disk)
        return bring_inputs(inputs, self.stores, self.disk, threading.Event())


@pytest.fixture
def case(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Case]:
    made = Case(tmp_path)
    monkeypatch.chdir(made.bench.root)
    yield made
    made.disk.hasher.flush()


def test_what_is_not_there_comes_once_and_what_git_has_does_not(case: Case) -> None:
    assert case.needed("all") == ["tiles"]
    assert missing_bytes(needed_inputs(case.graph.stages["all"], case.facts, case.disk), case.facts) == 8
    listing = next((case.bench.root.parent / "far/files/md5").glob("*/*.dir")).stat().st_size
    assert case.bring("all") == 4 + 4 + listing
    assert [(p.name, p.read_text()) for p in sorted((case.bench.root / "tiles").iterdir())] == [
        ("a", "one\n"),
        ("b", "two\n"),
    ]
    assert not (case.bench.root / "data.bin").exists()
    assert case.needed("all") == []


def test_of_a_folder_only_the_file_that_is_read(case: Case) -> None:
    assert case.needed("one") == ["tiles/a"]
    case.bring("one")
    assert [path.name for path in (case.bench.root / "tiles").iterdir()] == ["a"]


def test_tracked_data_and_what_was_edited_here(case: Case) -> None:
    case.bring("tracked")
    assert case.bench.read("data.bin") == "data"
    (case.bench.root / "data.bin").unlink()
    (case.bench.root / "data.bin").write_text("edited")
    assert case.needed("tracked") == ["data.bin"]
    assert case.bring("tracked") == 0  # the cache has it
    assert case.bench.read("data.bin") == "data"


def test_what_a_stage_goes_on_from(case: Case) -> None:
    stages = case.graph.stages
    assert [each.path for each in previous_outputs(stages["grow"], case.facts, case.disk)] == ["grown"]
    assert previous_outputs(stages["all"], case.facts, case.disk) == []


def test_what_was_never_made(case: Case) -> None:
    facts = JobFacts(case.repository, {}, case.graph, (), case.stores)
    with pytest.raises(UserError) as caught:
        needed_inputs(case.graph.stages["one"], facts, case.disk)
    assert str(caught.value) == (
        "dvc.yaml:26: stages.one: tiles, which the stage one reads, was never made\n"
        "  start a new pipeline, or fetch it: dvc pull"
    )


def test_what_the_remote_lacks_is_told_by_its_path(case: Case) -> None:
    shutil.rmtree(case.bench.root.parent / "far/files")
    with pytest.raises(UserError) as caught:
        case.bring("tracked")
    assert str(caught.value).startswith("data.bin: ")
