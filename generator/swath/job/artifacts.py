"""`.swath/`: what a job leaves for people in GitLab: logs, metrics, its fragment; no secrets, and not too much.

GitLab refuses an archive over its limit (100 MB by default), and then fails the job whose work is done and pushed. So
the middle of long logs is left out, and so are metrics beyond a bound. Results are no part of it: they are in the
remote. GitLab masks secrets in the job's own log and not in files, so here it is done by us.

Source: https://docs.gitlab.com/administration/cicd/limits/ (maximum artifacts size), read 2026-11-23.
"""

from __future__ import annotations

import os
import re
import shutil
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, BinaryIO, Final

from swath.model.units import Size

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
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
_SHORTEST_SECRET: Final = 8  # characters; GitLab masks none that is shorter
_MASKED: Final = b"[MASKED]"


@contextmanager
def artifacts(repository: Repository, own: OwnFragment, secrets: Collection[str] = ()) -> Iterator[Path]:
    """A folder for `logs/` and `metrics/` that becomes `.swath/` at the end, at the top of Git's checkout.

    Until then it lies where neither DVC nor Git looks: a stage may well read the whole checkout.

    Args:
        secrets: values that are masked in the logs.
    """
    folder = repository.tmp_dir / "job"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        with suppress(OSError):
            mask(folder / "logs", secrets)
            shorten_logs(folder / "logs")
            leave_out(folder / "metrics")
            text = own.text
            if len(text) <= _MOST_FRAGMENT:
                (folder / "fragment.json").write_text(text, encoding="utf-8")
            target = repository.checkout / ARTIFACTS
            target.mkdir(exist_ok=True)
            (target / ".gitignore").write_text("*\n", encoding="utf-8")
            shutil.copytree(folder, target, dirs_exist_ok=True)


def mask(folder: Path, secrets: Collection[str]) -> None:
    """Replace secrets in logs; one of several lines line by line. What is shorter than 8 characters stays.

    Raises:
        OSError: a log cannot be read or written.
    """
    lines = {line.strip() for secret in secrets for line in secret.splitlines()}
    words = sorted((line.encode() for line in lines if len(line) >= _SHORTEST_SECRET), key=len, reverse=True)
    if not words:
        return
    pattern = re.compile(b"|".join(map(re.escape, words)))
    for path in sorted(folder.glob("*")):
        masked = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        with path.open("rb") as source, masked.open("wb") as target:
            target.writelines(_masked(source, pattern, len(words[0])))
        masked.replace(path)


def _masked(source: BinaryIO, pattern: re.Pattern[bytes], longest: int) -> Iterator[bytes]:
    """The file's bytes, masked, block by block: a progress bar writes a log of gigabytes that has but one line.

    Args:
        longest: bytes of the longest match: so many before the end of a block may be half of one.
    """
    data = b""
    while block := source.read(_BLOCK):
        data += block
        whole, done = len(data) - longest + 1, 0
        for match in pattern.finditer(data):
            if match.start() >= whole:
                break
            yield data[done : match.start()] + _MASKED
            done = match.end()
        end = max(whole, done)
        yield data[done:end]
        data = data[end:]
    yield pattern.sub(_MASKED, data)


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
