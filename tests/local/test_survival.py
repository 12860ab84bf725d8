"""What a run must survive: kills at any moment, Ctrl-C, a full disk, other commands beside it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from support.repositories import CLEAN, Bench, make_repository


def wait_for(path: Path, seconds: float = 60.0) -> None:
    """Wait until a file is there."""
    until = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < until, f"{path} did not come"
        time.sleep(0.02)


def steps(*, slow: int) -> dict[str, object]:
    """A chain of four stages that note their start in $RAN; number `slow` says so and hangs, unless $FAST is set."""
    stages = {}
    for number in range(4):
        hang = 'touch $RAN.slow; test -n "$FAST" || sleep 600; ' if number == slow else ""
        before = [f"o{number - 1}"] if number else ["in.txt"]
        cmd = f"echo s{number} >> $RAN; {hang}(cat {before[0]}; echo {number}) > o{number}"
        stages[f"s{number}"] = {"cmd": cmd, "deps": before, "outs": [f"o{number}"]}
    return {"in.txt": "x\n", "dvc.yaml": {"stages": stages}}


@pytest.fixture
def ran(tmp_path: Path) -> Path:
    """Where stages note their starts."""
    return tmp_path / "ran"


@pytest.fixture
def hanging(tmp_path: Path, ran: Path) -> Iterator[tuple[Bench, subprocess.Popen[str]]]:
    """A run whose third stage hangs."""
    bench = make_repository(tmp_path / "repo", steps(slow=2))
    process = bench.start("run", "-j2", RAN=str(ran))
    wait_for(ran.with_name("ran.slow"))
    yield bench, process
    process.kill()
    process.communicate()


def test_kill_9_of_the_runner_loses_no_finished_stage(hanging: tuple[Bench, subprocess.Popen[str]], ran: Path) -> None:
    bench, process = hanging
    (child,) = [p for p in psutil.Process(process.pid).children() if "sleep 600" in " ".join(p.cmdline())]
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert _ends(child)
    assert not (bench.root / "dvc.lock").exists()
    decisions = {s["name"]: s["decision"] for s in json.loads(bench.swath("plan", "--json").stdout)["stages"]}
    assert decisions == {"s0": "unchanged", "s1": "unchanged", "s2": "run", "s3": "run"}
    bench.swath("run", check=True, RAN=str(ran), FAST="1")
    assert ran.read_text().split() == ["s0", "s1", "s2", "s2", "s3"]
    assert bench.dvc_status() == CLEAN


def test_kill_9_of_a_stage_is_told_and_the_next_run_goes_on(
    hanging: tuple[Bench, subprocess.Popen[str]], ran: Path
) -> None:
    bench, process = hanging
    (child,) = [p for p in psutil.Process(process.pid).children() if "sleep 600" in " ".join(p.cmdline())]
    child.kill()
    _, said = process.communicate(timeout=60)
    assert process.returncode == 4
    assert "s2: it was ended by SIGKILL, as the system does when memory runs out" in said
    assert set(bench.lock()) == {"s0", "s1"}
    bench.swath("run", check=True, RAN=str(ran), FAST="1")
    assert ran.read_text().split() == ["s0", "s1", "s2", "s2", "s3"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_stages_and_keeps_what_finished(
    hanging: tuple[Bench, subprocess.Popen[str]], number: signal.Signals
) -> None:
    bench, process = hanging
    (child,) = [p for p in psutil.Process(process.pid).children() if "sleep 600" in " ".join(p.cmdline())]
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert said.endswith("swath: interrupted; finished stages are kept, the next run goes on from here\n")
    assert _ends(child)
    assert set(bench.lock()) == {"s0", "s1"}


def test_dvc_status_beside_a_run_behaves_as_beside_dvc_repro(hanging: tuple[Bench, subprocess.Popen[str]]) -> None:
    bench, process = hanging
    beside_us = bench.command("dvc", "status", check=False)
    assert beside_us.returncode == 1
    assert "is busy, it is being blocked by" in beside_us.stderr
    assert f"(PID {process.pid})" in beside_us.stderr


def test_dvc_repro_beside_a_run_is_told_that_the_path_is_busy(hanging: tuple[Bench, subprocess.Popen[str]]) -> None:
    bench, _ = hanging
    assert "is being blocked by" in bench.command("dvc", "repro", check=False).stderr


def test_a_half_written_journal_line_is_left_out(tmp_path: Path, ran: Path) -> None:
    bench = make_repository(tmp_path / "repo", steps(slow=9))
    journal = bench.root / ".dvc" / "tmp" / "swath" / "journal.jsonl"
    journal.parent.mkdir(parents=True)
    journal.write_text('\n{"version": 1, "file": "dvc.yaml", "key": "s0", "ent')
    bench.swath("run", check=True, RAN=str(ran))
    assert set(bench.lock()) == {"s0", "s1", "s2", "s3"}
    assert journal.read_text() == ""


def test_what_dvc_repro_did_after_a_kill_counts_more_than_the_journal(tmp_path: Path, ran: Path) -> None:
    bench = make_repository(tmp_path / "repo", steps(slow=9))
    bench.swath("run", check=True, RAN=str(ran))
    old = bench.lock()["s3"]
    bench.write({"in.txt": "y\n"})
    bench.command("dvc", "repro", "-q", RAN=str(ran))
    journal = bench.root / ".dvc" / "tmp" / "swath" / "journal.jsonl"
    journal.write_text(json.dumps({"version": 1, "file": "dvc.yaml", "key": "s3", "entry": old}) + "\n")
    os.utime(journal, (0, 0))
    assert bench.swath("plan").stdout == "4 unchanged\n"
    assert bench.did() == {}
    assert bench.lock()["s3"] != old


def test_no_finished_stage_is_lost_wherever_the_runner_is_killed(tmp_path: Path) -> None:
    """Kill the runner at many moments of a run of 40 stages until it is through: what finished stays finished."""
    stages = {f"s{n}": {"cmd": f"echo s{n} >> $RAN; sleep 0.05; echo {n} > o{n}", "outs": [f"o{n}"]} for n in range(40)}
    bench = make_repository(tmp_path / "repo", {"dvc.yaml": {"stages": stages}})
    ran = tmp_path / "ran"
    kills = 0
    while True:
        process = bench.start("run", "-q", "-j4", RAN=str(ran))
        try:
            process.communicate(timeout=1.6 + 0.13 * kills)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            kills += 1
            continue
        break
    assert process.returncode == 0
    assert bench.dvc_status() == CLEAN
    starts = ran.read_text().split()
    assert len(starts) - len(set(starts)) <= 4 * kills, "only what was at work at a kill may start again"
    leftovers = list((bench.root / ".dvc" / "cache").rglob("*.tmp"))
    assert len(leftovers) <= 4 * kills


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system needs root")
def test_a_full_disk_is_a_passing_fault_and_nothing_is_half_written(tmp_path: Path) -> None:
    stages = {
        "small": {"cmd": "echo 1 > a", "outs": ["a"]},
        "big": {"cmd": "head -c 3000000 /dev/zero > b", "deps": ["a"], "outs": ["b"]},
    }
    bench = make_repository(tmp_path / "repo", {"dvc.yaml": {"stages": stages}})
    cache = bench.root / ".dvc" / "cache"
    cache.mkdir()
    mounted = (
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(cache)], check=False).returncode == 0
    )
    if not mounted:
        pytest.skip("this machine lets nobody mount")
    try:
        result = bench.swath("run")
        assert result.returncode == 75
        assert "no space left on the device" in result.stderr
        assert set(bench.lock()) == {"small"}
        assert list(cache.rglob("*.tmp")) == []
    finally:
        subprocess.run(["umount", str(cache)], check=True)
    bench.swath("run", check=True)
    assert bench.dvc_status() == CLEAN


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_an_unreadable_dep_is_named(tmp_path: Path) -> None:
    stage = {"cmd": "cat in.txt > out", "deps": ["in.txt"], "outs": ["out"]}
    bench = make_repository(tmp_path, {"in.txt": "x", "dvc.yaml": {"stages": {"read": stage}}})
    (bench.root / "in.txt").chmod(0)
    result = bench.swath("run")
    assert result.returncode == 1
    assert "in.txt: Permission denied" in result.stderr


def test_a_checkout_where_every_file_has_mode_777(tmp_path: Path, ran: Path) -> None:
    bench = make_repository(tmp_path / "repo", steps(slow=9))
    for path in bench.root.rglob("*"):
        if ".git" not in path.parts:
            path.chmod(0o777)
    bench.swath("run", check=True, RAN=str(ran))
    for path in (bench.root / ".dvc" / "cache").rglob("*"):
        path.chmod(0o777)
    assert bench.dvc_status() == CLEAN
    assert bench.did() == {}


def test_a_cache_that_was_copied_to_another_machine(tmp_path: Path, ran: Path) -> None:
    """File times differ, the record of hashes is another one: everything is still up to date."""
    bench = make_repository(tmp_path / "repo", steps(slow=9))
    bench.swath("run", check=True, RAN=str(ran))
    bench.commit()
    bench.command("cp", "-r", str(bench.root), str(tmp_path / "other"))
    other = Bench(tmp_path / "other")
    (other.root / "o3").unlink()
    environ = {"DVC_SITE_CACHE_DIR": str(tmp_path / "site"), "RAN": str(ran)}
    result = other.swath("run", "--json", **environ)
    assert [(s["name"], s["did"]) for s in json.loads(result.stdout)["stages"]] == [("s3", "restored")]


def _ends(process: psutil.Process) -> bool:
    """Whether a process is gone within a few seconds."""
    until = time.monotonic() + 10
    while time.monotonic() < until:
        if not process.is_running() or process.status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.05)
    return False
