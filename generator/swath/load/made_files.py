"""Which dvc.yaml and `.dvc` files are the repository's own. Those that lie in something that is made are data.

A service may write a dvc.yaml into its output, an imported folder may hold one; if it were read, its commands would run
on this machine. As in DVC, files are read from the top down, and what lies in an output that is known by then does not
count.
"""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING, Final

from swath.dvc_border.data_files import read_data_file
from swath.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from swath.dvc_border.data_files import DataOutput
    from swath.dvc_border.repository import Repository

_TEMPLATE: Final = re.compile(r"\$\{[^}]*\}")
_ANYTHING: Final = "\0"


def own_files(repository: Repository, outputs_of: Callable[[str], Iterable[str]]) -> tuple[DataOutput, ...]:
    """Leave the files in outputs out of `repository`, and read the rest.

    Args:
        outputs_of: reads a dvc.yaml and gives the outputs of its stages, from the root; what stands for a templated
            value that is not known yet is still in them, as ``${...}``.

    Returns:
        The data of the `.dvc` files that count, by file.

    Raises:
        UserError: a `.dvc` file is not of DVC's form.
    """
    repository.leave_out(frozenset())
    workflows = set(repository.workflow_files)
    files = sorted({*workflows, *repository.data_files}, key=lambda file: (file.count("/"), file))
    made, inside = _Made(), set[str]()
    data: list[tuple[str, tuple[DataOutput, ...]]] = []
    faults: list[UserError] = []
    for file in files:
        if made.has(file):
            inside.add(file)
        elif file in workflows:
            made.add(outputs_of(file))
        else:
            try:
                data.append((file, tuple(read_data_file(repository, file))))
                made.add(out.path for out in data[-1][1])
            except UserError as fault:
                faults.append(fault)
    repository.leave_out(frozenset(inside))
    if faults:
        raise faults[0]
    return tuple(out for _, outs in sorted(data, key=lambda each: each[0]) for out in outs)


class _Made:
    """Paths that are made."""

    def __init__(self) -> None:
        self._paths: set[str] = set()
        self._patterns: list[re.Pattern[str]] = []

    def add(self, paths: Iterable[str]) -> None:
        """Note some more, from the root."""
        for path in paths:
            if _TEMPLATE.search(path):
                parts = posixpath.normpath(_TEMPLATE.sub(_ANYTHING, path)).split(_ANYTHING)
                self._patterns.append(re.compile(".*".join(map(re.escape, parts)), re.DOTALL))
            else:
                self._paths.add(path)

    def has(self, file: str) -> bool:
        """Whether a file lies in one of them."""
        folder = posixpath.dirname(file)
        while folder:
            if folder in self._paths or any(pattern.fullmatch(folder) for pattern in self._patterns):
                return True
            folder = posixpath.dirname(folder)
        return False
