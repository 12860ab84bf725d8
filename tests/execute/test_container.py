"""The docker runtime with real containers."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from support.docker_engine import PYTHON_IMAGE
from support.service_bench import Bench, outcome_of
from swath.errors import UserError
from swath.execute import follow
from swath.execute.container import DockerRuntime, remove_orphans
from swath.model.invocation import Volume
from swath.model.service import Image, Resources
from swath.model.units import Size

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from swath.execute.engine import Engine

pytestmark = pytest.mark.docker

COPY = 'cp "$2" "$4"'
HANG = 'echo half >"$4"; trap "echo got TERM; exit 9" TERM; while true; do sleep 0.1; done'


def until(condition: Callable[[], object], timeout_s: float = 20) -> None:
    """Wait until the condition holds."""
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


# What comes out


def test_a_file_is_written(bench: Bench) -> None:
    outcome, _ = bench.run_script(COPY)
    assert (outcome.exit_code, outcome.reason) == (0, "")
    assert (bench.root / "data/out.txt").read_text() == "hello\n"
    assert bench.staged() == []
    assert bench.containers() == []


def test_a_folder_is_written(bench: Bench) -> None:
    arguments = (("folder", "data"), ("out-folder", "new/deep/tiles"))
    outcome, _ = bench.run_script(
        'mkdir "$4"; cp "$2"/a.txt "$4"/b.txt; mkdir "$4/c"; : >"$4/c/d"', arguments=arguments
    )
    assert outcome.exit_code == 0
    assert bench.files() == ["data/a.txt", "new/deep/tiles/b.txt", "new/deep/tiles/c/d"]


def test_a_python_service_gets_its_figures(bench: Bench) -> None:
    bench.write_program("import time\nx = b'1' * 50_000_000\nwhile time.process_time() < 1.5: pass\n"
                        "open('data/out.txt', 'w').write('done')", "program.py")  # fmt: skip
    outcome, _ = bench.run(bench.invocation(bench.python_service()))
    assert outcome.exit_code == 0
    assert outcome.wall_s > 1
    assert outcome.cpu_s > 0.5
    assert outcome.peak_memory_bytes > 50_000_000


def test_a_failure_leaves_nothing(bench: Bench) -> None:
    (bench.root / "data/out.txt").write_text("stale")
    outcome, log = bench.run_script('echo half >"$4"; echo sorry; exit 3')
    assert (outcome.exit_code, outcome.reason) == (3, "it ended with exit code 3")
    assert log == "sorry\n"
    assert bench.files() == ["data/a.txt"]


def test_exit_code_75_is_temporary(bench: Bench) -> None:
    outcome, _ = bench.run_script("exit 75")
    assert outcome.temporary


def test_an_output_that_was_not_written_fails(bench: Bench) -> None:
    outcome, _ = bench.run_script("exit 0")
    assert (outcome.exit_code, outcome.reason) == (1, "it did not write its output data/out.txt")


def test_an_output_of_the_wrong_type_fails(bench: Bench) -> None:
    outcome, _ = bench.run_script('mkdir "$4"')
    assert (outcome.exit_code, outcome.reason) == (1, "its output data/out.txt is a directory")
    assert bench.files() == ["data/a.txt"]


def test_kept_outputs_are_there_and_survive_a_failure(bench: Bench) -> None:
    (bench.root / "data/out.txt").write_text("one\n")
    outcome, _ = bench.run_script('echo two >>"$4"; exit 1', keep_outputs=True)
    assert outcome.exit_code == 1
    assert (bench.root / "data/out.txt").read_text() == "one\n"
    bench.run_script('echo two >>"$4"', keep_outputs=True)
    assert (bench.root / "data/out.txt").read_text() == "one\ntwo\n"


def test_stdout_and_stderr_go_to_the_log(bench: Bench) -> None:
    _, log = bench.run_script('echo to out; echo to err >&2; echo >"$4"')
    assert sorted(log.splitlines()) == ["to err", "to out"]


def test_a_large_log_arrives_whole(bench: Bench) -> None:
    _, log = bench.run_script('seq 200000; echo >"$4"')
    assert log.splitlines() == [str(number) for number in range(1, 200_001)]


# What it may touch


def test_inputs_are_read_only(bench: Bench) -> None:
    outcome, _ = bench.run_script('echo worse >"$2"')
    assert outcome.exit_code == 1
    assert "inputs are read-only" in outcome.reason
    assert (bench.root / "data/a.txt").read_text() == "hello\n"


def test_what_is_written_beside_the_outputs_does_not_reach_the_workspace(bench: Bench) -> None:
    outcome, log = bench.run_script('cp "$2" "$4"; echo x >data/stray; mkdir -p other; echo x >other/stray')
    assert outcome.exit_code == 0
    assert bench.files() == ["data/a.txt", "data/out.txt"]
    assert log == "swath: dropped, since they are no outputs of the stage: data/stray, other/stray\n"


def test_the_image_cannot_be_written(bench: Bench) -> None:
    outcome, log = bench.run_script("echo x >/bin/new")
    assert outcome.exit_code == 1
    assert "Read-only file system" in log
    assert outcome.reason.startswith("it ended with exit code 1; it tried to write where it may not")


def test_temporary_folders_can_be_written(bench: Bench) -> None:
    script = 'for f in /tmp /var/tmp /run "$HOME" "$SWATH_SCRATCH"; do echo x >"$f/x" || exit 1; done; ' + COPY
    outcome, log = bench.run_script(script)
    assert outcome.exit_code == 0, log
    assert bench.files() == ["data/a.txt", "data/out.txt", "scratch/x"]


def test_an_undeclared_read_says_which_path_to_declare(bench: Bench) -> None:
    (bench.root / "data/other file.txt").write_text("x")
    outcome, _ = bench.run_script('cat "data/other file.txt" >"$4"')
    assert outcome.reason == (
        "it ended with exit code 1; it looked for data/other file.txt, which the stage does not declare: "
        "name it in `deps` and give it to the service as an argument of type file or directory"
    )


def test_an_undeclared_read_of_python_is_found_from_the_working_directory(bench: Bench) -> None:
    (bench.root / "sub").mkdir()
    (bench.root / "data/hidden.json").write_text("{}")
    bench.write_program("open('../data/hidden.json')", "program.py")
    arguments = (("input", "../data/a.txt"), ("out", "out.txt"))
    outcome, _ = bench.run(bench.invocation(bench.python_service(), wdir="sub", arguments=arguments))
    assert "it looked for data/hidden.json, which the stage does not declare" in outcome.reason


def test_undeclared_files_are_not_seen(bench: Bench) -> None:
    (bench.root / "data/secret.txt").write_text("x")
    outcome, log = bench.run_script('ls data; cp "$2" "$4"')
    assert outcome.exit_code == 0
    assert log == "a.txt\n"


def test_arguments_lead_from_the_working_directory(bench: Bench) -> None:
    (bench.root / "pipelines/x").mkdir(parents=True)
    arguments = (("input", "../../data/a.txt"), ("out", "out.txt"))
    outcome, log = bench.run_script(f"pwd; {COPY}", wdir="pipelines/x", arguments=arguments)
    assert outcome.exit_code == 0
    assert log == "/swath/repository/pipelines/x\n"
    assert (bench.root / "pipelines/x/out.txt").read_text() == "hello\n"


@pytest.mark.parametrize("link", ["symlink", "hardlink", "copy"])
def test_inputs_may_be_links_into_the_cache(bench: Bench, link: str, tmp_path: Path) -> None:
    made: dict[str, Callable[[Path, Path], object]] = {"symlink": os.symlink, "hardlink": os.link, "copy": shutil.copy}
    cache = tmp_path / "shared cache"
    stored = cache / "files/md5/b1/946ac92492d2347c6235b4d2611184"
    stored.parent.mkdir(parents=True)
    stored.write_text("hello\n")
    stored.chmod(0o444)
    (bench.root / "folder/deep").mkdir(parents=True)
    (bench.root / "data/a.txt").unlink()
    made[link](stored, bench.root / "data/a.txt")
    made[link](stored, bench.root / "folder/deep/b.txt")
    arguments = (("input", "data/a.txt"), ("out", "data/out.txt"), ("folder", "folder"))
    script = 'cat "$2" "$6/deep/b.txt" >"$4" || exit 1; echo x >"$6/deep/b.txt" || true'
    outcome, log = bench.run_script(script, arguments=arguments)
    assert outcome.exit_code == 0, log
    assert (bench.root / "data/out.txt").read_text() == "hello\nhello\n"
    assert stored.read_text() == "hello\n"


def test_a_workspace_folder_may_be_a_link_to_another_disk(bench: Bench) -> None:
    elsewhere = Path("/dev/shm") / f"swath-test-{os.getpid()}"
    elsewhere.mkdir()
    try:
        (bench.root / "big").symlink_to(elsewhere)
        arguments = (("input", "data/a.txt"), ("out", "big/out.txt"), ("out-folder", "big/tiles"))
        outcome, _ = bench.run_script('cp "$2" "$4"; mkdir "$6"; cp "$2" "$6"', arguments=arguments)
        assert outcome.exit_code == 0
        assert sorted(path.name for path in elsewhere.rglob("*")) == ["a.txt", "out.txt", "tiles"]
    finally:
        subprocess.run(["rm", "-rf", str(elsewhere)], check=True)


@pytest.mark.parametrize(
    "name", ["with space", "quo\"te's", "$HOME `x`", "a:b,c", "-rf", "new\nline", "wälder-森林", "100%\\n", "#x", "*?["]
)
def test_odd_paths(bench: Bench, name: str) -> None:
    folder = bench.root / name
    folder.mkdir()
    (folder / name).write_text("odd\n")
    arguments = (("input", f"{name}/{name}"), ("out", f"{name}/out{name}"))
    outcome, log = bench.run_script(COPY, arguments=arguments)
    assert outcome.exit_code == 0, log
    assert (folder / f"out{name}").read_text() == "odd\n"


def test_an_odd_root(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "a: b, 'c' \n $d")
    outcome, log = bench.run_script(COPY)
    bench.runtime.close()
    assert outcome.exit_code == 0, log
    assert (bench.root / "data/out.txt").read_text() == "hello\n"


def test_file_modes_of_a_777_checkout(bench: Bench) -> None:
    bench.write_program(COPY)
    subprocess.run(["chmod", "-R", "777", str(bench.root)], check=True)
    outcome, _ = bench.run(bench.invocation())
    assert outcome.exit_code == 0


# Volumes


def test_a_volume_is_read_only_unless_it_says_otherwise(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "archive/2020").mkdir(parents=True)
    (tmp_path / "archive/2020/x").write_text("scene\n")
    arguments = (("archive", "volume:archive/2020"), ("out", "data/out.txt"))
    script = 'echo "$2"; cp "$2/x" "$4"; echo new >"$2/y" || true'
    volume = Volume("archive", str(tmp_path / "archive"))
    _, log = bench.run_script(script, arguments=arguments, volumes={"archive": volume})
    assert "/swath/volumes/archive/2020" in log.splitlines()
    assert not (tmp_path / "archive/2020/y").exists()
    volume = Volume("archive", str(tmp_path / "archive"), read_only=False)
    bench.run_script(script, arguments=arguments, volumes={"archive": volume})
    assert (tmp_path / "archive/2020/y").read_text() == "new\n"


def test_a_volume_may_be_a_url(bench: Bench) -> None:
    volumes = {"archive": Volume("archive", "https://example.org/scenes/")}
    arguments = (("archive", "volume:archive/a b"), ("out", "data/out.txt"))
    bench.write_program('echo "$2" >"$4"')
    bench.run(bench.invocation(bench.service(network=True), arguments=arguments, volumes=volumes))
    assert (bench.root / "data/out.txt").read_text() == "https://example.org/scenes/a b\n"
    with pytest.raises(UserError, match="the volume archive is a URL, but the service task has no network"):
        bench.run(bench.invocation(arguments=arguments, volumes=volumes))


def test_a_volume_that_is_not_there(bench: Bench) -> None:
    volumes = {"big-archive": Volume("big-archive", "/nowhere")}
    arguments = (("archive", "volume:big-archive"), ("out", "data/out.txt"))
    with pytest.raises(UserError, match="set SWATH_VOLUME_BIG_ARCHIVE to its folder here"):
        bench.run_script(COPY, arguments=arguments, volumes=volumes)


# Limits


@pytest.mark.parametrize("network", [True, False])
def test_the_network_is_there_only_when_the_service_asks_for_it(bench: Bench, network: bool) -> None:  # noqa: FBT001
    bench.write_program('ls /sys/class/net >"$4"')
    bench.run(bench.invocation(bench.service(network=network)))
    cards = (bench.root / "data/out.txt").read_text().split()
    assert ("eth0" in cards) == network


def test_a_failure_without_network_says_so(bench: Bench) -> None:
    bench.write_program("import urllib.request\nurllib.request.urlopen('http://example.org')", "program.py")
    outcome, _ = bench.run(bench.invocation(bench.python_service()))
    assert outcome.reason == (
        "it ended with exit code 1; "
        "it has no network: a service that downloads says `network: true` in its service.yaml"
    )


def test_too_much_memory_is_named(bench: Bench) -> None:
    bench.write_program("x = b'1' * 300_000_000\nprint(len(x))", "program.py")
    limits = Resources(memory=Size.parse("64MiB"))
    outcome, _ = bench.run(bench.invocation(bench.python_service(), resources=limits))
    assert outcome.exit_code == 137
    assert outcome.reason == "out of memory: it may use 64MiB; raise `resources: {memory: ...}` for this stage"


def test_too_many_processes_are_named(bench: Bench) -> None:
    script = "i=0; while [ $i -lt 60 ]; do sleep 3 & i=$((i+1)); done"
    outcome, log = bench.run_script(script, resources=Resources(pids=16))
    assert "fork" in log
    assert outcome.reason == (
        f"it ended with exit code {outcome.exit_code}; "
        "it may have 16 processes and threads at a time; raise `resources: {pids: ...}` for this stage"
    )


def test_cpus_and_shm_are_limited(bench: Bench) -> None:
    script = (
        'df -m /dev/shm | tail -n 1 >"$4"; cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us /sys/fs/cgroup/cpu.max 2>/dev/null'
    )
    limits = Resources(cpus=0.5, shm=Size.parse("32MiB"))
    _, log = bench.run_script(f"{script}; true", resources=limits)
    assert (bench.root / "data/out.txt").read_text().split()[1] == "32"
    assert log.split()[0] == "50000"


def test_more_cpus_than_the_machine_has_are_no_error(bench: Bench) -> None:
    outcome, _ = bench.run_script(COPY, resources=Resources(cpus=4096))
    assert outcome.exit_code == 0


def test_a_timeout_ends_it(bench: Bench) -> None:
    outcome, log = bench.run_script(HANG, timeout_s=1)
    assert outcome.reason == "it took longer than its timeout of 1s"
    assert log == "got TERM\n"
    assert outcome.exit_code == 9
    assert bench.files() == ["data/a.txt"]
    assert bench.containers() == []


def test_stop_ends_it(bench: Bench) -> None:
    threading.Timer(1, bench.stop.set).start()
    outcome, log = bench.run_script(HANG)
    assert (outcome.reason, log) == ("it was stopped", "got TERM\n")
    assert bench.files() == ["data/a.txt"]
    assert bench.containers() == []


def test_what_has_just_ended_by_itself_is_told_so(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends between our look at it and our look at the clock."""
    looks: list[int] = []
    has_ended = follow._has_ended

    def late(engine: Engine, output: follow._Output) -> bool:
        looks.append(1)
        if len(looks) > 1:
            return has_ended(engine, output)
        output.finished.wait(30)
        time.sleep(1)
        return False

    monkeypatch.setattr(follow, "_has_ended", late)
    outcome, _ = bench.run_script("exit 75", timeout_s=0.5)
    assert (outcome.exit_code, outcome.reason) == (75, "it ended with exit code 75")
    assert (outcome.temporary, outcome.ended_by) == (True, "itself")


