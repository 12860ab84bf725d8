"""Files of an archive: found, fetched, and compared with their checksums.

An archive is a folder, or an HTTP store. A file of a folder is read where it lies; one of a store goes to `NAME.part`,
is resumed where it broke off, and gets its name only once size and checksum are right.
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

import requests
from urllib3.exceptions import HTTPError

PASSING_STATUS = frozenset({408, 425, 429, 500, 502, 503, 504})
ATTEMPTS = 5  # one after another without a single new byte
LONGEST_PAUSE_S = 60.0
TIMEOUT_S = 60.0
CHUNK = 1 << 20
ALGORITHMS = frozenset({"md5", "sha1", "sha256", "sha512"})


class DownloadError(Exception):
    """The scene cannot be had; the message says why and what to do."""


class PassingError(Exception):
    """The archive does not answer now; it may later."""


def checksum(path: Path, algorithm: str) -> str:
    """The file's checksum, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()


@dataclass(frozen=True, slots=True)
class Digest:
    """What the catalogue says of a file: `ALGORITHM:HEX:BYTES`; 0 bytes: the size is not known."""

    algorithm: str
    value: str
    size: int

    @classmethod
    def parse(cls, text: str) -> Digest:
        """Read `md5:0123…:171234`."""
        algorithm, _, rest = text.partition(":")
        value, _, size = rest.partition(":")
        if algorithm not in ALGORITHMS or not size.isdigit():
            raise DownloadError(
                f"{text!r} is no checksum; write ALGORITHM:HEX:BYTES, with {', '.join(sorted(ALGORITHMS))}"
            )
        return cls(algorithm, value.lower(), int(size))

    def refusal(self, path: Path) -> str | None:
        """Why the file is not the one of the catalogue; None: it is."""
        size = path.stat().st_size
        if self.size and size != self.size:
            return f"wrong checksum ({size} bytes, the catalogue says {self.size})"
        found = checksum(path, self.algorithm)
        return (
            None
            if found == self.value
            else f"wrong checksum ({self.algorithm} {found}, the catalogue says {self.value})"
        )


def is_url(text: str) -> bool:
    """Whether this is an address rather than a path."""
    return urlsplit(text).scheme in {"http", "https", "s3"}


def joined(base: str, href: str) -> str:
    """The address of `href`, which may be complete already."""
    return href if "://" in href else f"{base.rstrip('/')}/{href.removeprefix('./')}"


def path_below(folder: Path, href: str) -> Path:
    """The file of an archive's folder that `href` names; it may not leave the folder."""
    plain = PurePosixPath(unquote(href))
    if plain.is_absolute() or ".." in plain.parts:
        raise DownloadError(f"{href}: leaves the archive")
    path = folder / plain
    if not path.is_file():
        place = "" if folder.is_dir() else f" ({folder} is no folder: set SWATH_VOLUME_ARCHIVE)"
        raise DownloadError(f"{plain}: the archive has no such file{place}; if it changed, write its catalogue anew")
    return path


def verified(path: Path, name: str, digest: Digest | None) -> Path:
    """The path, once its file is known to be the one of the catalogue."""
    refusal = digest.refusal(path) if digest else None
    if refusal:
        raise DownloadError(f"{name}: {refusal}; it was changed or damaged: restore it, or write the catalogue anew")
    return path


