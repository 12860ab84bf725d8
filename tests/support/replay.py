"""A hub on loopback for tests: it plays recorded or made-up answers to real client libraries over HTTP.

Give it rules, in order; the first whose method and path (a regular expression on path and query) fit, and that has plays
left, answers. `cassette_rules` makes rules from vcr.py recordings, in the order of recording, with the recorded host's name
replaced by ours. Standard library only, but for reading cassettes (PyYAML).
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit


@dataclass
class Rule:
    """One answer.

    Attributes:
        path: regular expression, searched in path and query.
        body: of the answer; `{host}` in it becomes our address.
        plays: how often it may be played; None: always.
        cut: send only so many bytes, then break the connection.
        ranges: obey the header Range.
    """

    path: str
    body: bytes = b""
    status: int = 200
    method: str = "GET"
    headers: dict[str, str] = field(default_factory=dict)
    plays: int | None = None
    cut: int | None = None
    ranges: bool = False


def cassette_rules(path: Path) -> list[Rule]:
    """The recorded answers of a vcr.py cassette, each to be played once."""
    import yaml  # only tests that read cassettes have it

    document = yaml.load(path.read_text(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    rules = []
    for interaction in document["interactions"]:
        request, answer = interaction["request"], interaction["response"]
        address = urlsplit(request["uri"])
        text = answer["body"]["string"]
        body = text if isinstance(text, bytes) else text.encode()
        body = body.replace(f"{address.scheme}://{address.netloc}".encode(), b"{host}")
        kind = next(
            (value[0] for name, value in answer["headers"].items() if name.lower() == "content-type"), "text/plain"
        )
        rule = Rule(
            "^" + re.escape(address.path) + r"(\?|$)",
            body,
            answer["status"]["code"],
            request["method"],
            {"Content-Type": kind},
            1,
        )
        rules.append(rule)
    return rules


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def _answer(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        sent = self.rfile.read(length).decode()
        rule = self.server.take(self.command, self.path)
        self.server.requests.append((self.command, self.path, sent, rule.status if rule else 404))
        body = rule.body.replace(b"{host}", self.server.url.encode()) if rule else b"no rule"
        status = rule.status if rule else 404
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        extra = {}
        if rule and rule.ranges and wanted and status == 200:
            start, end = int(wanted[1]), min(int(wanted[2] or len(body) - 1), len(body) - 1)
            extra["Content-Range"] = f"bytes {start}-{end}/{len(body)}"
            body, status = body[start : end + 1], 206
        self.send_response(status)
        for name, value in ({**rule.headers, **extra} if rule else {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body if not rule or rule.cut is None else body[: rule.cut])
        if rule and rule.cut is not None:
            self.close_connection = True

    do_GET = do_POST = do_HEAD = _answer  # noqa: N815  # http.server's names

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, rules: Sequence[Rule]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.rules = list(rules)
        self.requests: list[tuple[str, str, str, int]] = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self._lock = threading.Lock()

    def take(self, method: str, path: str) -> Rule | None:
        """The first rule that fits and has plays left."""
        with self._lock:
            for rule in self.rules:
                if (
                    (rule.method == method or (method == "HEAD" and rule.method == "GET"))
                    and re.search(rule.path, path)
                    and rule.plays != 0
                ):
                    if rule.plays is not None and method != "HEAD":
                        rule.plays -= 1
                    return rule
        return None


@contextmanager
def replay(rules: Sequence[Rule]) -> Iterator[_Server]:
    """A server with these rules, for the time of the block."""
    server = _Server(rules)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
