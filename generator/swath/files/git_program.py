"""The one place that starts Git's program: with its user's settings, but not with what a calling Git command left.

Hooks and a file system monitor, which the repository's own settings may name, are not started. The variables by which
Git tells its hooks and aliases where they are (`GIT_DIR`, `GIT_INDEX_FILE`) would send us to another repository.

Source: https://git-scm.com/docs/git#_environment_variables, read 2026-11-28.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from typing import TYPE_CHECKING, Final

from swath.errors import NoGitError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_CLOSED: Final = ("-c", "core.fsmonitor=false", "-c", f"core.hooksPath={os.devnull}")
# Settings, identities and connections of the user's; all other GIT_… variables stay behind.
_KEPT: Final = re.compile(
    r"GIT_(?:CONFIG_(?!PARAMETERS)\w+|SSL_\w+|SSH\w*|HTTP_\w+|PROXY_\w+|AUTHOR_\w+|COMMITTER_\w+"
    r"|ASKPASS|TERMINAL_PROMPT|EXEC_PATH|TEMPLATE_DIR)"
)


def git_command(*words: str) -> list[str]:
    """The words of a Git command."""
    return ["git", *_CLOSED, *words]


def git_environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """The variables for a Git command: those of this process that concern it, and `more`. Its messages are English."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_") or _KEPT.fullmatch(name)}
    return {**kept, "LC_ALL": "C", **(more or {})}


def call_git(
    folder: Path,
    *words: str,
    stdin: bytes = b"",
    environ: Mapping[str, str] | None = None,
    timeout_s: float | None = None,
) -> subprocess.CompletedProcess[bytes]:
    """Run a Git command in a folder and wait for it; its exit code is the caller's to judge.

    Raises:
        NoGitError: there is no `git` program.
        subprocess.TimeoutExpired: it took longer than `timeout_s`.
    """
    try:
        return subprocess.run(
            git_command(*words),
            cwd=folder,
            input=stdin,
            env=git_environment(environ),
            capture_output=True,
            check=False,
            timeout=timeout_s,
        )
    except (FileNotFoundError, PermissionError) as error:
        if shutil.which("git") is None:
            raise NoGitError from error
        raise


def names_in(output: bytes) -> list[str]:
    """The names in the output of a command with `-z`; those that are not UTF-8 have surrogates, as everywhere."""
    return [os.fsdecode(name) for name in output.split(b"\0") if name]
