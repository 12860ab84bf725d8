"""A registry on the loopback that wants a token, as GitLab's does, and that can fail in all the ways that we ask for.

With a certificate, one port speaks both TLS and plain HTTP, so that what is sent in clear text is seen.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import socket
import ssl
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator

TOKEN = "a-token-of-the-registry"
USER, PASSWORD = "gitlab-ci-token", "glcbt-64_very+secret/pass:word"


@dataclass
class TokenRegistry:
    """What it has, and how it behaves.

    Attributes:
        images: `NAME:TAG` that are there, with their manifests.
        challenge: of its 401: ``Bearer``, ``Basic``, or another realm after ``Bearer ``; empty: it wants nothing.
        faults: statuses that the next questions get instead of an answer; 0: the connection is closed; -1: it stalls.
        token_status: what the token service says to right credentials.
        asked: method and path of each question.
        connections: how many there were.
        blobs: parts of images that are there, by digest.
        uploads: statuses that the next uploads of parts get instead of success.
        location: where uploads are sent to, in front of their path; empty: the path alone.
        redirect: where questions about manifests are sent to, in front of their path; empty: they are answered.
        in_clear: the headers of each question that came without TLS.
        shown: the value of Authorization of each question; empty: none.
    """

    images: dict[str, bytes] = field(default_factory=dict)
    challenge: str = "Bearer"
    faults: list[int] = field(default_factory=list)
    token_status: int = 200
    asked: list[str] = field(default_factory=list)
    connections: int = 0
    blobs: dict[str, bytes] = field(default_factory=dict)
    uploads: list[int] = field(default_factory=list)
    location: str = ""
    redirect: str = ""
    in_clear: list[dict[str, str]] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)
    stall_s: float = 2.0
    address: str = ""
    scheme: str = "http"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    registry: TokenRegistry

    def setup(self) -> None:
        super().setup()
        self.registry.connections += 1

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_POST(self) -> None:
        self.do_GET()

    def do_PUT(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        registry, path = self.registry, urlsplit(self.path)
        registry.asked.append(f"{self.command} {self.path}")
        registry.shown.append(self.headers.get("Authorization", ""))
        if not isinstance(self.connection, ssl.SSLSocket):
            registry.in_clear.append(dict(self.headers))
        if registry.faults:
            fault = registry.faults.pop(0)
            if fault == 0:
                self.close_connection = True
                return
            if fault > 0:
                self.answer(fault, {"Retry-After": "0"})
                return
            time.sleep(registry.stall_s)
        if path.path == "/jwt/auth":
            self.give_token(parse_qs(path.query))
        elif registry.redirect and "/manifests/" in path.path:
            self.answer(307, {"Location": f"{registry.redirect}{self.path}", "Set-Cookie": "session=a-secret; Path=/"})
        elif not self.is_known() or self.is_too_old():
            realm = registry.challenge.partition(" ")[2] or f"{registry.scheme}://{registry.address}/jwt/auth"
            kind = registry.challenge.partition(" ")[0]
            said = f'{kind} realm="{realm}",service="container_registry"' + (',scope="x"' if kind == "Bearer" else "")
            self.answer(401, {"WWW-Authenticate": said}, b'{"errors": []}')
        elif "/blobs/" in path.path:
            self.take_blob(path.path, parse_qs(path.query), body)
        else:
            self.give_manifest(path.path, body)

    def is_known(self) -> bool:
        said = self.headers.get("Authorization", "")
        if self.registry.challenge == "":
            return True
        basic = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        return said == (f"Bearer {TOKEN}" if self.registry.challenge.startswith("Bearer") else f"Basic {basic}")

    def is_too_old(self) -> bool:
        too_old = self.command == "PUT" and self.registry.uploads[:1] == [401]
        del self.registry.uploads[: int(too_old)]
        return too_old

    def give_token(self, query: dict[str, list[str]]) -> None:
        basic = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        if self.headers.get("Authorization") != f"Basic {basic}":
            self.answer(401, {}, b"{}")
            return
        assert query["service"] == ["container_registry"]
        assert query["scope"][0].startswith("repository:")
        self.answer(self.registry.token_status, {}, json.dumps({"token": TOKEN}).encode())

    def take_blob(self, path: str, query: dict[str, list[str]], body: bytes) -> None:
        if self.command == "POST":
            self.answer(202, {"Location": f"{self.registry.location}{path}an-upload?state=1"})
        elif self.command == "PUT" and self.registry.uploads:
            self.answer(self.registry.uploads.pop(0), {})
        elif self.command == "PUT":
            assert query["state"] == ["1"]
            self.registry.blobs[query["digest"][0]] = body
            self.answer(201, {})
        else:
            self.answer(200 if path.rpartition("/")[2] in self.registry.blobs else 404, {})

    def give_manifest(self, path: str, body: bytes) -> None:
        name, _, tag = path.removeprefix("/v2/").partition("/manifests/")
        if self.command == "PUT":
            self.registry.images[f"{name}:{tag}"] = body
            self.answer(201, {})
            return
        manifest = self.registry.images.get(f"{name}:{tag}")
        kind = "application/vnd.oci.image.index.v1+json"
        assert kind in self.headers["Accept"]
        if manifest is None:
            self.answer(404, {}, b'{"errors": []}')
        else:
            digest = f"sha256:{hashlib.sha256(manifest).hexdigest()}"
            self.answer(200, {"Content-Type": kind, "Docker-Content-Digest": digest}, manifest)

    def answer(self, status: int, headers: dict[str, str], body: bytes = b"") -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            with contextlib.suppress(OSError):
                self.wfile.write(body)


class _Server(ThreadingHTTPServer):
    """Tells TLS from plain HTTP by the first byte of a connection."""

    daemon_threads = True
    context: ssl.SSLContext | None = None

    def get_request(self) -> tuple[socket.socket, object]:
        connection, address = super().get_request()
        if self.context and connection.recv(1, socket.MSG_PEEK) == b"\x16":
            connection = self.context.wrap_socket(connection, server_side=True)
        return connection, address


@contextlib.contextmanager
def token_registry(context: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> Iterator[TokenRegistry]:
    """One that runs as long as the block does.

    Args:
        context: its certificate; None: it speaks no TLS.
        host: the name that it calls itself.
    """
    registry = TokenRegistry(scheme="https" if context else "http")
    handler = type("Handler", (_Handler,), {"registry": registry})
    server = _Server(("127.0.0.1", 0), handler)
    server.context = context
    registry.address = f"{host}:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield registry
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
