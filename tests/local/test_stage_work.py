"""`local/stage_work.py`: one stage from its inputs to its entry."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import pytest
import yaml

from support.plain_repository import make_repository
from swath.dvc_border.gitignore import LateIgnores
from swath.dvc_border.repository import Repository
from swath.dvc_border.rwlock import PathLocks
from swath.errors import InterruptedRunError, PassingFaultError
from swath.execute.attempts import ServiceCall
from swath.local.journal import Journal
from swath.local.project import read_project
from swath.local.stage_work import StageReport, StageWork, Tools
from swath.model.invocation import Outcome
from swath.model.service import Resources
from swath.model.settings import StageOptions
from swath.model.stage import Stage
from swath.model.units import Size


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHELL", "/bin/sh")
    monkeypatch.setattr("swath.execute.attempts._BACK_OFF_S", 0.01)


class Case:
    """A repository with one stage `a`, and the work on it."""

    def __init__(self, root: Path, stage: dict[str, Any], files: dict[str, str | bytes] | None = None) -> None:
        self.root = root
        text = yaml.safe_dump({"stages": {"a": stage}}, sort_keys=False)
        self.repository = make_repository(root, {**(files or {}), "dvc.yaml": text})
        self.stop = threading.Event()
        self.attempts: list[int] = []
        self.shortage = ""
        self.resources = Resources()
        self.service: Callable[[], Outcome] = lambda: Outcome(0, "", 1.0)

    def start(self, call: ServiceCall, log: BinaryIO, stop: threading.Event) -> Outcome:
        """Stands for a service."""
        return self.service()

    def do(self, *, forced: bool = False, retries: int = 0, gpus: tuple[str, ...] = ()) -> StageReport:
        """Do the stage as a run would."""
        project = read_project(Repository(self.root))
        stage = project.graph.stages["a"]
        journal = Journal(self.repository.tmp_dir)
        tools = Tools(
            workspace=project.workspace(),
            journal=journal,
            locks=PathLocks(self.repository),
            ignores=LateIgnores(self.repository, ()),
            logs=self.repository.tmp_dir / "logs",
            options=lambda stage: StageOptions(self.resources, None, retries),
            start_service=self.start,
            shortage=lambda stage: self.shortage,
            started=lambda stage, attempt: self.attempts.append(attempt),
            forced=frozenset({"a"} if forced else ()),
        )
        try:
            return StageWork(tools, self.stop).do(stage, gpus)
        finally:
            journal.close()

    def entries(self) -> dict[str, Any]:
        """What the journal says."""
        return Journal(self.repository.tmp_dir).read().get("dvc.yaml", {})


def copy(root: Path, cmd: str | list[str] = "cp in out", **more: Any) -> Case:
    """A stage that copies a file."""
    return Case(root, {"cmd": cmd, "deps": ["in"], "outs": ["out"], **more}, {"in": "one"})


def test_it_runs_then_is_unchanged(tmp_path: Path) -> None:
    case = copy(tmp_path)
    report = case.do()
    assert (report.did, report.attempts, case.attempts) == ("ran", 1, [1])
    assert list(case.entries()["a"]) == ["cmd", "deps", "outs"]
    assert case.do().did == "unchanged"


def test_it_is_restored_when_the_cache_has_it(tmp_path: Path) -> None:
    case = copy(tmp_path)
    case.do()
    (tmp_path / "out").unlink()
    assert case.do().did == "restored"
    assert (tmp_path / "out").read_text() == "one"
    assert case.attempts == [1]


def test_a_stop_while_it_is_restored_is_no_failure(tmp_path: Path) -> None:
    case = copy(tmp_path)
    case.do()
    (tmp_path / "out").unlink()
    case.stop.set()
    assert case.do().did == "stopped"
    assert not (tmp_path / "out").exists()


def test_forced_it_runs_all_the_same(tmp_path: Path) -> None:
    case = copy(tmp_path)
    case.do()
    assert case.do(forced=True).did == "ran"


def test_its_log_has_commands_and_what_they_say(tmp_path: Path) -> None:
    case = copy(tmp_path, ["echo hello", "cp in out"])
    log = case.do().log
    assert log is not None
    assert log.read_text() == "$ echo hello\nhello\n$ cp in out\n"


def test_a_command_that_fails_ends_the_stage(tmp_path: Path) -> None:
    case = copy(tmp_path, ["exit 3", "cp in out"])
    report = case.do()
    assert (report.did, report.message, report.passing) == ("failed", "it ended with exit code 3", False)
    assert not (tmp_path / "out").exists()
    assert case.entries() == {}


def test_exit_code_75_may_pass(tmp_path: Path) -> None:
    assert copy(tmp_path, "exit 75").do().passing


def test_retries_come_after_a_pause_that_the_log_tells(tmp_path: Path) -> None:
    case = copy(tmp_path, "test -e again && cp in out; touch again; test -e out")
    report = case.do(retries=2)
    assert (report.did, report.attempts, case.attempts) == ("ran", 2, [1, 2])
    assert report.log is not None
    assert "\nswath: it ended with exit code 1; attempt 2 in 0.01 s\n" in report.log.read_text()


@pytest.mark.parametrize("retries", [0, 1, 3])
def test_retries_are_counted_beside_the_first_attempt(tmp_path: Path, retries: int) -> None:
    case = copy(tmp_path, "false")
    assert case.do(retries=retries).attempts == retries + 1


def test_old_outputs_are_away_when_it_starts(tmp_path: Path) -> None:
    case = copy(tmp_path, "test ! -e out && cp in out")
    (tmp_path / "out").write_text("old")
    assert case.do().did == "ran"


def test_an_output_that_persists_stays(tmp_path: Path) -> None:
    case = copy(tmp_path, "cat in >> out", outs=[{"out": {"persist": True}}])
    case.do()
    case.do(forced=True)
    assert (tmp_path / "out").read_text() == "oneone"


def test_the_environment_says_root_stage_and_gpus(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    cmd = 'echo "$DVC_ROOT $DVC_STAGE $CUDA_VISIBLE_DEVICES $PWD" > out'
    case = Case(tmp_path, {"cmd": cmd, "wdir": "sub", "outs": ["out"]})
    case.do(gpus=("1", "3"))
    assert (tmp_path / "sub/out").read_text() == f"{tmp_path} a 1,3 {tmp_path}/sub\n"


def test_a_missing_input_is_named(tmp_path: Path) -> None:
    report = Case(tmp_path, {"cmd": "x", "deps": ["in"], "params": ["lr"], "outs": ["out"]}).do()
    assert (report.did, report.message) == (
        "failed",
        "dvc.yaml:2: stages.a: in, params.yaml:lr does not exist\n  make it, fetch it (dvc pull), or correct the path",
    )


def test_an_address_that_does_not_answer_is_named(tmp_path: Path) -> None:
    with socket.socket() as closed:  # bound, never listening: connections are refused
        closed.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{closed.getsockname()[1]}/in"
        report = Case(tmp_path, {"cmd": "x", "deps": [address], "outs": ["out"]}).do()
    assert (report.did, report.message) == (
        "failed",
        f"dvc.yaml:2: stages.a: {address} does not exist\n  see whether the address is right and answers",
    )


def test_an_output_that_was_not_written_is_a_failure(tmp_path: Path) -> None:
    report = copy(tmp_path, "true").do()
    assert (report.did, report.message) == (
        "failed",
        "the output out was not written\n  see the log of the stage: its command ended well without writing it",
    )


def test_what_the_machine_lacks_is_told_before_it_starts(tmp_path: Path) -> None:
    case = copy(tmp_path)
    case.shortage = "it asks for 8 GPUs, this machine has 0"
    report = case.do()
    assert report.message == (
        "dvc.yaml:2: stages.a: it asks for 8 GPUs, this machine has 0\n"
        "  run it on another machine, or ask for less: services.NAME.resources in swath.yaml"
    )
    assert case.attempts == []


def test_a_stop_is_no_failure(tmp_path: Path) -> None:
    case = copy(tmp_path, "sleep 30")
    timer = threading.Timer(0.3, case.stop.set)
    timer.start()
    assert case.do(retries=3).did == "stopped"
    timer.join()
    assert case.attempts == [1]


def test_a_stop_while_an_environment_is_made_is_no_failure(tmp_path: Path) -> None:
    case = copy(tmp_path, "swath exec crop")

    def stopped() -> Outcome:
        raise InterruptedRunError("interrupted while creating the environment")

    case.service = stopped
    assert case.do().did == "stopped"


def test_a_frozen_stage_does_not_run(tmp_path: Path) -> None:
    case = copy(tmp_path, frozen=True)
    (tmp_path / "out").write_text("by hand")
    assert case.do().did == "unchanged"
    assert case.attempts == []
    assert (tmp_path / "out").read_text() == "by hand"


def test_a_frozen_stage_without_its_output_is_told(tmp_path: Path) -> None:
    report = copy(tmp_path, frozen=True).do()
    assert report.message == (
        "dvc.yaml:2: stages.a: the stage is frozen, and its output out does not exist\n"
        "  restore it (dvc checkout, dvc pull), or unfreeze the stage (dvc unfreeze)"
    )


def test_a_passing_fault_of_a_service_may_pass(tmp_path: Path) -> None:
    case = copy(tmp_path, "swath exec split --input in")

    def fail() -> Outcome:
        raise PassingFaultError("the registry does not answer")

    case.service = fail
    report = case.do()
    assert (report.did, report.message, report.passing) == ("failed", "the registry does not answer", True)


def test_paths_are_free_again_after_a_failure(tmp_path: Path) -> None:
    copy(tmp_path, "false").do()
    assert (tmp_path / ".dvc/tmp/rwlock").read_text().strip() == "{}"


def test_too_little_disk_space_is_told_before_the_stage_starts_and_may_pass(tmp_path: Path) -> None:
    case = copy(tmp_path)
    case.resources = Resources(disk=Size.parse("4000PiB"))
    report = case.do()
    assert (report.did, report.passing, case.attempts) == ("failed", True, [])
    assert re.fullmatch(
        rf"it asks for 4000PiB of disk space, and [\d.]+[KMGTP]iB are free on the disk of {tmp_path}: "
        r"free some, or ask for less \(services.NAME.resources in swath.yaml\)",
        report.message,
    )
    case.resources = Resources(disk=Size.parse("1B"))
    assert case.do().did == "ran"


def test_a_disk_that_is_full_for_our_own_files_is_a_passing_fault(tmp_path: Path) -> None:
    case = copy(tmp_path)
    log = tmp_path / ".dvc/tmp/swath/logs/a.log"
    log.parent.mkdir(parents=True)
    log.symlink_to("/dev/full")
    report = case.do()
    assert (report.did, report.message, report.passing) == ("failed", "No space left on device", True)
    assert case.entries() == {}
    log.unlink()
    log.mkdir()
    report = case.do()
    assert (report.did, report.message, report.passing) == ("failed", f"{log}: Is a directory", False)


@pytest.mark.parametrize(
    "names", [("a", "b"), ("a ü", "a ö"), ("x/dvc.yaml:a", "x-dvc.yaml-a"), ("y" * 300, "y" * 301)]
)
def test_each_stage_has_a_log_that_every_disk_takes(tmp_path: Path, names: tuple[str, str]) -> None:
    tools = Tools(None, None, None, None, tmp_path, None, None, None, None)  # type: ignore[arg-type]
    work = StageWork(tools, threading.Event())
    for name in names:
        path = work._log_path(Stage(name, "dvc.yaml", name, name, "true", "."))
        assert path.parent == tmp_path
        path.touch()
    assert len(list(tmp_path.iterdir())) == 2


def test_an_output_with_a_name_that_is_not_utf8_fails_the_stage_alone(tmp_path: Path) -> None:
    case = copy(tmp_path, "mkdir out && cp in \"out/$(printf 'b\\377d')\"")
    report = case.do()
    assert report.did == "failed"
    assert report.message == (
        f"{tmp_path}/out/b\udcffd: the name of this file is not UTF-8\n"
        "  give it another name; DVC keeps names as UTF-8 alone"
    )
    assert case.entries() == {}
