from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from execute.test_guard import eventually, is_alive
from support.service_repositories import add_service, make_repository, shell_service, swath

if TYPE_CHECKING:
    from pathlib import Path

PARAMETERS = "parameters: [{name: out, type: file, direction: output}]"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_repository(tmp_path)


def dvc(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "dvc", *words], cwd=root, capture_output=True, text=True, check=False)


def make_dvc_repository(root: Path, text: str) -> Path:
    """A real Git and DVC repository whose dvc.yaml is `text`, committed, with `swath` on its PATH."""
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org"]
    subprocess.run(["git", "init", "-q"], cwd=root, check=True)
    (root / ".dvc").rmdir()
    assert dvc(root, "init", "-q").returncode == 0
    (root / "dvc.yaml").write_text(text)
    (root / ".gitignore").write_text("/o\n")
    subprocess.run([*git, "add", "-A"], cwd=root, check=True)
    subprocess.run([*git, "commit", "-qm", "x"], cwd=root, check=True)
    return root


def test_a_service_runs(root: Path) -> None:
    done = swath(root, "exec", "upper", "--input", "data/a", "--out", "new/o")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split() == ["--input", "data/a", "--out", "new/o", "--size", "256"]
    assert (root / "new/o").read_text() == "HELLO\n"


def test_paths_start_at_the_current_folder(root: Path) -> None:
    (root / "w").mkdir()
    assert swath(root / "w", "exec", "upper", "--input", "../data/a", "--out", "o").returncode == 0
    assert (root / "w/o").is_file()


@pytest.mark.parametrize("words", [("--help",), ("-h",), ()])
def test_help(root: Path, words: tuple[str, ...]) -> None:
    done = swath(root, "exec", *words)
    assert (done.returncode, done.stdout.splitlines()[0]) == (
        0,
        "Usage: swath exec [--runtime auto|process|docker|inside] SERVICE [--name value ...]",
    )


def test_a_wrong_command_says_all_that_is_wrong(root: Path) -> None:
    done = swath(root, "exec", "upper", "--inptu", "data/a", "--size", "1", "--out", "o")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines() == [
        "swath exec upper: --inptu: service 'upper' has no such parameter",
        "  did you mean '--input'?",
        "swath exec upper: --size: expected at least 16, got 1",
        "swath exec upper: --input: is required (the text): expected the path of a file",
    ]


@pytest.mark.parametrize(
    ("script", "code", "message"),
    [
        ("exit 3", 4, "service 'a' failed: it ended with exit code 3\n"),
        ("exit 75", 75, "service 'a' failed: it ended with exit code 75\n"),
        ("true", 4, "service 'a' failed: it ended well but did not write its output 'o'\n"),
    ],
)
def test_exit_codes(root: Path, script: str, code: int, message: str) -> None:
    shell_service(root, "a", script)
    done = swath(root, "exec", "a", "--out", "o")
    assert (done.returncode, done.stderr) == (code, message)


def test_outside_of_a_repository(tmp_path: Path) -> None:
    assert swath(tmp_path, "exec", "a").returncode == 1


@pytest.mark.parametrize("option", [("--runtime", "inside"), ("--runtime=inside",)])
def test_the_runtime_is_chosen_in_front_of_the_service(root: Path, option: tuple[str, ...]) -> None:
    shell_service(root, "a", "true")
    assert swath(root, "exec", *option, "a").returncode == 0


def test_an_unknown_runtime(root: Path) -> None:
    done = swath(root, "exec", "upper", "--input", "data/a", "--out", "o", SWATH_RUNTIME="dokcer")
    assert (done.returncode, done.stderr) == (
        1,
        "SWATH_RUNTIME: there is no runtime 'dokcer'\n  did you mean 'docker'?\n",
    )