@pytest.mark.slow
def test_what_ignores_sigterm_is_killed(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("swath.execute.follow.GRACE_S", 1)
    outcome, _ = bench.run_script('trap "" TERM; while true; do sleep 0.1; done', timeout_s=1)
    assert outcome.exit_code == 137
    assert outcome.wall_s < 10


def test_a_gpu_that_is_not_there(bench: Bench) -> None:
    if Path("/dev/nvidia0").exists():
        pytest.skip("this machine has a GPU")
    with pytest.raises(UserError, match="install the NVIDIA Container Toolkit on this machine, or ask for no GPU"):
        bench.run_script(COPY, gpus=("0",))
    assert bench.containers() == []


def test_no_gpu_is_seen_without_one_given(bench: Bench) -> None:
    _, log = bench.run_script('echo "[$CUDA_VISIBLE_DEVICES] [$NVIDIA_VISIBLE_DEVICES]"; cp "$2" "$4"')
    assert log == "[] [void]\n"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Bench]:
    """A repository on a file system of 1 MiB."""
    if os.getuid() != 0:
        pytest.skip("mounting a small file system needs root")
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(disk)], check=True)
    try:
        bench = Bench(disk / "repository")
        yield bench
        bench.runtime.close()
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


def test_a_full_disk_is_a_passing_fault_and_leaves_nothing(small_disk: Bench) -> None:
    outcome, _ = small_disk.run_script('dd if=/dev/zero of="$4" bs=1024 count=2000')
    assert outcome.reason == "it ended with exit code 1; no space is left on the disk"
    assert outcome.temporary
    assert small_disk.files() == ["data/a.txt"]


