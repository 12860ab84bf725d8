"""GitLab's API on the loopback, as far as we ask it: the CI lint of one project.

Behaves as GitLab does: 401 to a token that it does not know, 404 to a project that the token may not see, 403 to one
that is too weak, and 200 to a pipeline that is wrong. Not compared with a real server.

Source: https://docs.gitlab.com/api/lint/ and …/api/rest/troubleshooting/, read 2026-11-22.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

TOKEN = "glpat-a-token.of_the-project"
PROJECT = {"CI_PROJECT_ID": "4711", "CI_PROJECT_PATH": "land/use.maps"}
NAMES = frozenset({"4711", "land%2Fuse.maps", "land%2Fuse%2Emaps"})


@dataclass
class FakeGitlab:
    """What it says, and how it fails.

    Attributes:
        errors: that it finds in any pipeline.
        token: the one that it knows.
        is_weak: the token has the scope read_api only.
        faults: what the next questions get: a status, with any body and headers; 0: the connection is closed; -1: it
            stalls.
        body: of a fault; None: GitLab's.
        headers: of a fault.
        asked: method and path of each question.
        contents: the pipelines that came.
    """

    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    token: str = TOKEN
    is_weak: bool = False
    faults: list[int] = field(default_factory=list)
    body: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    contents: list[str] = field(default_factory=list)
    stall_s: float = 2.0
    url: str = ""

    def environ(self) -> dict[str, str]:
        """What a job has of it."""
        return {"CI_API_V4_URL": f"{self.url}/api/v4", "CI_SERVER_URL": self.url, "SWATH_TOKEN": TOKEN, **PROJECT}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    gitlab: FakeGitlab

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self.do_POST()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.gitlab.asked.append(f"{self.command} {self.path}")
        if self.gitlab.faults:
            self.fail(self.gitlab.faults.pop(0))
        elif self.headers.get("PRIVATE-TOKEN") != self.gitlab.token:
            self.answer(401, {"message": "401 Unauthorized"})
        elif self.gitlab.is_weak:
            said = "The request requires higher privileges than provided by the access token."
            self.answer(403, {"error": "insufficient_scope", "error_description": said, "scope": "api ai_workflows"})
        elif self.path.removeprefix("/api/v4/projects/").removesuffix("/ci/lint") not in NAMES:
            self.answer(404, {"message": "404 Project Not Found"})
        else:
            self.lint(json.loads(body))

    def lint(self, question: dict[str, Any]) -> None:
        if "content" not in question:
            self.answer(400, {"error": "content is missing"})
            return
        text = question["content"]
        self.gitlab.contents.append(text)
        errors = list(self.gitlab.errors)
        try:
            yaml.safe_load(text)
        except yaml.YAMLError as error:
            errors.append(str(error).partition("\n")[0])
        said = {"valid": not errors, "errors": errors, "warnings": self.gitlab.warnings, "includes": []}
        self.answer(200, {**said, "merged_yaml": "" if errors else text})

    def fail(self, status: int) -> None:
        if status == 0:
            self.close_connection = True
        elif status == -1:
            time.sleep(self.gitlab.stall_s)
            self.close_connection = True
        else:
            self.answer(status, {"message": f"{status} {self.responses[status][0]}"}, self.gitlab.headers)

    def answer(self, status: int, document: object, headers: dict[str, str] | None = None) -> None:
        is_fault = headers is not None
        text = self.gitlab.body if is_fault and self.gitlab.body is not None else json.dumps(document)
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(text.encode())


@contextlib.contextmanager
def fake_gitlab() -> Iterator[FakeGitlab]:
    """One that runs as long as the block does."""
    gitlab = FakeGitlab()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"gitlab": gitlab}))
    server.daemon_threads = True
    gitlab.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield gitlab
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
