"""Git over HTTP with tokens, as GitLab serves it: bare repositories behind Git's own `git http-backend`.

Anybody may read what is not private; a push needs any user's name with a token that may push, or `gitlab-ci-token` with a job's
token where the project lets its jobs push. The tokens that were refused are kept.
"""

from __future__ import annotations

import base64
import contextlib
import os
import subprocess
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Final

from support.network import LOOPBACK

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

JOB_USER: Final = "gitlab-ci-token"
_PUSH: Final = "git-receive-pack"
_NO_ACCESS: Final = "HTTP Basic: Access denied"
_NO_UPLOAD: Final = "You are not allowed to upload code."


@dataclass
class GitServer:
    """A Git server that runs.

    Attributes:
        folder: holds the bare repositories, by project path and `.git`.
        tokens: passwords with which one may push.
        refused: tokens with which a push was refused.
        readers: passwords with which one may read; empty: all may.
        job_tokens: of running jobs, each with its project; they may read that project.
        jobs_may_push: projects that let their jobs push: GitLab's "Allow Git push requests to the repository".
    """

    port: int
    folder: Path
    tokens: set[str] = field(default_factory=set)
    refused: list[str] = field(default_factory=list)
    readers: set[str] = field(default_factory=set)
    job_tokens: dict[str, str] = field(default_factory=dict)
    jobs_may_push: set[str] = field(default_factory=set)

    @property
    def url(self) -> str:
        """Of the server, without a project."""
        return f"http://{LOOPBACK}:{self.port}"

    def add_project(self, path: str) -> Path:
        """A new bare repository; returns its folder."""
        bare = self.folder / f"{path}.git"
        subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(bare)], check=True)
        for key, value in (("http.receivepack", "true"), ("uploadpack.allowAnySHA1InWant", "true")):
            subprocess.run(["git", "-C", str(bare), "config", key, value], check=True)
        return bare

    @contextlib.contextmanager
    def job_token(self, token: str, project: str) -> Iterator[None]:
        """A job's token, which is good as long as the job runs."""
        self.job_tokens[token] = project
        try:
            yield
        finally:
            del self.job_tokens[token]

    def refusal(self, path: str, user: str, password: str, *, pushes: bool) -> tuple[int, str] | None:
        """Status and words with which GitLab turns away; None: it lets in."""
        if password in self.tokens or (not pushes and password in self.readers):
            return None
        if user == JOB_USER and self.job_tokens.get(password, "-") == _project(path):
            return None if not pushes or _project(path) in self.jobs_may_push else (403, _NO_UPLOAD)
        if not pushes and not self.readers:
            return None
        return (403, _NO_ACCESS) if password else (401, _NO_ACCESS)


@contextlib.contextmanager
def serve_git(folder: Path) -> Iterator[GitServer]:
    """A Git server for the bare repositories in `folder`."""
    http = ThreadingHTTPServer((LOOPBACK, 0), _Handler)
    server = GitServer(http.server_port, folder)
    http.git = server  # type: ignore[attr-defined]
    thread = threading.Thread(target=http.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._serve(b"")

    def do_POST(self) -> None:
        if self.headers.get("Transfer-Encoding") == "chunked":
            self._serve(self._chunks())
        else:
            self._serve(self.rfile.read(int(self.headers.get("Content-Length", "0"))))

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def _chunks(self) -> bytes:
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _serve(self, body: bytes) -> None:
        server: GitServer = self.server.git  # type: ignore[attr-defined]
        path, _, query = self.path.partition("?")
        user, password = self._credentials()
        refusal = server.refusal(path, user, password, pushes=_PUSH in path or _PUSH in query)
        if refusal:
            status, words = refusal
            server.refused += [password] if password else []  # Git asks without one first
            asks = {"WWW-Authenticate": 'Basic realm="GitLab"'} if status == 401 else {}
            self._answer(status, {"Content-Type": "text/plain", **asks}, f"{words}\n".encode())
            return
        environ = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": str(server.folder),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "safe.directory",
            "GIT_CONFIG_VALUE_0": "*",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "REMOTE_ADDR": self.client_address[0],
            "REMOTE_USER": user,
        }
        done = subprocess.run(["git", "http-backend"], input=body, env=environ, capture_output=True, check=False)
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().splitlines() if ": " in line)
        self._answer(int(headers.pop("Status", "200").split()[0]), headers, content)

    def _credentials(self) -> tuple[str, str]:
        kind, _, text = self.headers.get("Authorization", "").partition(" ")
        user, _, password = base64.b64decode(text if kind == "Basic" else "").decode().partition(":")
        return user, password

    def _answer(self, status: int, headers: dict[str, str], content: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def _project(path: str) -> str:
    return path.partition(".git/")[0].strip("/")