def test_an_input_that_cannot_be_read(bench: Bench) -> None:
    bench.write_program(COPY)
    (bench.root / "data/a.txt").chmod(0)
    outcome, log = bench.run(bench.invocation())
    if os.getuid() == 0:
        assert outcome.exit_code == 0
    else:
        assert "Permission denied" in log


def test_without_a_log_the_output_goes_on(bench: Bench, capfd: pytest.CaptureFixture[str]) -> None:
    bench.write_program('echo to out; echo to err >&2; cp "$2" "$4"')
    bench.runtime.run(bench.invocation(), None, bench.stop)
    assert capfd.readouterr() == ("to out\n", "to err\n")


# Kills


def test_kill_9_of_the_container_from_outside(bench: Bench) -> None:
    def kill() -> None:
        until(bench.containers)
        time.sleep(0.5)
        subprocess.run(["docker", "kill", *bench.containers()], check=True, capture_output=True)

    threading.Thread(target=kill).start()
    outcome, _ = bench.run_script(HANG)
    assert (outcome.exit_code, outcome.reason) == (137, "it was ended by signal 9 (SIGKILL)")
    assert bench.files() == ["data/a.txt"]


def test_kill_9_of_the_runner_ends_the_container_at_once(bench: Bench) -> None:
    bench.write_program(HANG)
    process = bench.start_elsewhere(bench.invocation())
    until(lambda: "tree" in str(list((bench.root / ".dvc/tmp/swath/staging").rglob("out.txt"))))
    process.kill()
    process.communicate()
    until(lambda: not bench.containers())
    assert bench.files() == ["data/a.txt"]
    outcome, _ = bench.run_script(COPY)
    assert outcome.exit_code == 0
    assert bench.staged() == []


