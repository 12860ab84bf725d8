"""`images/registry_session.py`: who gets to see our credentials; a registry with TLS on the loopback."""

from __future__ import annotations

import socket
import ssl
import subprocess
from typing import TYPE_CHECKING, Any, Final

import pytest

from support.token_registry import PASSWORD, USER, TokenRegistry, token_registry
from swath.errors import UserError
from swath.images.registry import INSECURE_VARIABLE, Patience, present_references, push_image_parts
from swath.images.swath_image import Blob, BuiltImage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOST: Final = "registry.test"
OTHER: Final = "other.test"
QUICK: Final = Patience(pauses_s=(), connect_s=2, read_s=2)
HINT: Final = (
    "correct the registry's settings: behind a proxy that ends TLS it must know its own address "
    "(X-Forwarded-Proto: https, or http.host in its config.yml)"
)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ssl.SSLContext]:
    """A certificate of our own for both hosts."""
    folder = tmp_path_factory.mktemp("certificate")
    key, file = folder / "key.pem", folder / "certificate.pem"
    names = f"subjectAltName=DNS:{HOST},DNS:{OTHER}"
    words = f"openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN={HOST} -addext {names}"
    subprocess.run([*words.split(), "-keyout", key, "-out", file], capture_output=True, check=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file, key)
    return file, context


@pytest.fixture(autouse=True)
def names(monkeypatch: pytest.MonkeyPatch, certificate: tuple[Path, ssl.SSLContext]) -> None:
    """Both hosts are this machine, under names that are not its loopback's."""
    real = socket.getaddrinfo

    def find(host: Any, *rest: Any, **more: Any) -> Any:
        return real("127.0.0.1" if host in {HOST, OTHER} else host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", find)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate[0]))


@pytest.fixture
def server(certificate: tuple[Path, ssl.SSLContext]) -> Iterator[TokenRegistry]:
    with token_registry(certificate[1], HOST) as registry:
        registry.images = {"group/crop:1": b"{}"}
        yield registry


@pytest.fixture
def other(certificate: tuple[Path, ssl.SSLContext]) -> Iterator[TokenRegistry]:
    with token_registry(certificate[1], OTHER) as registry:
        registry.images = {"group/crop:1": b"{}"}
        registry.challenge = ""
        yield registry


def environ(server: TokenRegistry, **more: str) -> dict[str, str]:
    me = {"CI_REGISTRY": server.address, "CI_REGISTRY_USER": USER, "CI_REGISTRY_PASSWORD": PASSWORD}
    return {**me, "HOME": "/nonexistent", **more}


def ask(server: TokenRegistry, **more: str) -> frozenset[str]:
    return present_references([f"{server.address}/group/crop:1"], environ(server, **more), patience=QUICK)


def push(server: TokenRegistry, folder: Path) -> int:
    (folder / "config").write_bytes(b"{}")
    blob = Blob(folder / "config", f"sha256:{'0' * 64}", 2)
    image = BuiltImage((), blob, b"{}")
    return push_image_parts(image, f"{server.address}/group/swath:1", (), environ(server), patience=QUICK)


def test_a_registry_with_tls_is_asked_with_its_token(server: TokenRegistry) -> None:
    assert len(ask(server)) == 1
    assert server.in_clear == []


def test_an_upload_that_is_sent_to_plain_http_is_refused(server: TokenRegistry, tmp_path: Path) -> None:
    server.location = f"http://{server.address}"
    with pytest.raises(UserError) as caught:
        push(server, tmp_path)
    said = f"the registry {server.address} sends us from https to http://{server.address}, where all can be read"
    assert str(caught.value) == f"{said}\n  {HINT}"
    assert server.in_clear == []


def test_an_upload_to_another_server_shows_it_nothing(
    server: TokenRegistry, other: TokenRegistry, tmp_path: Path
) -> None:
    server.location = f"https://{other.address}"
    assert push(server, tmp_path) == 2
    assert other.asked == [f"PUT /v2/group/swath/blobs/uploads/an-upload?state=1&digest=sha256%3A{'0' * 64}"]
    assert other.shown == [""]


def test_a_question_that_is_sent_to_plain_http_is_refused(server: TokenRegistry) -> None:
    server.redirect = f"http://{server.address}"
    with pytest.raises(UserError) as caught:
        ask(server)
    said = f"the registry {server.address} sends us from https to http://{server.address}, where all can be read"
    assert str(caught.value) == f"{said}\n  {HINT}"
    assert server.in_clear == []


def test_a_question_that_is_sent_to_another_server_shows_it_nothing(
    server: TokenRegistry, other: TokenRegistry, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text(f"machine {OTHER} login me password of-netrc\n")
    monkeypatch.setenv("NETRC", str(netrc))
    server.redirect = f"https://{other.address}"
    assert len(ask(server)) == 1
    assert other.shown == [""]


def test_what_another_server_asks_for_is_not_given(server: TokenRegistry, other: TokenRegistry) -> None:
    server.redirect, other.challenge = f"https://{other.address}", "Bearer"
    with pytest.raises(UserError) as caught:
        ask(server)
    said = f"sends us to {other.address}, which asks for credentials: they are not sent there"
    assert str(caught.value).partition("\n")[0] == f"the registry {server.address} {said}"
    assert other.asked == ["HEAD /v2/group/crop/manifests/1"]


def test_cookies_go_nowhere() -> None:
    with token_registry() as first, token_registry() as second:
        first.redirect, first.challenge, second.challenge = f"http://{second.address}", "", ""
        second.images = {"group/crop:1": b"{}"}
        references = [f"{address}/group/crop:1" for address in (first.address, second.address)]
        assert len(present_references(references, environ(first), patience=QUICK)) == 2
        assert len(second.asked) == 2
        assert [headers for headers in second.in_clear if "Cookie" in headers] == []


def test_a_token_service_without_tls_gets_no_password_from_a_registry_with_tls(server: TokenRegistry) -> None:
    with token_registry() as plain:
        realm = f"http://{plain.address}/jwt/auth"
        server.challenge = f"Bearer {realm}"
        with pytest.raises(UserError) as caught:
            ask(server)
        said = (
            f"the registry {server.address} sends us to {realm} for a token, which is no address to show credentials at"
        )
        assert str(caught.value).partition("\n")[0] == said
        assert plain.asked == []


def test_a_registry_without_tls_may_have_such_a_token_service(certificate: tuple[Path, ssl.SSLContext]) -> None:
    with token_registry(host=HOST) as plain:
        plain.images = {"group/crop:1": b"{}"}
        assert len(ask(plain, **{INSECURE_VARIABLE: plain.address})) == 1
