# SPDX-License-Identifier: GPL-3.0-or-later
"""A hub on loopback that plays answers: recorded ones (vcr.py cassettes), or ones of our own making.

A request is known by its method, path, sorted query and body. The hub's address in recorded answers becomes that of the
server. When an answer has been recorded several times, the last is repeated. The same file is in search-dhus and
download-dhus; a test holds them equal.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

RECORDED_HUB = re.compile(rb"https?://(apihub|scihub)\.copernicus\.eu/(apihub|dhus)")
ROOT = "/dhus"


@dataclass(frozen=True)
class Answer:
    """A status, headers, and a body."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Hub:
    """What is played, and what was asked.

    Attributes:
        answers: key of a request → answers in their order.
        first: answers to give before all others.
        every: the answer to all requests; None: by their key.
    """

    url: str = ""
    answers: dict[tuple, list[Answer]] = field(default_factory=dict)
    first: list[Answer] = field(default_factory=list)
    every: Answer | None = None
    requests: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)

    def add(self, method: str, path: str, *answers: Answer) -> None:
        """Add answers; the path starts behind the hub's root and has its query."""
        self.answers.setdefault(request_key(method, f"{ROOT}{path}"), []).extend(answers)

    def load(self, cassette: Path) -> None:
        """Add the answers of a cassette; binary bodies lie in `data/` beside it, named as the product."""
        import yaml

        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        for one in yaml.load(cassette.read_text(encoding="utf-8"), loader)["interactions"]:
            request, response = one["request"], one["response"]
            path = RECORDED_HUB.sub(ROOT.encode(), request["uri"].encode()).decode()
            headers = {name.lower(): values[0] for name, values in response["headers"].items()}
            body = response["body"].get("string")
            if body is None:
                name = re.search(r'filename="([^"]+)"', headers["content-disposition"])[1]
                file = cassette.parent / "data" / name
                if not file.is_file():
                    continue
                body = file.read_bytes()
            content = body if isinstance(body, bytes) else body.encode()
            kept = {name: headers[name] for name in ("content-type", "content-disposition", "etag") if name in headers}
            key = request_key(request["method"], path)
            self.answers.setdefault(key, []).append(Answer(content, response["status"]["code"], kept))

    def next(self, method: str, path: str) -> Answer:
        """The answer to a request."""
        if self.first:
            return self.first.pop(0)
        if self.every is not None:
            return self.every
        known = self.answers.get(request_key(method, path), [])
        if not known:
            return Answer(b"not recorded: " + path.encode(), 410)
        return known.pop(0) if len(known) > 1 else known[0]


def request_key(method: str, path: str) -> tuple:
    """What makes two requests the same."""
    parts = urlsplit(path)
    return method, parts.path, tuple(sorted(parse_qsl(parts.query, keep_blank_values=True)))


@contextmanager
def playing(hub: Hub) -> Iterator[Hub]:
    """Serve the hub."""

    class Handler(BaseHTTPRequestHandler):
        def play(self) -> None:
            hub.requests.append((self.command, self.path, dict(self.headers)))
            answer = hub.next(self.command, self.path)
            body = RECORDED_HUB.sub(hub.url.encode(), answer.body) if len(answer.body) < 1_000_000 else answer.body
            if answer.body[:2] == b"PK":
                body = answer.body
            start = re.match(r"bytes=(\d+)-", self.headers.get("Range", ""))
            self.send_response(206 if start else answer.status)
            sent = body[int(start[1]) :] if start else body
            for name, value in {**answer.headers, "Content-Length": str(len(sent))}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(sent)

        do_GET = do_HEAD = play  # noqa: N815 - named by http.server

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        hub.url = f"http://127.0.0.1:{server.server_port}{ROOT}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield hub
        server.shutdown()
        thread.join()
