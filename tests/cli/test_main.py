"""`cli/main.py`: dispatch, exit codes, the error boundary, and what is not imported."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import swath.cli.main
from support.repositories import make_repository
from swath.cli.main import main
from swath.errors import PassingFaultError, StageFailedError, SwathError, UsageError, UserError


def test_help_names_all_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    for name in swath.cli.main.COMMANDS:
        assert f"  {name}" in out


@pytest.mark.parametrize("name", [name for name in swath.cli.main.COMMANDS if name != "exec"])
def test_each_command_has_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([name, "--help"]) == 0
    assert capsys.readouterr().out.startswith("Usage: swath ")


def test_an_unknown_command_has_a_guess(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rum"]) == 2
    assert "there is no command 'rum'; did you mean 'run'?" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code"),
    [(UserError("x"), 1), (UsageError("x"), 2), (StageFailedError("x"), 4), (PassingFaultError("x"), 75)],
)
def test_errors_become_exit_codes(
    error: SwathError, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_args: object, **_kwargs: object) -> None:
        raise error

    monkeypatch.setattr(swath.cli.main.cli, "main", fail)
    assert main(["plan"]) == code
    assert capsys.readouterr().err == "swath: x\n"


def test_a_bug_is_reported_with_versions(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def fail(*_args: object, **_kwargs: object) -> None:
        raise KeyError("odd")

    monkeypatch.setattr(swath.cli.main.cli, "main", fail)
    assert main(["plan"]) == 3
    err = capsys.readouterr().err
    assert err.startswith("swath: this is a bug in Swath. Please report what follows:\n\nswath 0.1.0, dvc 3.")
    assert "KeyError: 'odd'" in err


def test_help_starts_without_the_heavy_libraries() -> None:
    code = (
        "import sys; sys.argv = ['swath', '--help']\n"
        "from swath.cli.entry import main\nmain()\n"
        "print(sorted({'dvc', 'rich', 'pydantic', 'docker', 'msgspec'} & {m.split('.')[0] for m in sys.modules}))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.endswith("[]\n")


def test_outside_a_repository(tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "swath", "plan"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    expected = "swath: not inside a DVC repository\n  go to one, or make one with: git init && dvc init\n"
    assert (result.returncode, result.stderr) == (1, expected)


def test_a_repository_without_stages(tmp_path: Path) -> None:
    result = make_repository(tmp_path, {"README": "x"}).swath("run")
    assert (result.returncode, result.stderr) == (0, "There are no stages: nothing to do\n")


def test_shell_completion_works() -> None:
    environ = {"_SWATH_COMPLETE": "bash_complete", "COMP_WORDS": "swath pl", "COMP_CWORD": "1"}
    result = subprocess.run(
        [Path(sys.executable).with_name("swath")], env=environ, capture_output=True, text=True, check=False
    )
    assert result.stdout == "plain,plan\n"
