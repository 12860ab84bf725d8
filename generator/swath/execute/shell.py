"""Run a stage's command that is no plain `swath exec`: in the user's shell, as DVC does.

Source: DVC 3.67.1 `stage/run.py` (shell, flags, DVC_ROOT, DVC_STAGE), read 2026-11-22.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from swath.execute.child import Child, run_child
from swath.execute.spawn import start

if TYPE_CHECKING:
    import threading
    from collections.abc import Mapping
    from typing import BinaryIO

    from swath.model.invocation import Outcome

_FLAGS: Final = {"zsh": ["--no-rcs"], "bash": ["--noprofile", "--norc"]}


def shell_words(command: str, environ: Mapping[str, str]) -> list[str]:
    """The shell and its arguments for a command: $SHELL as DVC takes it, else sh; start-up files are not read."""
    shell = environ.get("SHELL") or "/bin/sh"
    return [shell, *_FLAGS.get(os.path.basename(shell).lower(), []), "-c", command]


def run_shell(
    command: str,
    *,
    folder: str,
    environment: Mapping[str, str],
    log: BinaryIO,
    stop: threading.Event,
    timeout_s: float | None = None,
    inherited: Mapping[str, str] | None = None,
) -> Outcome:
    """Run one command to its end.

    Args:
        folder: working directory, absolute.
        environment: variables beside the inherited ones.
        log: where its output goes.
        stop: when it is set, the command and its children are ended.
        timeout_s: longest time.
        inherited: this process's own variables; None: they are read again, which takes 0.1 ms.

    Returns:
        Exit code 128 + n when signal n ended it; a reason when it failed.

    Raises:
        UserError: there is no such shell or folder.
    """
    environ = {**(os.environ if inherited is None else inherited), **environment}
    words = shell_words(command, environ)
    child = Child(words, Path(folder), environ, timeout_s=timeout_s, supervised=False)
    return run_child(child, log, stop, start=start)
