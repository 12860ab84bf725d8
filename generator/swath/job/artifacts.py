"""`.swath/`: what a job leaves for people in GitLab: logs, metrics, its fragment; never so much that it fails.

GitLab refuses an archive over its limit (100 MB by default), and then fails the job whose work is done and pushed. So
the middle of long logs is left out, and so are metrics beyond a bound. Results are no part of it: they are in the
remote.

Source: https://docs.gitlab.com/administration/cicd/limits/ (maximum artifacts size), read 2026-11-23.
"""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

from swath.model.units import Size

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from swath.dvc_border.repository import Repository
    from swath.job.fragments import OwnFragment

ARTIFACTS: Final = ".swath"
_MIB: Final = 2**20
_MOST_LOGS: Final = 48 * _MIB  # of all logs, and as many again for the rest: before the archive is packed
_MOST_OF_A_LOG: Final = 16 * _MIB
_MOST_METRICS: Final = 16 * _MIB
_MOST_FRAGMENT: Final = 16 * _MIB
_BLOCK: Final = _MIB


@contextmanager
def artifacts(repository: Repository, own: OwnFragment) -> Iterator[Path]:
    """A folder for `logs/` and `metrics/` that becomes `.swath/` at the end, at the top of Git's checkout.

    Until then it lies where neither DVC nor Git looks: a stage may well read the whole checkout.
    """
    folder = repository.tmp_dir / "job"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        with suppress(OSError):
            shorten_logs(folder / "logs")
            leave_out(folder / "metrics")
            text = own.text
            if len(text) <= _MOST_FRAGMENT:
                (folder / "fragment.json").write_text(text, encoding="utf-8")
            target = repository.checkout / ARTIFACTS
            target.mkdir(exist_ok=True)
            (target / ".gitignore").write_text("*\n", encoding="utf-8")
            shutil.copytree(folder, target, dirs_exist_ok=True)


def shorten_logs(folder: Path, most: int = _MOST_LOGS, most_of_one: int = _MOST_OF_A_LOG) -> None:
    """Leave out the middle of logs that are longer than their share.

    Args:
        most: bytes of all logs.
        most_of_one: bytes of one log.
    """
    sizes = {path: path.stat().st_size for path in sorted(folder.glob("*"))}
    share = most_of_one if sum(sizes.values()) <= most else min(most_of_one, most // max(len(sizes), 1))
    for path, size in sizes.items():
        if size > share:
            _leave_out_the_middle(path, size, share)


def _leave_out_the_middle(path: Path, size: int, most: int) -> None:
    """The first quarter and the end stay: how it began, and why it failed."""
    first = most // 4
    last = most - first
    shorter = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with path.open("rb") as source, shorter.open("wb") as target:
        target.write(source.read(first))
        target.write(f"\nswath: {Size(size - most)} are left out here\n".encode())
        source.seek(size - last)
        shutil.copyfileobj(source, target, _BLOCK)
    shorter.replace(path)


def leave_out(folder: Path, most: int = _MOST_METRICS) -> None:
    """Remove files beyond a bound, the last ones by name.

    Args:
        most: bytes of all files.
    """
    total = 0
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        total += path.stat().st_size
        if total > most:
            path.unlink()
