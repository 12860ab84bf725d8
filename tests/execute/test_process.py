from __future__ import annotations

import io
import json
import os
import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from support.service_repositories import add_service, invocation, make_repository, never, shell_service
from swath.errors import UserError
from swath.execute.process import ProcessRuntime
from swath.load.services import load_service

if TYPE_CHECKING:
    from swath.model.invocation import Invocation, Outcome

PYTHON = """\
name: show
kind: processing
description: d
entrypoint: [python, show.py]
process: {python: requirements.txt}
parameters:
  - {name: out, type: file, direction: output, required: true}
secrets: [HUB_TOKEN]
"""
SHOW = """\
import json, os, sys
facts = {"argv": sys.argv, "cwd": os.getcwd(), "environment": dict(os.environ), "prefix": sys.prefix}
open(sys.argv[2], "w").write(json.dumps(facts))
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_repository(tmp_path / "repository")


@pytest.fixture
def runtime(tmp_path: Path) -> ProcessRuntime:
    return ProcessRuntime(os.environ | {"SWATH_CACHE_DIR": str(tmp_path / "cache")})


def run(runtime: ProcessRuntime, made: Invocation, stop: threading.Event | None = None) -> tuple[Outcome, str]:
    log = io.BytesIO()
    outcome = runtime.run(made, log, stop or never())
    return outcome, log.getvalue().decode()


def test_a_service_gets_its_arguments_and_writes_its_output(root: Path, runtime: ProcessRuntime) -> None:
    outcome, text = run(runtime, invocation(root, "upper", "--input", "data/a", "--tag", "-x", "--out", "new/o"))
    assert (outcome.exit_code, outcome.reason) == (0, "")
    assert text.splitlines() == ["--input", "data/a", "--tag=-x", "--out", "new/o", "--size", "256"]
    assert (root / "new/o").read_text() == "HELLO\n"


def test_a_python_service_has_its_own_environment(root: Path, runtime: ProcessRuntime) -> None:
    add_service(root, "show", PYTHON, {"show.py": SHOW, "requirements.txt": ""})
    (root / "w").mkdir()
    source = dict(runtime.source) | {"HUB_TOKEN": "secret", "SWATH_TOKEN": "no", "OTHER": "no", "LC_ALL": "C"}
    made = replace(invocation(root, "show", "--out", "o", wdir="w"), environment={"DVC_STAGE": "s"})
    assert run(ProcessRuntime(source), made)[0].exit_code == 0
    facts = json.loads((root / "w/o").read_text())
    variables = facts["environment"]
    assert facts["argv"] == [f"{root}/services/show/show.py", "--out", "o"]
    assert facts["cwd"] == f"{root}/w"
    assert facts["prefix"] == variables["VIRTUAL_ENV"]
    assert Path(facts["prefix"]).parent == Path(source["SWATH_CACHE_DIR"]) / "envs"
    assert (variables["HUB_TOKEN"], variables["LC_ALL"], variables["DVC_STAGE"]) == ("secret", "C", "s")
    assert (variables["SWATH_SERVICE_DIR"], variables["SWATH_SCRATCH"]) == (f"{root}/services/show", str(made.scratch))
    assert not {"SWATH_TOKEN", "OTHER", "SWATH_CACHE_DIR"} & set(variables)


def test_gpus_are_those_that_were_given(root: Path, runtime: ProcessRuntime) -> None:
    shell_service(root, "gpus", "echo $CUDA_VISIBLE_DEVICES")
    assert run(runtime, replace(invocation(root, "gpus"), gpus=("1", "MIG-3")))[1] == "1,MIG-3\n"


def test_stale_outputs_are_gone_at_the_start(root: Path, runtime: ProcessRuntime) -> None:
    shell_service(root, "lazy", 'test -e "$2" && echo stale; true')
    (root / "o").write_text("old")
    outcome, text = run(runtime, invocation(root, "lazy", "--out", "o"))
    assert (outcome.exit_code, outcome.reason, text) == (1, "it ended well but did not write its output 'o'", "")


def test_kept_outputs_are_not(root: Path, runtime: ProcessRuntime) -> None:
    shell_service(root, "more", 'echo more >>"$2"')
    (root / "o").write_text("old\n")
    outcome, _ = run(runtime, replace(invocation(root, "more", "--out", "o"), keep_outputs=True))
    assert (outcome.exit_code, (root / "o").read_text()) == (0, "old\nmore\n")


def test_a_failure_names_the_secrets_that_are_not_set(root: Path, runtime: ProcessRuntime) -> None:
    shell_service(root, "hub", "exit 4", "secrets: [NO_SUCH_TOKEN]\n")
    outcome, _ = run(runtime, invocation(root, "hub"))
    assert outcome.reason == "it ended with exit code 4; its secrets NO_SUCH_TOKEN are not set in the environment"


def test_limits_are_the_invocations(root: Path, runtime: ProcessRuntime) -> None:
    shell_service(root, "slow", "sleep 60", "timeout: 1s\n")
    outcome, _ = run(runtime, invocation(root, "slow"))
    assert outcome.reason == "it took longer than its timeout of 1s"


def test_a_stop_that_is_set_already(root: Path, runtime: ProcessRuntime) -> None:
    shell_service(root, "slow", "sleep 60")
    stop = threading.Event()
    stop.set()
    assert run(runtime, invocation(root, "slow"), stop)[0].reason == "it was stopped"


@pytest.mark.parametrize("value", ["$(touch x)", "; touch x", "`touch x`", "a\nb", "'\"", "*", "~", ""])
def test_no_value_reaches_a_shell(root: Path, runtime: ProcessRuntime, value: str) -> None:
    outcome, text = run(runtime, invocation(root, "upper", "--input", "data/a", "--tag", value, "--out", "o"))
    assert outcome.exit_code == 0
    assert text.startswith(f"--input\ndata/a\n--tag\n{value}\n--out\n")
    assert not (root / "x").exists()


def test_the_problems_of_a_machine(root: Path, runtime: ProcessRuntime) -> None:
    folder = shell_service(root, "odd", "true")
    assert runtime.problem(load_service(root, "odd")) is None
    text = (folder / "service.yaml").read_text()
    (folder / "service.yaml").write_text(text.replace("process: {}", "process: {programs: [sh, no-such, nor-this]}"))
    assert runtime.problem(load_service(root, "odd")) == (
        "'odd' needs no-such, nor-this on PATH: install it, or use the docker runtime"
    )
    (folder / "service.yaml").write_text(text.replace("process: {}", ""))
    expected = "service.yaml of 'odd' has no `process`: it says how to run without Docker"
    assert runtime.problem(load_service(root, "odd")) == expected
    with pytest.raises(UserError, match=expected):
        run(runtime, invocation(root, "odd"))