def test_kill_9_of_the_runner_and_its_watchdog_is_cleared_up_by_the_next_run(bench: Bench) -> None:
    bench.write_program(HANG)
    process = bench.start_elsewhere(bench.invocation())
    until(lambda: list((bench.root / ".dvc/tmp/swath/staging").rglob("out.txt")))
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    other = [
        child
        for task in Path(f"/proc/{process.pid}/task").iterdir()
        for child in (task / "children").read_text().split()
    ]
    for pid in {*children, *other}:
        os.kill(int(pid), signal.SIGKILL)
    process.kill()
    process.communicate()
    time.sleep(0.5)
    assert len(bench.containers()) == 1
    outcome, _ = bench.run_script(COPY)
    assert outcome.exit_code == 0
    assert bench.containers() == []
    assert bench.staged() == []


@pytest.mark.slow
def test_kill_9_of_the_runner_at_any_moment(bench: Bench) -> None:
    arguments = (("folder", "data"), ("out-folder", "tiles"))
    bench.write_program('mkdir "$4"; for i in 1 2 3 4 5 6 7 8; do echo $i >"$4/$i"; done')
    invocation = bench.invocation(arguments=arguments)
    for delay in (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.2):
        process = bench.start_elsewhere(invocation)
        time.sleep(delay)
        process.kill()
        process.communicate()
        written = bench.files()
        assert len(written) in {1, 9}, written
    outcome, _ = bench.run(invocation)
    assert outcome.exit_code == 0
    assert len(bench.files()) == 9
    until(lambda: not bench.containers())
    bench.run(invocation)  # the last one's container may have ended only after the run before had cleared up
    assert bench.staged() == []


