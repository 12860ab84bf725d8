"""`swath exec SERVICE --name value …`: run one service, from a stage's command or by hand.

Own handling of its words, no click: it must start in milliseconds, so DVC, rich, pydantic and click stay out (a test
counts). The service's own output passes through; ours is one line on stderr when something is wrong. An error boundary.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from swath.cli.visible_streams import visible_streams
from swath.errors import (
    EXIT_BUG,
    EXIT_OK,
    InterruptedRunError,
    PassingFaultError,
    StageFailedError,
    SwathError,
    UserError,
    fault_of_system,
)  # fmt: skip
from swath.execute.choose import choose_runtime, runtime_choice
from swath.execute.command import Workplace, invocation_from_words
from swath.execute.gpus import named_gpus
from swath.execute.scratch import drop_scratch, open_scratch, scratch_path
from swath.load.repository_root import find_root, working_folder
from swath.model.arguments import VOLUME

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from swath.model.invocation import Invocation, Outcome, RuntimeChoice, Volume

USAGE: Final = """\
Usage: swath exec [--runtime auto|process|docker|inside] SERVICE [--name value ...]

  Run one service of the repository's services/ folder, with its arguments checked first. Relative paths start at the
  current folder. Lists repeat the option; booleans are true or false; volume:NAME/PATH names a place of swath.yaml.

  swath service list           what services there are
  swath service show SERVICE   what arguments one takes
"""
_PASSED_ON: Final = ("DVC_ROOT", "DVC_STAGE", "DVC_EXP_NAME", "DVC_EXP_BASELINE_REV")
_VISIBLE_DEVICES: Final = "CUDA_VISIBLE_DEVICES"


def main(words: Sequence[str]) -> int:
    """Run `swath exec` with these words; returns the exit code (the table is in `errors.py`)."""
    with visible_streams():
        return _main(words)


def _main(words: Sequence[str]) -> int:
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: stop.set())
    try:
        if not words or words[0] in {"--help", "-h"}:
            sys.stdout.write(USAGE)
            return EXIT_OK
        execute(words, dict(os.environ), working_folder(), stop)
    except SwathError as error:
        return _told(f"{error}\n", error.exit_code)
    except OSError as error:
        fault = fault_of_system(error) or UserError(str(error))
        return _told(f"swath exec: {fault}\n", fault.exit_code)
    except Exception as error:  # noqa: BLE001 - the boundary: whatever comes here is a bug
        return _report_bug(error)
    return EXIT_OK


def _told(message: str, code: int) -> int:
    """The exit code, which tells also where nobody can read the message, or no space is left for it."""
    with contextlib.suppress(OSError):
        sys.stderr.write(message)
    return code


def execute(words: Sequence[str], environment: Mapping[str, str], cwd: Path, stop: threading.Event) -> None:
    """Run one service.

    Args:
        words: behind ``swath exec``.
        environment: the process's variables.
        cwd: its working directory, a folder of a repository.
        stop: ends the service when set.

    Raises:
        UserError: the command is wrong, or the service cannot be started.
        StageFailedError: the service failed.
        PassingFaultError: it failed for a reason that may pass.
        InterruptedRunError: `stop` was set.
    """
    option, words = _runtime_option(words)
    choice = runtime_choice(option, environment)
    root = find_root(cwd)
    wdir = cwd.resolve().relative_to(root).as_posix()
    workplace = Workplace(
        root=root,
        wdir=wdir,
        scratch=scratch_path(root, wdir, words),
        volumes=_volumes(words, root, environment),
        environment={name: environment[name] for name in _PASSED_ON if name in environment},
        keep_outputs="DVC_STAGE" in environment,  # DVC has removed them, but for those with `persist`
    )
    invocation = invocation_from_words(words, workplace)
    invocation = replace(invocation, gpus=_gpus(invocation, environment))
    _raise_failure(invocation, _run(invocation, choice, environment, stop), stop)


def _run(
    invocation: Invocation, choice: RuntimeChoice, environment: Mapping[str, str], stop: threading.Event
) -> Outcome:
    runtime = choose_runtime(invocation.service, choice, environment)
    if open_scratch(invocation):
        sys.stderr.write(f"swath exec: an earlier attempt left its scratch folder: {invocation.scratch}\n")
    sys.stderr.flush()
    outcome = runtime.run(invocation, None, stop)
    if outcome.exit_code == 0:
        drop_scratch(invocation)
    return outcome


def _raise_failure(invocation: Invocation, outcome: Outcome, stop: threading.Event) -> None:
    if outcome.exit_code == 0:
        return
    if stop.is_set():
        raise InterruptedRunError(f"service '{invocation.service.name}' was stopped")
    message = f"service '{invocation.service.name}' failed: {outcome.reason}"
    if outcome.temporary:
        raise PassingFaultError(message)
    raise StageFailedError(message)


def _volumes(words: Sequence[str], root: Path, environment: Mapping[str, str]) -> Mapping[str, Volume]:
    """The volumes of swath.yaml, which is read only when the command may name one."""
    if not any(VOLUME in word for word in words):
        return {}
    from swath.load.volumes import read_volumes

    return read_volumes(root, environment)


def _runtime_option(words: Sequence[str]) -> tuple[str | None, Sequence[str]]:
    """Our one option stands before the service's name; what stands behind belongs to the service."""
    if words[0] == "--runtime" and len(words) > 1:
        return words[1], words[2:]
    if words[0].startswith("--runtime="):
        return words[0].removeprefix("--runtime="), words[1:]
    return None, words


def _gpus(invocation: Invocation, environment: Mapping[str, str]) -> tuple[str, ...]:
    """As many GPUs as the service asks for, out of those that the caller may use."""
    wanted = invocation.resources.gpus or 0
    offered = environment.get(_VISIBLE_DEVICES)
    return (named_gpus(offered) if offered is not None else tuple(map(str, range(wanted))))[:wanted]


def _report_bug(error: Exception) -> int:
    import traceback

    sys.stderr.write("".join(traceback.format_exception(error)))
    sys.stderr.write("swath exec: this is a bug in Swath; please report it with the lines above\n")
    return EXIT_BUG
