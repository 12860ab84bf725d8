"""HTTP for the sources: further tries with growing waits, and errors as one line each."""

from __future__ import annotations

import json
import time
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import requests
from passing_fault import PassingFaultError

PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
TIMEOUT_S = (10, 120)  # to connect, between two packets
FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 60.0
CHUNK_BYTES = 1 << 20


class Web:
    """A session that tries again what may pass.

    Args:
        retries: further tries of one request.
    """

    def __init__(self, retries: int) -> None:
        self._retries = retries
        self._session = requests.Session()
        self._session.headers["User-Agent"] = "swath-truth"

    def get(self, url: str, parameters: dict[str, str] | None = None, accept: str = "*/*") -> requests.Response:
        """Return the answer to a GET, read to its end.

        Raises:
            PassingFaultError: no good answer, and the last one may pass.
            SystemExit: the server refused.
        """
        problem = ""
        for attempt in range(self._retries + 1):
            wait = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2**attempt)
            try:
                answer = self._session.get(url, params=parameters, headers={"Accept": accept}, timeout=TIMEOUT_S)
            except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError) as error:
                problem = f"{shown(url)} does not answer ({type(error).__name__})"
            except requests.RequestException as error:
                raise SystemExit(f"{shown(url)}: {error}") from error
            else:
                if answer.status_code not in PASSING:
                    return accepted(answer)
                problem = f"{shown(url)} answers {answer.status_code} {answer.reason}"
                wait = retry_after(answer, wait)
            if attempt < self._retries:
                time.sleep(wait)
        raise PassingFaultError(f"{problem}, after {self._retries + 1} tries")

    def json(self, url: str, parameters: dict[str, str] | None = None) -> dict:
        """Return the JSON object that a GET gives.

        Raises:
            SystemExit: the answer is none.
        """
        answer = self.get(url, parameters, "application/geo+json, application/json;q=0.9")
        return json_object(answer.content, url)

    def download(self, url: str, path: Path) -> None:
        """Write the answer to a GET to `path`."""
        path.write_bytes(self.get(url).content)


def json_object(content: bytes, url: str) -> dict:
    """Decode a JSON object, or say what came in its place."""
    try:
        document = json.loads(content)
    except ValueError as error:
        start = " ".join(content[:60].decode("utf-8", "replace").split())
        raise SystemExit(f"{shown(url)} gives no JSON but {start!r}") from error
    if not isinstance(document, dict):
        raise SystemExit(f"{shown(url)} gives no JSON object")
    return document


def accepted(answer: requests.Response) -> requests.Response:
    """The answer, when its status is good."""
    if answer.ok:
        return answer
    said = " ".join(answer.text[:200].split())
    raise SystemExit(f"{shown(answer.url)} answers {answer.status_code} {answer.reason}: {said}")


def retry_after(answer: requests.Response, wait: float) -> float:
    """How long to wait: what the server says in seconds, within reason, else `wait`."""
    text = answer.headers.get("Retry-After", "")
    return min(LONGEST_WAIT_S, float(text)) if text.isdigit() else wait


def shown(url: str) -> str:
    """A URL for messages: without a password, a query, or anything else that may be secret."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "", ""))