@pytest.mark.slow
def test_many_at_once(bench: Bench) -> None:
    bench.write_program('sleep 0.1; echo "$2" | tee "$4"')
    outcomes: dict[int, tuple[int, str]] = {}

    def run(number: int) -> None:
        for step in range(3):
            arguments = (("text", f"{number}/{step}"), ("out", f"out/{number}-{step}"))
            outcome, log = bench.run(bench.invocation(arguments=arguments))
            outcomes[10 * number + step] = (outcome.exit_code, log.strip())

    threads = [threading.Thread(target=run, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes == {10 * number + step: (0, f"{number}/{step}") for number in range(8) for step in range(3)}
    assert len(list((bench.root / "out").iterdir())) == 24
    assert bench.containers() == []


def test_a_living_runner_keeps_its_containers(bench: Bench) -> None:
    bench.write_program("while [ ! -e /swath/scratch/go ]; do sleep 0.1; done; " + COPY)
    process = bench.start_elsewhere(bench.invocation())
    until(bench.containers)
    assert remove_orphans(bench.root) == ()
    (bench.root / "scratch/go").touch()
    assert outcome_of(process).exit_code == 0


# Who it is


def test_the_caller_has_a_name_and_a_home(bench: Bench) -> None:
    _, log = bench.run_script('whoami; echo "$HOME"; echo ~; id -u; id -g; cp "$2" "$4"')
    name = pwd.getpwuid(os.getuid()).pw_name
    assert log.split() == [name, "/swath/home", "/swath/home", str(os.getuid()), str(os.getgid())]
    assert (bench.root / "data/out.txt").stat().st_uid == os.getuid()


def test_environment_is_an_allow_list(bench: Bench) -> None:
    bench.runtime = DockerRuntime({
        "PATH": os.environ["PATH"], "SWATH_TOKEN": "t0", "AWS_SECRET_ACCESS_KEY": "t1", "TF_VAR_password": "t2",
        "LC_ALL": "C.UTF-8", "http_proxy": "http://user:t3@proxy",
    })  # fmt: skip
    _, log = bench.run_script('env; cp "$2" "$4"')
    bench.runtime.close()
    names = {line.partition("=")[0] for line in log.splitlines()}
    assert names == {
        "PATH", "HOSTNAME", "HOME", "LANG", "PWD", "SHLVL", "PIP_CERT", "SSL_CERT_FILE", "LC_ALL", "DVC_ROOT",
        "DVC_STAGE", "SWATH_SCRATCH", "SWATH_SERVICE_DIR", "CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES",
    }  # fmt: skip
    assert f"DVC_ROOT={'/swath/repository'}" in log


def test_secrets_are_seen_by_the_service_alone(bench: Bench) -> None:
    bench.runtime = DockerRuntime({**os.environ, "HUB_PASSWORD": "s3cr3t-value"})
    bench.write_program(
        'printf %s "$HUB_PASSWORD" | wc -c >"$4"; while [ ! -e "$SWATH_SCRATCH/go" ]; do sleep 0.1; done'
    )
    told: list[str] = []

    def look() -> None:
        until(bench.containers)
        fields = "{{json .Config.Labels}} {{json .Config.Cmd}} {{json .Config.Entrypoint}} {{json .Name}} {{.Args}}"
        words = ["docker", "inspect", "--format", fields, *bench.containers()]
        told.append(subprocess.run(words, capture_output=True, text=True, check=True).stdout)
        (bench.root / "scratch/go").touch()

    watcher = threading.Thread(target=look)
    watcher.start()
    outcome, log = bench.run(bench.invocation(bench.service(secrets=["HUB_PASSWORD"])))
    watcher.join()
    bench.runtime.close()
    assert (bench.root / "data/out.txt").read_text().strip() == "12"
    assert "s3cr3t-value" not in log + told[0] + repr(outcome)


def test_absent_secrets_are_named_when_it_fails(bench: Bench) -> None:
    bench.write_program("exit 1")
    outcome, _ = bench.run(bench.invocation(bench.service(secrets=["NOT_SET_HERE"])))
    assert outcome.reason.endswith("these variables that it names as secrets are not set: NOT_SET_HERE")


def test_there_are_no_privileges(bench: Bench) -> None:
    _, log = bench.run_script('grep -E "NoNewPrivs|CapEff" /proc/self/status; cp "$2" "$4"')
    capabilities = "000000000000001b" if os.getuid() == 0 else "0000000000000000"
    assert log.split() == ["CapEff:", capabilities, "NoNewPrivs:", "1"]


def ordinary_user() -> pwd.struct_passwd:
    """A user of the group docker, made when it is not there."""
    if os.getuid() != 0:
        pytest.skip("making another user needs root; this whole run is the test of an ordinary user")
    try:
        return pwd.getpwnam("swath-test")
    except KeyError:
        subprocess.run(["useradd", "--groups", "docker", "--no-create-home", "swath-test"], check=True)
        return pwd.getpwnam("swath-test")


def test_an_ordinary_user(bench: Bench, tmp_path: Path) -> None:
    user = ordinary_user()
    for folder in (tmp_path, *tmp_path.parents[:-2]):
        folder.chmod(folder.stat().st_mode | 0o055)
    bench.write_program('whoami; touch "$HOME/x" "$SWATH_SCRATCH/y"; cp "$2" "$4"; mkdir "$6"; cp "$8"/* "$6"')
    arguments = (("input", "data/a.txt"), ("out", "data/out.txt"), ("out-folder", "tiles"), ("folder", "deep/data"))
    (bench.root / "deep/data").mkdir(parents=True)
    (bench.root / "deep/data/b").touch()
    invocation = bench.invocation(arguments=arguments, scratch=bench.root / "scratch")
    subprocess.run(["chown", "-R", f"{user.pw_uid}:{user.pw_gid}", str(bench.root)], check=True)
    groups = os.getgrouplist(user.pw_name, user.pw_gid)
    process = bench.start_elsewhere(
        invocation, user=user.pw_uid, group=user.pw_gid, extra_groups=groups, **_python_for_everyone()
    )
    text, _ = process.communicate(timeout=60)
    assert process.returncode == 0, text
    assert text.splitlines()[0] == "swath-test"
    assert {(bench.root / path).stat().st_uid for path in ("data/out.txt", "tiles/b", "scratch/y")} == {user.pw_uid}
    assert list((bench.root / ".dvc/tmp/swath/staging").iterdir()) == []


def _python_for_everyone() -> dict[str, object]:
    """An interpreter that every user may start, with this one's modules."""
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    for python in (sys.executable, "/usr/bin/python3"):
        words = [python, "-c", "import sys; print(sys.version_info[:2])"]
        try:
            found = subprocess.run(words, user="nobody", capture_output=True, text=True, check=False)
        except OSError:
            continue
        if found.stdout.strip() == str(sys.version_info[:2]):
            return {"python": python, "env": environment}
    pytest.skip("no interpreter that another user may start")


def test_a_user_without_permission_is_told_the_group() -> None:
    ordinary_user()
    code = "from swath.execute.reach import *; print(why_unreachable(DEFAULT_ADDRESS))"
    options = _python_for_everyone()
    told = subprocess.run(
        [str(options["python"]), "-c", code], user="nobody", group="nogroup", extra_groups=[], text=True,
        capture_output=True, check=True, env=options["env"],  # type: ignore[call-overload]
    ).stdout  # fmt: skip
    assert told.startswith("no permission to use the Docker engine at unix:///var/run/docker.sock: add yourself to the")


def test_an_image_without_the_program(bench: Bench) -> None:
    service = bench.service(entrypoint=["no-such-program"])
    with pytest.raises(UserError, match="see `entrypoint` in its") as caught:
        bench.run(bench.invocation(service))
    assert "no-such-program" in str(caught.value)
    assert bench.containers() == []


# Whether it can


def test_problem() -> None:
    bench_service = Bench.service(Bench.__new__(Bench), image=None)
    assert DockerRuntime(os.environ).problem(bench_service) == (
        "the service task has no image: write `image: {build: .}` and a Dockerfile into services/task, "
        "or run without Docker: --runtime process"
    )
    service = Bench.service(Bench.__new__(Bench), image=Image(reference=PYTHON_IMAGE))
    assert DockerRuntime(os.environ).problem(service) is None
    assert DockerRuntime({"DOCKER_HOST": "unix:///nowhere.sock"}).problem(service) == (
        "no Docker engine runs at unix:///nowhere.sock: start it (sudo systemctl start docker), "
        "or run without Docker: --runtime process"
    )