def test_a_volume_is_where_the_variable_says(root: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    archive = tmp_path_factory.mktemp("archive")
    (archive / "scene").write_text("far\n")
    (root / "swath.yaml").write_text("registry: not looked at\nvolumes: {archive: {}}\n")
    words = ("exec", "upper", "--input", "volume:archive/scene", "--out", "o")
    assert swath(root, *words, SWATH_VOLUME_ARCHIVE=str(archive)).returncode == 0
    assert (root / "o").read_text() == "FAR\n"
    done = swath(root, *words)
    assert done.stderr == (
        "swath exec upper: --input: the volume 'archive' has no path on this machine; "
        "set SWATH_VOLUME_ARCHIVE, or `path` under volumes.archive in swath.yaml\n"
    )


def test_a_checkpoint_outlives_a_failure_and_not_a_success(root: Path) -> None:
    resume = 'if test -e "$SWATH_SCRATCH/half"; then cp "$SWATH_SCRATCH/half" "$2"; else echo 1 >"$SWATH_SCRATCH/half"; exit 1; fi'
    shell_service(root, "train", resume)
    assert swath(root, "exec", "train", "--out", "o").returncode == 4
    done = swath(root, "exec", "train", "--out", "o")
    assert done.returncode == 0
    assert done.stderr.startswith("swath exec: an earlier attempt left its scratch folder: ")
    assert list((root / ".dvc/tmp/swath/scratch").iterdir()) == []


def test_gpus_are_taken_from_those_that_the_caller_may_use(root: Path) -> None:
    shell_service(root, "a", "echo $CUDA_VISIBLE_DEVICES", "resources: {gpus: 2}\n")
    assert swath(root, "exec", "a", CUDA_VISIBLE_DEVICES="3, 5,7").stdout == "3,5\n"
    assert swath(root, "exec", "a", CUDA_VISIBLE_DEVICES="GPU-a1,MIG-b2,7").stdout == "GPU-a1,MIG-b2\n"
    assert swath(root, "exec", "a", CUDA_VISIBLE_DEVICES="-1").stdout == "\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_signal_ends_the_service_too(root: Path, number: signal.Signals) -> None:
    shell_service(root, "a", "echo $$ >pid; sleep 300 & wait")
    argv = [sys.executable, "-m", "swath.cli.entry", "exec", "a"]
    with subprocess.Popen(argv, cwd=root, stderr=subprocess.PIPE, text=True) as process:
        pid_file = root / "pid"
        assert eventually(lambda: pid_file.is_file() and pid_file.read_text().strip() != "")
        process.send_signal(number)
        assert process.wait(20) == (-9 if number == signal.SIGKILL else 130)
        assert process.stderr
        assert process.stderr.read() == ("" if number == signal.SIGKILL else "service 'a' was stopped\n")
    assert eventually(lambda: not is_alive(int(pid_file.read_text())))


def test_what_is_slow_is_not_imported(root: Path) -> None:
    script = (
        "import json, sys; sys.argv = ['swath', 'exec', *sys.argv[1:]]\n"
        "from swath.cli.entry import main\n"
        "code = main(); print(json.dumps([code, sorted({name.partition('.')[0] for name in sys.modules})]))"
    )
    argv = [sys.executable, "-c", script, "upper", "--input", "data/a", "--out", "o"]
    done = subprocess.run(argv, cwd=root, capture_output=True, text=True, check=True)
    code, modules = json.loads(done.stdout.splitlines()[-1])
    slow = {"asyncio", "click", "docker", "dvc", "jinja2", "jsonschema", "psutil", "pydantic", "requests", "rich", "uv"}
    assert (code, slow & set(modules)) == (0, set())


STAGES = """\
stages:
  upper:
    foreach: [a]
    do:
      cmd: swath exec upper --input data/${item} --tag 'x $y' --out out/${item}
      deps: [data/a, services/upper]
      outs: [out/a]
"""


@pytest.mark.slow
def test_plain_dvc_repro_runs_it(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}")
    make_dvc_repository(root, STAGES)
    done = dvc(root, "repro")
    assert done.returncode == 0, done.stderr
    assert "\nx $y\n" in done.stdout
    assert (root / "out/a").read_text() == "HELLO\n"
    assert dvc(root, "status").stdout == "Data and pipelines are up to date.\n"


@pytest.mark.slow
def test_dvc_fails_when_a_service_fails(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}")
    shell_service(root, "a", "exit 3")
    make_dvc_repository(root, "stages: {a: {cmd: swath exec a --out o, outs: [o]}}")
    done = dvc(root, "repro")
    assert done.returncode != 0
    assert "service 'a' failed: it ended with exit code 3" in done.stderr
    assert "failed to run: swath exec a --out o, exited with 4" in done.stderr


@pytest.mark.slow
def test_what_persists_is_kept_under_dvc(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}")
    shell_service(root, "a", 'echo more >>"$2"')
    (root / "o").write_text("old\n")
    make_dvc_repository(root, "stages: {a: {cmd: swath exec a --out o, outs: [o: {persist: true}]}}")
    assert dvc(root, "repro").returncode == 0
    assert (root / "o").read_text() == "old\nmore\n"


@pytest.mark.slow
@pytest.mark.parametrize("option", [(), ("--temp",)])
def test_experiments_run_it(root: Path, monkeypatch: pytest.MonkeyPatch, option: tuple[str, ...]) -> None:
    monkeypatch.setenv("PATH", f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}")
    for name in ("GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL"):
        monkeypatch.setenv(name, "a@example.org")
    text = STAGES.replace("[data/a, services/upper]", "[data/a, services/upper]\n      params: [size]").replace(
        "--tag", "--size ${size} --tag"
    )
    (root / "params.yaml").write_text("size: 32\n")
    make_dvc_repository(root, "vars: [params.yaml]\n" + text)
    done = dvc(root, "exp", "run", "-S", "size=64", "-n", "larger", *option)
    assert done.returncode == 0, done.stderr
    assert "\n--size\n64\n" in done.stdout
    assert "larger" in dvc(root, "exp", "list").stdout


def test_a_service_that_is_not_there(root: Path) -> None:
    add_service(root, "other", f"name: other\nkind: processing\ndescription: d\nentrypoint: [x]\n{PARAMETERS}\n", {})
    done = swath(root, "exec", "othre")
    expected = "there is no service 'othre' (no services/othre/service.yaml)\n  did you mean 'other'?\n"
    assert (done.returncode, done.stderr) == (1, expected)


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_repository_that_cannot_be_written(root: Path) -> None:
    (root / ".dvc").chmod(0o500)
    done = swath(root, "exec", "upper", "--input", "data/a", "--out", "o")
    assert (done.returncode, "Permission denied" in done.stderr, "Traceback" in done.stderr) == (1, True, False)


def test_the_making_of_an_environment_is_announced_once(root: Path) -> None:
    text = f"name: a\nkind: processing\ndescription: d\nentrypoint: [python, run.py]\nprocess: {{python: r.txt}}\n{PARAMETERS}\n"
    add_service(root, "a", text, {"run.py": "", "r.txt": ""})
    said = [swath(root, "exec", "a", SWATH_CACHE_DIR=str(root / "cache")).stderr for _ in range(2)]
    assert said == ["swath: making the Python environment of 'a' (once for these requirements) ...\n", ""]
