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


HOSTILE = """name: a
kind: processing
description: d
entrypoint: [sh, run.py]
parameters: [{name: out, type: "list[directory]", direction: output}, {name: file, type: file, direction: output}]
"""


def hostile(root: Path, script: str, *words: str) -> tuple[int, str]:
    """Exit code and reason of a service that runs a script in a job."""
    make_repository(root)
    add_service(root, "a", HOSTILE, {"run.py": script})
    outcome = InsideRuntime(os.environ).run(invocation(root, "a", *words), None, never())
    return outcome.exit_code, outcome.reason


def test_what_a_service_left_behind_is_looked_at_in_a_job_too(tmp_path: Path) -> None:
    secret, root = tmp_path / "SWATH_DVC_CONFIG", tmp_path / "repository"
    secret.write_text("[remote]")
    script = f"mkdir -p a b c; ln -s /proc/self/environ a/link; ln -s {secret} b/link; ln -s ../a c/link; ln -s a file"
    absolute = "; a link in an output must be relative"
    reason = (
        f"its output a has a link that leads out of it: 'link' -> '/proc/self/environ'{absolute}; "
        f"its output b has a link that leads out of it: 'link' -> '{secret}'{absolute}; "
        "its output c has a link that leads out of it: 'link' -> '../a'; "
        "its output file is a symbolic link to 'a'"
    )
    assert hostile(root, script, "--out", "a", "--out", "b", "--out", "c", "--file", "file") == (1, reason)


def test_in_a_job_links_that_stay_in_the_output_are_allowed_as_absolute_ones_too(tmp_path: Path) -> None:
    script = 'mkdir -p a/sub; : >a/sub/x; chmod 6755 a/sub/x; ln -s sub/x a/one; ln -s "$PWD/a/sub" a/two'
    assert hostile(tmp_path, script, "--out", "a") == (0, "")
    assert (tmp_path / "a/sub/x").stat().st_mode & 0o7777 == 0o755


def test_in_a_job_a_parent_that_becomes_a_link_is_named(tmp_path: Path) -> None:
    (tmp_path / "host/out").mkdir(parents=True)
    root = tmp_path / "repository"
    reason = f"its output deep/out lies behind a link: '{root}/deep' -> '{tmp_path}/host'"
    assert hostile(root, f"rm -r deep; ln -s {tmp_path}/host deep", "--out", "deep/out") == (1, reason)


def test_in_a_job_the_users_own_link_on_the_way_to_an_output_is_followed(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    root = tmp_path / "repository"
    root.mkdir()
    (root / "deep").symlink_to(tmp_path / "disk")
    assert hostile(root, "mkdir deep/out; : >deep/out/x; ln -s x deep/out/y", "--out", "deep/out") == (0, "")
    assert (tmp_path / "disk/out/x").exists()
