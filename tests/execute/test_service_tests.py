from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING

import pytest

from support.service_repositories import UPPER, UPPER_SH, add_service, make_repository, never
from swath.errors import UserError
from swath.execute.service_tests import find_tests, run_service_tests
from swath.load.services import load_service

if TYPE_CHECKING:
    from pathlib import Path

PYTHON = (
    "name: a\nkind: processing\ndescription: d\nentrypoint: [python, run.py]\nprocess: {python: requirements.txt}\n"
)


def run(root: Path, name: str, *words: str) -> tuple[int, str]:
    tests = find_tests(root / "services" / name)
    assert tests
    log = io.BytesIO()
    source = os.environ | {"SWATH_CACHE_DIR": str(root / "cache"), "PYTEST_ADDOPTS": "--no-such-option"}
    outcome = run_service_tests(load_service(root, name), tests, source, log, never(), words=words)
    return outcome.exit_code, log.getvalue().decode()


def test_a_service_may_have_none(tmp_path: Path) -> None:
    folder = add_service(tmp_path, "a", UPPER, {"tests/notes.txt": ""})
    assert find_tests(folder) is None


@pytest.mark.parametrize("code", [0, 3])
def test_a_script(tmp_path: Path, code: int) -> None:
    make_repository(tmp_path)
    script = f'test -d "$SWATH_SCRATCH"; pwd; echo "$SWATH_SERVICE_DIR $1"; exit {code}'
    folder = add_service(tmp_path, "upper", UPPER, {"upper.sh": UPPER_SH, "tests/run.sh": script})
    assert run(tmp_path, "upper", "word") == (code, f"{folder}\n{folder} word\n")


def test_python_tests_need_an_environment(tmp_path: Path) -> None:
    make_repository(tmp_path)
    add_service(tmp_path, "upper", UPPER, {"upper.sh": UPPER_SH, "tests/test_a.py": ""})
    with pytest.raises(UserError) as caught:
        run(tmp_path, "upper")
    assert str(caught.value) == (
        "the tests of 'upper' are Python, but service.yaml names no Python environment\n"
        "  add `process: {python: requirements.txt}`, or write tests/run.sh"
    )


def test_python_tests_need_pytest(tmp_path: Path) -> None:
    add_service(tmp_path, "a", PYTHON, {"run.py": "", "requirements.txt": "", "tests/test_a.py": ""})
    with pytest.raises(UserError, match=r"the tests of 'a' need pytest\n  write `pytest` into tests/requirements\.txt"):
        run(tmp_path, "a")


@pytest.mark.slow
def test_python_tests_know_nothing_of_the_repository_around(tmp_path: Path) -> None:
    files = {
        "run.py": "", "requirements.txt": "", "tests/requirements.txt": "pytest==9.2.0\n",
        "tests/test_a.py": "def test_good(): pass\ndef test_bad(): assert 1 == 2\n",
    }  # fmt: skip
    add_service(tmp_path, "a", PYTHON, files)
    (tmp_path / "conftest.py").write_text("not python")
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --no-such-option\n")
    assert run(tmp_path, "a", "-k", "good")[0] == 0
    code, text = run(tmp_path, "a")
    assert (code, "1 failed, 1 passed" in text) == (1, True)
