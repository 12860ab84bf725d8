"""Run a service's own tests where the service itself runs: in its isolated environment.

    services/NAME/tests/run.sh       any language: a POSIX shell script; exit 0 is a pass
    services/NAME/tests/test_*.py    Python: pytest, in the service's environment with tests/requirements.txt added

Tests get SWATH_SERVICE_DIR and a SWATH_SCRATCH of their own, and otherwise the caller's variables. pytest takes no
settings from the repository around, so that they say the same in every repository. Called by `swath service test`.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Final

from swath.errors import UserError
from swath.execute.child import Child, run_child
from swath.execute.environment import SCRATCH, SERVICE_DIR
from swath.execute.process import DEFAULT_PATH, ProcessRuntime
from swath.execute.python_environment import make_environment

if TYPE_CHECKING:
    import threading
    from collections.abc import Mapping
    from pathlib import Path

    from swath.model.invocation import Outcome
    from swath.model.service import Service

_PYTEST: Final = ("-m", "pytest", "-c", "/dev/null", "-p", "no:cacheprovider", "--import-mode=importlib", "-q")
_UNWANTED: Final = frozenset({"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "PYTEST_ADDOPTS"})


@dataclass(frozen=True, slots=True)
class ServiceTests:
    """How a service's tests are run.

    Attributes:
        script: a shell script, or
        folder: a folder for pytest, with
        requirements: what it needs beyond the service's own.
    """

    folder: Path
    script: Path | None
    requirements: tuple[Path, ...]


def find_tests(folder: Path) -> ServiceTests | None:
    """The tests in a service's folder; None: it has none."""
    tests = folder / "tests"
    if (tests / "run.sh").is_file():
        return ServiceTests(tests, tests / "run.sh", ())
    if any(tests.glob("test_*.py")):
        further = tests / "requirements.txt"
        return ServiceTests(tests, None, (further,) if further.is_file() else ())
    return None


def run_service_tests(
    service: Service,
    tests: ServiceTests,
    source: Mapping[str, str],
    log: BinaryIO | None,
    stop: threading.Event,
    *,
    words: tuple[str, ...] = (),
) -> Outcome:
    """Run the tests to their end.

    Args:
        service: whose tests.
        tests: which.
        source: the caller's variables.
        log: where their output goes; None: to this process's own.
        stop: ends them when set.
        words: further words for pytest or the script, such as ``-k name``.

    Raises:
        UserError: the environment cannot be made, or has no pytest.
    """
    folder = tests.folder.parent
    with tempfile.TemporaryDirectory(prefix="swath-test-") as scratch:
        variables = {name: value for name, value in source.items() if name not in _UNWANTED}
        variables |= {SERVICE_DIR: str(folder), SCRATCH: scratch, "PYTHONDONTWRITEBYTECODE": "1"}
        variables["HYPOTHESIS_STORAGE_DIRECTORY"] = f"{scratch}/hypothesis"  # a file in the folder would count as code
        if tests.script is not None:
            argv = ["sh", str(tests.script), *words]
        else:
            python = _test_python(service, tests, source, log, stop)
            variables["PATH"] = f"{python.parent}:{source.get('PATH', DEFAULT_PATH)}"
            only_here = [f"--rootdir={tests.folder}", f"--confcutdir={tests.folder}"]
            argv = [str(python), *_PYTEST, *only_here, *words, str(tests.folder)]
        return run_child(Child(argv, folder, variables, mark=f"{SCRATCH}={scratch}"), log, stop)


def _test_python(
    service: Service, tests: ServiceTests, source: Mapping[str, str], log: BinaryIO | None, stop: threading.Event
) -> Path:
    environment = ProcessRuntime(source).environment_of(service, tests.folder.parent, tests.requirements)
    if environment is None:
        raise UserError(
            f"the tests of '{service.name}' are Python, but service.yaml names no Python environment",
            hint="add `process: {python: requirements.txt}`, or write tests/run.sh",
        )
    make_environment(environment, source, log, stop)
    if not any(environment.folder.glob("lib/python*/site-packages/pytest")):
        raise UserError(f"the tests of '{service.name}' need pytest", hint="write `pytest` into tests/requirements.txt")
    return environment.python
