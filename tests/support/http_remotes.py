"""DVC remotes on servers that speak HTTP, in threads of this process: WebDAV (WsgiDAV) and S3 (moto)."""

from __future__ import annotations

import contextlib
import logging
import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import boto3
from cheroot import wsgi
from moto.server import ThreadedMotoServer
from wsgidav.fs_dav_provider import FilesystemProvider
from wsgidav.wsgidav_app import WsgiDAVApp

from support.network import LOOPBACK

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

USER: Final = "dvc"
PASSWORD: Final = "hush-hush-hush"
_BUCKET: Final = "forest"


@dataclass(frozen=True)
class HttpRemote:
    """A server that runs.

    Attributes:
        settings: of the remote, which the repository has.
        secrets: those of them that `.dvc/config.local` has.
        wrong: the same of somebody who may not come in.
        folder: where a WebDAV server's files lie.
    """

    url: str
    settings: dict[str, str]
    secrets: dict[str, str]
    wrong: dict[str, str]
    folder: Path | None = None

    def below(self, name: str) -> HttpRemote:
        """A folder of it; DVC makes none on a WebDAV server."""
        folder = self.folder and self.folder / name
        if folder:
            folder.mkdir()
        return replace(self, url=f"{self.url}/{name}", folder=folder)

    def config(self, remote: str, secrets: dict[str, str] | None = None) -> str:
        """The text of a DVC config file with the secrets."""
        lines = (f"    {key} = {value}\n" for key, value in (self.secrets if secrets is None else secrets).items())
        return f"['remote \"{remote}\"']\n{''.join(lines)}"


@contextlib.contextmanager
def serve_webdav(folder: Path) -> Iterator[HttpRemote]:
    """A WebDAV server whose files lie in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    app = WsgiDAVApp({
        "provider_mapping": {"/": FilesystemProvider(str(folder))},
        "simple_dc": {"user_mapping": {"*": {USER: {"password": PASSWORD}}}},
        "http_authenticator": {"accept_basic": True, "accept_digest": False, "default_to_digest": False},
        "verbose": 0,
        "logging": {"enable": False},
    })  # fmt: skip
    server = wsgi.Server((LOOPBACK, 0), app)
    server.prepare()
    thread = threading.Thread(target=server.serve, daemon=True)
    thread.start()
    try:
        url = f"webdav://{LOOPBACK}:{server.bind_addr[1]}"
        yield HttpRemote(url, {"user": USER}, {"password": PASSWORD}, {"password": "another-one"}, folder)
    finally:
        server.stop()
        thread.join()


@contextlib.contextmanager
def serve_s3() -> Iterator[HttpRemote]:
    """An S3 server with an empty bucket, which asks nobody for a password."""
    server = ThreadedMotoServer(ip_address=LOOPBACK, port=0, verbose=False)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server.start()
    try:
        address = f"http://{LOOPBACK}:{server.get_host_and_port()[1]}"
        keys = {"access_key_id": USER, "secret_access_key": PASSWORD}
        client = boto3.client(
            "s3", endpoint_url=address, region_name="us-east-1",
            aws_access_key_id=USER, aws_secret_access_key=PASSWORD,
        )  # fmt: skip
        client.create_bucket(Bucket=_BUCKET)
        client.close()
        yield HttpRemote(f"s3://{_BUCKET}", {"endpointurl": address, "region": "us-east-1"}, keys, {})
    finally:
        server.stop()
