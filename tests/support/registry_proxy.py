"""An HTTP proxy in front of a real image registry that can fail: other images than Swath's own get a status instead."""

from __future__ import annotations

import contextlib
import http.client
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Final

from support.network import LOOPBACK

if TYPE_CHECKING:
    from collections.abc import Iterator

_OF_A_CONNECTION: Final = {"connection", "transfer-encoding", "content-length", "date", "server"}
_CHALLENGE: Final = {"WWW-Authenticate": 'Basic realm="registry"'}


@dataclass
class RegistryProxy:
    """A registry that is asked through a proxy.

    Attributes:
        address: host and port of the proxy.
        status: that questions get; 0: the registry's own answer. Runners keep Swath's own image, so it stays to be had.
        failed: how many questions got it.
    """

    registry: str
    address: str = ""
    status: int = 0
    failed: int = 0


@contextlib.contextmanager
def proxy_to(registry: str) -> Iterator[RegistryProxy]:
    """A proxy on the loopback to the registry at a host and port."""
    proxy = RegistryProxy(registry)
    server = ThreadingHTTPServer((LOOPBACK, 0), type("Handler", (_Handler,), {"proxy": proxy}))
    server.daemon_threads = True
    proxy.address = f"{LOOPBACK}:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield proxy
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    proxy: RegistryProxy

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def handle_any(self) -> None:
        body = self.body()
        if self.proxy.status and self.path != "/v2/" and "/swath/" not in self.path:
            self.proxy.failed += 1
            self.answer(self.proxy.status, _CHALLENGE if self.proxy.status == 401 else {}, b"{}")
            return
        connection = http.client.HTTPConnection(self.proxy.registry, timeout=60)
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _OF_A_CONNECTION}
        connection.request(self.command, self.path, body, headers)
        answer = connection.getresponse()
        content = answer.read()
        found = {name: value for name, value in answer.getheaders() if name.lower() not in _OF_A_CONNECTION}
        size = answer.getheader("Content-Length", "0") if self.command == "HEAD" else None
        connection.close()
        self.answer(answer.status, found, content, size)

    do_GET = do_HEAD = do_PUT = do_POST = do_PATCH = do_DELETE = handle_any  # noqa: N815 - as http.server wants them

    def body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = []
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def answer(self, status: int, headers: dict[str, str], content: bytes, size: str | None = None) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", size or str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            with contextlib.suppress(OSError):
                self.wfile.write(content)
