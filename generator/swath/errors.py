"""The exceptions of Swath, each with its exit code.

SwathError                 base; catch it at a boundary only
├── UserError              the user's input is wrong                    1
│   ├── DeniedError        a server denies access                       1
│   ├── NoGitError         there is no `git` program                    1
│   └── FindingsError      several findings at once                     1
├── UsageError             the command line is wrong                    2
├── StageFailedError       a stage failed                               4
├── PassingFaultError      a remote, a lock, the network, no space     75
└── InterruptedRunError    Ctrl-C                                     130

Any other exception that reaches `cli/main.py` is a bug (3). A message says what is wrong, where (file, line, key), and
what to do next; nothing here prints, logs or exits.
"""

from __future__ import annotations

import errno
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence

Severity = Literal["error", "warning"]
EXIT_OK: Final = 0
EXIT_BUG: Final = 3
NO_SPACE: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
_NO_ACCESS: Final = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
_OTHER_KIND: Final = frozenset({errno.EISDIR, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG})


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where in the user's files something stands.

    Attributes:
        file: path from the repository's root, with forward slashes.
        line: line number, from 1; 0 when only the file is known.
        key: dotted path of the key in the file, such as ``stages.train.deps[2]``; may be empty.
    """

    file: str
    line: int = 0
    key: str = ""

    def __str__(self) -> str:
        """``dvc.yaml:12: stages.train.deps[2]``."""
        where = f"{self.file}:{self.line}" if self.line else self.file
        return f"{where}: {self.key}" if self.key else where


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One thing wrong in the user's files: where, a stable rule name, what, and what to do next.

    A warning is worth a look and stops nothing.
    """

    place: Place
    rule: str
    message: str
    hint: str = ""
    severity: Severity = "error"

    def __str__(self) -> str:
        """``dvc.yaml:12: stages.train.deps[2]: message`` and the hint on a line of its own."""
        text = f"{self.place}: {self.message}"
        return f"{text}\n  {self.hint}" if self.hint else text


class SwathError(Exception):
    """Base of all errors that Swath raises on purpose."""

    exit_code: ClassVar[int] = EXIT_BUG


class UserError(SwathError):
    """The user's input is wrong: a file, a value, a target.

    Args:
        message: what is wrong.
        place: where it stands, when it is a file.
        hint: what to do next.
    """

    exit_code = 1

    def __init__(self, message: str, *, place: Place | None = None, hint: str = "") -> None:
        self.message = message
        self.place = place
        self.hint = hint
        text = f"{place}: {message}" if place else message
        super().__init__(f"{text}\n  {hint}" if hint else text)


class DeniedError(UserError):
    """A server denies access: there is no token, or it may not do this."""


class NoGitError(UserError):
    """Something must be asked of Git, and there is no `git` program."""

    def __init__(self) -> None:
        super().__init__("this needs Git, and there is no `git` program here", hint="install Git, then run this again")


class FindingsError(UserError):
    """Several findings at once, in the order of their places."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        self.findings = tuple(findings)
        super().__init__("\n".join(str(finding) for finding in self.findings))


class UsageError(SwathError):
    """The command line is wrong."""

    exit_code = 2


class StageFailedError(SwathError):
    """At least one stage failed; `stages` are their names."""

    exit_code = 4

    def __init__(self, message: str, stages: Sequence[str] = ()) -> None:
        self.stages = tuple(stages)
        super().__init__(message)


class PassingFaultError(SwathError):
    """Something outside failed that may work later; CI retries on this code alone."""

    exit_code = 75


class InterruptedRunError(SwathError):
    """The user stopped the run."""

    exit_code = 130


def fault_of_system(error: OSError) -> SwathError | None:
    """What an error of the operating system says of the user's files; None: it says nothing, so it is a bug here.

    Messages for what can be foreseen stand where it is read or written. This is for the rest, at the boundaries.
    """
    names = dict.fromkeys(str(name) for name in (error.filename, error.filename2) if isinstance(name, str))
    text = f"{' -> '.join(names)}: {error.strerror}" if names else str(error)
    if error.errno in NO_SPACE:
        return PassingFaultError(f"{text}\n  free some space there, then do the same again")
    if error.errno in _NO_ACCESS:
        return UserError(text, hint="check who owns the file, and the permissions of the folders above it")
    if error.errno in _OTHER_KIND:
        return UserError(text, hint="something else stands at the place of a file or folder: move it away")
    return None
