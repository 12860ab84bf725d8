from __future__ import annotations

import errno
import io
import os
import re
import signal
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from execute.test_guard import eventually, is_alive
from swath.errors import PassingFaultError, UserError
from swath.execute import supervisor
from swath.execute.child import Child, Program, _Exit, run_child, start_by_subprocess
from swath.execute.guard import GUARD

if TYPE_CHECKING:
    from swath.model.invocation import Outcome

ENVIRONMENT = {"PATH": os.environ["PATH"]}


def run(script: str, cwd: Path, stop: threading.Event | None = None, **settings: object) -> tuple[Outcome, str]:
    log = io.BytesIO()
    child = Child(["sh", "-c", script], cwd, ENVIRONMENT, **settings)  # type: ignore[arg-type]
    outcome = run_child(child, log, stop or threading.Event())
    return outcome, log.getvalue().decode()


def test_a_success(tmp_path: Path) -> None:
    outcome, text = run("echo out; echo err >&2; pwd", tmp_path)
    assert (outcome.exit_code, outcome.reason, text) == (0, "", f"out\nerr\n{tmp_path}\n")


def test_a_log_file_is_written_while_it_runs(tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb") as log:
        log.write(b"before\n")
        run_child(Child(["sh", "-c", "echo now"], tmp_path, ENVIRONMENT), log, threading.Event())
    assert (tmp_path / "log").read_text() == "before\nnow\n"


@pytest.mark.parametrize(
    ("script", "code", "reason", "temporary"),
    [
        ("exit 3", 3, "it ended with exit code 3", False),
        ("exit 75", 75, "it ended with exit code 75", True),
        ("exit 200", 200, "it ended with exit code 200", False),
        ("kill -SEGV $$", 139, "it was ended by SIGSEGV", False),
        ("kill -KILL $$", 137, "it was ended by SIGKILL, as the system does when memory runs out", False),
    ],
)
def test_failures(tmp_path: Path, script: str, code: int, reason: str, *, temporary: bool) -> None:
    outcome, _ = run(script, tmp_path)
    assert (outcome.exit_code, outcome.reason, outcome.temporary) == (code, reason, temporary)


def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cannot start 'no-such': there is no such program on PATH \("):
        run_child(Child(["no-such"], tmp_path, ENVIRONMENT), None, threading.Event())


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot start 'sh': there is no folder"):
        run("true", tmp_path / "none")


def test_a_file_that_is_not_executable(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("#!/bin/sh\n")
    with pytest.raises(UserError) as caught:
        run_child(Child([f"{tmp_path}/run"], tmp_path, ENVIRONMENT), None, threading.Event())
    assert str(caught.value) == (
        f"cannot start '{tmp_path}/run': it is not executable; "
        f"`chmod +x {tmp_path}/run`, or name its interpreter in front of it"
    )


def test_an_argument_that_is_too_long(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot start 'echo': Argument list too long"):
        run_child(Child(["echo", "x" * 300_000], tmp_path, ENVIRONMENT), None, threading.Event())


def test_only_its_own_variables(tmp_path: Path) -> None:
    _, text = run("env", tmp_path)
    assert {line.partition("=")[0] for line in text.splitlines()} <= {"PATH", "PWD", "_", "SHLVL", "OLDPWD"}


def test_a_timeout(tmp_path: Path) -> None:
    outcome, _ = run("sleep 60", tmp_path, timeout_s=0.2)
    assert (outcome.exit_code, outcome.reason) == (143, "it took longer than its timeout of 0.2s")
    assert outcome.wall_s < 5


def test_a_service_may_end_well_at_its_timeout_and_has_failed_all_the_same(tmp_path: Path) -> None:
    outcome, text = run("trap 'echo saved; exit 0' TERM; sleep 60 & wait", tmp_path, timeout_s=0.3)
    assert (outcome.exit_code, outcome.reason, text) == (143, "it took longer than its timeout of 0.3s", "saved\n")


def test_who_does_not_listen_is_killed_after_the_grace(tmp_path: Path) -> None:
    outcome, _ = run("trap '' TERM; while :; do sleep 1; done", tmp_path, timeout_s=0.2, grace_s=0.5)
    assert outcome.exit_code == 137


def test_a_stop(tmp_path: Path) -> None:
    stop = threading.Event()
    threading.Timer(0.2, stop.set).start()
    outcome, _ = run("sleep 60", tmp_path, stop)
    assert (outcome.exit_code, outcome.reason) == (143, "it was stopped")


def test_a_child_has_the_grace_of_its_parent(tmp_path: Path) -> None:
    """The leader ends at once; its child still writes its checkpoint."""
    script = "sh -c \"trap 'sleep 0.5; echo saved; exit' TERM; while :; do sleep 0.1; done\" & exec sleep 60"
    assert run(script, tmp_path, timeout_s=0.3)[1].endswith("saved\n")


@pytest.mark.parametrize("script", ["sleep 60 & echo $! >pid", "trap '' TERM; sleep 60 & echo $! >pid; exit 3"])
def test_who_is_left_behind_is_killed(tmp_path: Path, script: str) -> None:
    outcome, _ = run(script, tmp_path)
    assert outcome.wall_s < 5
    assert not is_alive(int((tmp_path / "pid").read_text()))


def test_who_ends_its_own_group_is_not_waited_for_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`trap 'kill 0' EXIT` is how scripts end their children; the supervisor hears it too, as it hears Swath's own."""
    short = tmp_path / "supervisor.py"
    short.write_text(Path(supervisor.__file__).read_text().replace("LEFT_TO_SWATH_S = 15.0", "LEFT_TO_SWATH_S = 1.0"))
    monkeypatch.setattr(supervisor, "__file__", str(short))
    script = "trap 'kill 0' EXIT; setsid sleep 60 & echo $! >pid; sleep 0.2"
    outcome, _ = run(script, tmp_path)
    assert outcome.exit_code == 143
    assert outcome.wall_s < 20
    assert not is_alive(int((tmp_path / "pid").read_text()))


# Double fork, a session and a group of its own, no variable of the service's: it writes until somebody stops it.
WRITER = """
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
open("daemon", "w").write(str(os.getpid()))
while True:
    open("out", "a").write("x")
    time.sleep(0.005)
"""
DAEMON = f"""
import os, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork():
        os._exit(0)
    os.execve(sys.executable, [sys.executable, "-c", {WRITER!r}], {{}})
while not os.path.exists("daemon") or not open("daemon").read():
    time.sleep(0.01)
"""


@pytest.mark.parametrize(
    ("ending", "code", "settings"),
    [
        ("", 0, {}),
        ("sys.exit(3)", 3, {}),
        ("os.kill(os.getpid(), 9)", 137, {}),
        ("time.sleep(60)", 143, {"timeout_s": 3, "grace_s": 0.5}),
    ],
    ids=["success", "failure", "killed", "timeout"],
)
def test_a_daemon_that_a_service_starts_is_gone_before_its_outputs_count(
    tmp_path: Path, ending: str, code: int, settings: dict[str, float]
) -> None:
    child = Child([sys.executable, "-c", DAEMON + ending], tmp_path, ENVIRONMENT, **settings)  # type: ignore[arg-type]
    outcome = run_child(child, None, threading.Event())
    size = (tmp_path / "out").stat().st_size
    assert outcome.exit_code == code
    assert not is_alive(int((tmp_path / "daemon").read_text()))
    time.sleep(0.1)
    assert (tmp_path / "out").stat().st_size == size


def test_a_daemon_of_a_plain_command_lives_on_as_under_dvc(tmp_path: Path) -> None:
    child = Child([sys.executable, "-c", DAEMON], tmp_path, ENVIRONMENT, supervised=False)
    assert run_child(child, None, threading.Event()).exit_code == 0
    pid = int((tmp_path / "daemon").read_text())
    assert is_alive(pid)
    os.kill(pid, signal.SIGKILL)


def test_who_kills_its_supervisor_has_failed_and_leaves_nothing_either(tmp_path: Path) -> None:
    environment = ENVIRONMENT | {"SWATH_SCRATCH": str(tmp_path)}
    script = (
        "setsid sh -c 'echo $$ >pid; exec sleep 60' & while [ ! -s pid ]; do sleep 0.1; done; kill -9 $PPID; sleep 60"
    )
    child = Child(["sh", "-c", script], tmp_path, environment, mark=f"SWATH_SCRATCH={tmp_path}")
    assert run_child(child, None, threading.Event()).exit_code == 137
    pid = int((tmp_path / "pid").read_text())
    assert eventually(lambda: not is_alive(pid))


def test_a_program_without_an_interpreter_line_is_the_shells(tmp_path: Path) -> None:
    (tmp_path / "program").write_text('echo "$1"\n')
    (tmp_path / "program").chmod(0o755)
    log = io.BytesIO()
    child = Child([str(tmp_path / "program"), "a b"], tmp_path, ENVIRONMENT)
    assert run_child(child, log, threading.Event()).exit_code == 0
    assert log.getvalue() == b"a b\n"


def test_what_the_system_cannot_run_is_said(tmp_path: Path) -> None:
    (tmp_path / "program").write_text("#!/no/such/interpreter\n")
    (tmp_path / "program").chmod(0o755)
    log = io.BytesIO()
    outcome = run_child(Child([str(tmp_path / "program")], tmp_path, ENVIRONMENT), log, threading.Event())
    assert outcome.exit_code == 127
    assert log.getvalue().decode() == f"swath: cannot start {tmp_path}/program: No such file or directory\n"


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGPIPE, signal.SIGUSR1, signal.SIGINT])
def test_a_signal_that_ends_a_service_is_told(tmp_path: Path, number: signal.Signals) -> None:
    outcome, _ = run(f"kill -{number.value} $$", tmp_path)
    assert (outcome.exit_code, outcome.reason) == (128 + number, f"it was ended by {number.name}")


def test_signals_are_as_usual_for_a_service(tmp_path: Path) -> None:
    _, log = run("cat /proc/self/status", tmp_path)
    said = dict(line.split(":") for line in log.splitlines())
    usual = (1 << 31) - 1  # above are those of the C library itself
    ours = dict(line.split(":") for line in Path("/proc/self/status").read_text().splitlines())
    of_python = {signal.SIGPIPE, signal.SIGXFSZ}
    reset = sum(1 << number - 1 for number in {*of_python, signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
    inherited = int(ours["SigIgn"], 16) & usual & ~reset  # a shell's `&` ignores SIGQUIT, say
    assert [int(said[name], 16) & usual for name in ("SigBlk", "SigIgn", "SigCgt")] == [0, inherited, 0]


def test_a_stray_in_a_session_of_its_own_is_killed_at_a_timeout(tmp_path: Path) -> None:
    script = "setsid sh -c 'trap \"\" TERM; echo $$ >pid; exec sleep 60' & sleep 60"
    run(script, tmp_path, timeout_s=1, grace_s=0.5)
    pid = int((tmp_path / "pid").read_text())
    assert eventually(lambda: not is_alive(pid))


def test_too_much_memory(tmp_path: Path) -> None:
    script = "import time; keep = b'x' * (200 << 20); time.sleep(60)"
    child = Child([sys.executable, "-c", script], tmp_path, ENVIRONMENT, memory_bytes=100 << 20)
    outcome = run_child(child, None, threading.Event())
    assert outcome.exit_code in {137, 143}
    assert re.fullmatch(
        r"it used [12]\d\d(\.\d)?MiB of memory; its limit is 100MiB \(resources.memory\)", outcome.reason
    )


def test_the_memory_of_all_counts_together(tmp_path: Path) -> None:
    eater = f"{sys.executable} -c \"import time; keep = b'x' * (70 << 20); time.sleep(60)\""
    outcome, _ = run(f"{eater} & {eater} & wait", tmp_path, memory_bytes=120 << 20)
    assert "its limit is 120MiB" in outcome.reason


def test_figures(tmp_path: Path) -> None:
    script = (
        "import time; keep = b'x' * (300 << 20); end = time.process_time() + 0.3\nwhile time.process_time() < end: pass"
    )
    outcome = run_child(Child([sys.executable, "-c", script], tmp_path, ENVIRONMENT), None, threading.Event())
    assert 0.3 <= outcome.cpu_s < outcome.wall_s + 0.5
    assert 300 << 20 < outcome.peak_memory_bytes < 400 << 20


def test_many_at_once(tmp_path: Path) -> None:
    outcomes: list[Outcome] = []
    threads = [
        threading.Thread(target=lambda: outcomes.append(run("sleep 0.2; exit 7", tmp_path)[0])) for _ in range(16)
    ]
    begun = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [outcome.exit_code for outcome in outcomes] == [7] * 16
    assert time.monotonic() - begun < 3


@pytest.mark.parametrize("number", [errno.EAGAIN, errno.ENOMEM, errno.EMFILE])
def test_a_system_without_room_for_a_process_is_a_fault_that_may_pass(tmp_path: Path, number: int) -> None:
    def refuse(program: Program) -> int:
        raise OSError(number, os.strerror(number), program.file)

    with pytest.raises(PassingFaultError) as caught:
        run_child(Child(["sh"], tmp_path, ENVIRONMENT), None, threading.Event(), start=refuse)
    assert str(caught.value) == (
        f"cannot start 'sh' now: {os.strerror(number)}; too many processes or open files, or too little memory: "
        "end some, then run again"
    )


def test_a_program_that_cannot_be_guarded_does_not_run_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[int] = []

    def start(program: Program) -> int:
        started.append(start_by_subprocess(program))
        return started[0]

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    monkeypatch.setattr(GUARD, "enter", refuse)
    with pytest.raises(PassingFaultError):
        run_child(
            Child(["sleep", "300"], tmp_path, ENVIRONMENT, supervised=False), None, threading.Event(), start=start
        )
    assert not is_alive(started[0])


@pytest.mark.parametrize("stopped", [True, False])
def test_who_has_just_ended_by_itself_is_told_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, stopped: bool
) -> None:
    """It ends between our look at it and our look at the clock."""
    wait, stop = _Exit.wait, threading.Event()
    looks: list[float] = []

    def late(exit_: _Exit, seconds: float) -> bool:
        looks.append(seconds)
        if len(looks) > 1:
            return wait(exit_, seconds)
        time.sleep(1)
        if stopped:
            stop.set()
        return False

    monkeypatch.setattr(_Exit, "wait", late)
    outcome, _ = run("exit 75", tmp_path, stop, timeout_s=None if stopped else 0.5)
    assert (outcome.exit_code, outcome.reason) == (75, "it ended with exit code 75")
    assert (outcome.temporary, outcome.ended_by) == (True, "itself")
