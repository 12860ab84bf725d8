from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING

import pytest

from support.service_repositories import add_service, invocation, make_repository, never
from swath.errors import UserError
from swath.execute.inside import InsideRuntime

if TYPE_CHECKING:
    from pathlib import Path

TEXT = "name: a\nkind: processing\ndescription: d\nentrypoint: [PROGRAM, run.py]\nparameters: [{name: out, type: file, direction: output}]\n"


def test_the_entrypoint_is_started_as_it_is(tmp_path: Path) -> None:
    make_repository(tmp_path)
    add_service(tmp_path, "a", TEXT.replace("PROGRAM", "sh"), {"run.py": 'echo "$0 $@"; touch o'})
    log = io.BytesIO()
    runtime = InsideRuntime(os.environ)
    assert runtime.name == "inside"
    assert runtime.run(invocation(tmp_path, "a", "--out", "o"), log, never()).exit_code == 0
    assert log.getvalue().decode() == f"{tmp_path}/services/a/run.py --out o\n"


def test_a_program_that_the_image_has_not(tmp_path: Path) -> None:
    make_repository(tmp_path)
    add_service(tmp_path, "a", TEXT.replace("PROGRAM", "no-such"), {"run.py": ""})
    message = "'no-such', which starts 'a', is not on PATH: is this the service's container[?]"
    with pytest.raises(UserError, match=message):
        InsideRuntime(os.environ).run(invocation(tmp_path, "a"), None, never())


BUILT = TEXT + "image: {build: .}\n"


def run_with_image(root: Path, image: Path) -> tuple[int, str]:
    """The exit code and the log of a service whose container has the folder `image` as /opt/service."""
    log = io.BytesIO()
    runtime = InsideRuntime(os.environ, image)
    outcome = runtime.run(invocation(root, "a"), log, never())
    return outcome.exit_code, log.getvalue().decode()


def test_the_code_of_the_image_is_what_runs(tmp_path: Path) -> None:
    root = make_repository(tmp_path / "repository")
    add_service(root, "a", BUILT.replace("PROGRAM", "sh"), {"run.py": "echo checkout", "Dockerfile": ""})
    image = tmp_path / "opt"
    image.mkdir()
    (image / "run.py").write_text('echo "image $0 $SWATH_SERVICE_DIR"')
    assert run_with_image(root, image) == (0, f"image {image}/run.py {image}\n")


def test_a_file_that_the_image_has_not_is_the_checkouts(tmp_path: Path) -> None:
    root = make_repository(tmp_path / "repository")
    add_service(root, "a", BUILT.replace("PROGRAM", "sh"), {"run.py": 'echo "$0 $SWATH_SERVICE_DIR"', "Dockerfile": ""})
    image = tmp_path / "opt"
    assert run_with_image(root, image) == (0, f"{root}/services/a/run.py {root}/services/a\n")
    image.mkdir()
    assert run_with_image(root, image) == (0, f"{root}/services/a/run.py {image}\n")


@pytest.mark.parametrize("program", ["compiled", "bin/compiled", "./bin/compiled"])
def test_a_program_that_only_the_image_has(tmp_path: Path, program: str) -> None:
    root = make_repository(tmp_path / "repository")
    text = BUILT.replace("[PROGRAM, run.py]", f"[{program}, run.py]")
    add_service(root, "a", text, {"run.py": "", "Dockerfile": ""})
    file = tmp_path / "opt" / program
    file.parent.mkdir(parents=True)
    file.write_text('#!/bin/sh\necho "$@"\n')
    file.chmod(0o755)
    assert run_with_image(root, tmp_path / "opt") == (0, f"{root}/services/a/run.py\n")


def test_a_public_image_has_no_code_of_ours(tmp_path: Path) -> None:
    root = make_repository(tmp_path / "repository")
    text = TEXT.replace("PROGRAM", "sh") + f"image: {{reference: 'x@sha256:{'0' * 64}'}}\n"
    add_service(root, "a", text, {"run.py": "echo checkout"})
    (tmp_path / "opt").mkdir()
    (tmp_path / "opt/run.py").write_text("echo image")
    assert run_with_image(root, tmp_path / "opt") == (0, "checkout\n")