def pause_before(attempt: int, answer: requests.Response | None, unit: float) -> float:
    """Seconds to wait: what the server asks for, else twice as long each time."""
    asked = answer.headers.get("Retry-After", "") if answer is not None else ""
    if asked.isdigit():
        seconds = float(asked)
    elif asked:
        try:
            when = parsedate_to_datetime(asked)
            seconds = (when.replace(tzinfo=when.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
        except ValueError:
            seconds = unit * 2**attempt
    else:
        seconds = unit * 2**attempt
    return min(max(seconds, 0.0), LONGEST_PAUSE_S)


def fetch(url: str, target: Path, digest: Digest | None, unit: float = 1.0) -> Path:
    """Fetch a file of an HTTP store to `target`; a piece in `target.part` is gone on with.

    Args:
        digest: what it must be; without one only the server's own length is compared.
        unit: seconds before the first new attempt.
    """
    if target.is_file() and digest and digest.refusal(target) is None:
        return target
    part = target.with_name(target.name + ".part")
    part.parent.mkdir(parents=True, exist_ok=True)
    if digest is None:
        part.unlink(missing_ok=True)  # nothing would say that both pieces are of one file
    began_here = part.exists()
    transfer = _Transfer(url, part, digest.size if digest else 0)
    transfer.run(unit)
    refusal = digest.refusal(part) if digest else None
    if refusal and (began_here or transfer.resumed):  # the pieces may be of two versions
        part.unlink()
        transfer.run(unit)
        refusal = digest.refusal(part) if digest else None
    if refusal:
        part.unlink()
        raise DownloadError(f"{url}: {refusal}; the store has changed: write its catalogue anew")
    part.replace(target)
    return target


class _Transfer:
    """Fills a `.part` by as many requests as it takes."""

    def __init__(self, url: str, part: Path, size: int) -> None:
        """Size: of the whole file; 0: not known."""
        self.url, self.part, self.size = url, part, size
        self.resumed = False  # put together from more than one answer
        self.problem = ""
        self.answer: requests.Response | None = None

    def have(self) -> int:
        """Bytes that are here."""
        return self.part.stat().st_size if self.part.exists() else 0

    def run(self, unit: float) -> None:
        """Go on until all is here; gives up after `ATTEMPTS` without a single new byte."""
        failures = 0
        while failures < ATTEMPTS:
            if failures:
                time.sleep(pause_before(failures - 1, self.answer, unit))
            before = self.have()
            if self.size and before == self.size:
                return
            try:
                if self.once(before):
                    return
            except (requests.RequestException, HTTPError) as error:
                self.problem = f"broke off ({type(error).__name__})"
            failures = 0 if self.have() > before else failures + 1
        raise PassingError(f"{self.url}: the store {self.problem}, {ATTEMPTS} times one after another")

    def once(self, have: int) -> bool:
        """One request for what is missing; returns whether all is here now."""
        headers = {"Accept-Encoding": "identity", **({"Range": f"bytes={have}-"} if have else {})}
        self.answer = None
        with requests.get(self.url, headers=headers, stream=True, timeout=TIMEOUT_S) as answer:
            self.answer = answer
            self.problem = f"answers {answer.status_code} {answer.reason}"
            if answer.status_code == requests.codes.requested_range_not_satisfiable and have:
                self.part.unlink()
                return False
            if answer.status_code in PASSING_STATUS:
                return False
            if not answer.ok:
                raise DownloadError(f"{self.url}: the store {self.problem}")
            if "text/html" in answer.headers.get("Content-Type", ""):
                self.problem = "answers with a web page instead of the file"  # maintenance
                return False
            return self.receive(answer, have)

    def receive(self, answer: requests.Response, have: int) -> bool:
        """Write an answer's body behind what is here, or instead of it; returns whether it is complete."""
        piece = answer.status_code == requests.codes.partial_content
        goes_on = piece and answer.headers.get("Content-Range", "").strip().startswith(f"bytes {have}-")
        if piece and not goes_on:
            self.part.unlink(missing_ok=True)
            self.problem = "answers with another piece than was asked for"
            return False
        self.resumed |= goes_on and have > 0
        length = answer.headers.get("Content-Length")
        with self.part.open("ab" if goes_on else "wb") as file:
            while chunk := answer.raw.read1(CHUNK):  # iter_content would lose the piece before a break
                file.write(chunk)
        self.problem = "broke off"
        return length is None or self.have() >= int(length) + (have if goes_on else 0)
