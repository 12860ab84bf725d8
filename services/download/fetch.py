"""Get one file from a folder or an HTTP store: resumed after a break, checked against its checksum, renamed at the end."""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

import requests

PASSING_STATUS = (408, 429, 500, 502, 503, 504)
ATTEMPTS = 5
LONGEST_WAIT_S = 60.0
CHUNK_BYTES = 1 << 20


class DownloadError(Exception):
    """The scene cannot be had as asked; trying again will not help."""


class PassingError(Exception):
    """The store does not answer now; it may later."""


@dataclass(frozen=True, slots=True)
class Digest:
    """What a file must be: checksum by `algorithm` (md5, sha256), and its size (0: not known)."""

    algorithm: str
    hexadecimal: str
    size_bytes: int

    def check(self, path: Path, name: str) -> None:
        """Raise if the file is not it."""
        with path.open("rb") as file:
            found = hashlib.file_digest(file, self.algorithm).hexdigest()
        if found != self.hexadecimal:
            raise DownloadError(
                f"{name}: wrong checksum ({self.algorithm} {found}, the catalogue says {self.hexadecimal}); "
                "if the archive changed on purpose, write its catalogue anew and search again"
            )


def is_url(text: str) -> bool:
    """Whether it is an http(s) address."""
    return urlsplit(text).scheme in ("http", "https")


def address(base: str, href: str) -> str:
    """Where a file is: an address, or a path inside the folder `base` that it must not leave."""
    if is_url(href):
        return href
    if is_url(base):
        return base.rstrip("/") + "/" + href
    root = Path(base)
    path = root / unquote(href)
    if os.path.isabs(href) or ".." in path.relative_to(root).parts:
        raise DownloadError(f"{href}: leaves the archive")
    return str(path)


def fetch(source: str, target: Path, digest: Digest | None) -> None:
    """Bring `source` (a path or an http(s) address) to `target`; nothing is left at `target` unless it is right."""
    part = target.with_name(target.name + ".part")
    if is_url(source):
        fetch_http(source, part)
    else:
        try:
            shutil.copyfile(source, part)
        except OSError as error:
            raise DownloadError(f"{source}: {error.strerror}; is the volume the right folder?") from error
    if digest:
        try:
            digest.check(part, source)
        except DownloadError:
            part.unlink()
            raise
    part.replace(target)


def fetch_http(url: str, part: Path) -> None:
    """Fetch into `part`, going on where it ends, with longer and longer waits between attempts."""
    trouble = ""
    for attempt in range(ATTEMPTS):
        try:
            wait_s, trouble = fetch_once(url, part)
        except requests.RequestException as error:
            wait_s, trouble = None, type(error).__name__
        if not trouble:
            return
        if attempt + 1 < ATTEMPTS:
            time.sleep(min(LONGEST_WAIT_S, float(os.environ.get("SWATH_RETRY_WAIT_S", 1)) * 2**attempt if wait_s is None else wait_s))
    raise PassingError(f"{url} does not answer ({trouble}), {ATTEMPTS} attempts")


def fetch_once(url: str, part: Path) -> tuple[float | None, str]:
    """One request for what is still missing.

    Returns:
        How long the server asks to wait in seconds (None: it does not say), and what went wrong (empty: all is there).
    """
    have = part.stat().st_size if part.exists() else 0
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    with requests.get(url, headers=headers, stream=True, timeout=60) as answer:
        if answer.status_code == 416:
            part.unlink()
            return 0.0, "the file changed"
        if answer.status_code in PASSING_STATUS:
            asked = answer.headers.get("Retry-After", "")
            return (float(asked) if asked.isdigit() else None), f"status {answer.status_code}"
        if answer.status_code not in (200, 206):
            raise DownloadError(f"{url}: the server says {answer.status_code} {answer.reason}")
        if "text/html" in answer.headers.get("Content-Type", ""):
            return None, "a web page instead of the file: maintenance?"
        resumed = answer.status_code == 206
        start = have if resumed else 0
        expected = int(answer.headers.get("Content-Length", -1))
        with part.open("ab" if resumed else "wb") as file:
            for chunk in answer.iter_content(CHUNK_BYTES):
                file.write(chunk)
    if expected >= 0 and part.stat().st_size - start < expected:
        return None, "the connection broke"
    return None, ""
