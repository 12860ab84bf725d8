"""Asks image registries over HTTP, without Docker, which images are there, and gives an image a further tag.

    references -> HEAD /v2/NAME/manifests/TAG -> 200 there, 404 missing

A registry that wants a token says where to get one; each thread keeps one connection and its tokens. Registries on this
machine's loopback, and those in SWATH_INSECURE_REGISTRIES (hosts with commas between), are asked without TLS.

Source: https://distribution.github.io/distribution/spec/api/ and …/spec/auth/token/, read 2026-11-22.
"""

from __future__ import annotations

import contextlib
import ipaddress
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode, urlsplit

import requests
from requests.auth import HTTPBasicAuth

from swath.errors import PassingFaultError, UserError
from swath.images.credentials import credentials_for
from swath.images.reference import further_tags, resolved, split_reference
from swath.images.registry_session import Bearer, Nobody, RedirectedToPlainError, RegistrySession, cause_of
from swath.images.swath_image import MANIFEST_TYPE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from requests.auth import AuthBase

    from swath.images.service_image import ServiceImage
    from swath.images.swath_image import Blob, BuiltImage

INSECURE_VARIABLE: Final = "SWATH_INSECURE_REGISTRIES"
_LONGEST_PAUSE_S: Final = 30.0  # of those that a registry asks for
_AT_ONCE: Final = 8
_MANIFESTS: Final = (
    "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, "
    "application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json"
)
_CHALLENGE: Final = re.compile(r'([a-z]+)="([^"]*)"')
_OK: Final = requests.codes.ok
_DENIED: Final = frozenset({requests.codes.unauthorized, requests.codes.forbidden})
_DIGEST: Final = "Docker-Content-Digest"
_ABSENT: Final = requests.codes.not_found
_SERVER_ERROR: Final = requests.codes.internal_server_error


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a registry is waited for.

    Attributes:
        pauses_s: before each further attempt.
        connect_s: to connect.
        read_s: for an answer, and between two parts of it.
    """

    pauses_s: tuple[float, ...] = (1.0, 4.0)
    connect_s: float = 10.0
    read_s: float = 30.0


_PATIENCE: Final = Patience()


def missing_images(
    images: Iterable[ServiceImage], environ: Mapping[str, str], *, patience: Patience = _PATIENCE
) -> frozenset[str]:
    """The references, as the YAML says them, of the images that their registries do not have.

    Args:
        images: of any registries.
        environ: GitLab's variables: CI_REGISTRY, CI_REGISTRY_USER and CI_REGISTRY_PASSWORD among them.
        patience: how long a registry is waited for.

    Raises:
        UserError: a registry refuses us, or is not known.
        PassingFaultError: a registry does not answer.
    """
    references = sorted({image.reference for image in images})
    return frozenset(references) - present_references(references, environ, patience=patience)


def present_references(
    references: Sequence[str], environ: Mapping[str, str], *, patience: Patience = _PATIENCE
) -> frozenset[str]:
    """Those of the references, which may hold variables, whose images are in their registries.

    Raises:
        UserError: a registry refuses us, or is not known.
        PassingFaultError: a registry does not answer.
    """
    if not references:
        return frozenset()
    full = [resolved(reference, environ) for reference in references]
    with (
        contextlib.closing(_Registries(environ, patience)) as registry,
        ThreadPoolExecutor(min(_AT_ONCE, len(full)), "registry") as pool,
    ):
        return frozenset(name for name, there in zip(references, pool.map(registry.has, full), strict=True) if there)


def add_tags(
    reference: str, tags: Iterable[str], environ: Mapping[str, str], *, patience: Patience = _PATIENCE
) -> None:
    """Give an image that is in its registry further tags, such as a release's; nothing is moved but its manifest.

    Raises:
        UserError: there is no such image, or the registry refuses us.
        PassingFaultError: the registry does not answer.
    """
    with contextlib.closing(_Registries(environ, patience)) as registry:
        registry.tag(resolved(reference, environ), tags)


def name_images(references: Iterable[str], environ: Mapping[str, str], *, patience: Patience = _PATIENCE) -> str:
    """Give images that are in their registry the tags of a pipeline's branch and release, beside the content tag.

    Those that are not there yet get them from the job that builds them.

    Returns:
        Why some have none, for people; empty when all is well. Nothing else hangs on these tags.
    """
    tags = further_tags(environ)
    with contextlib.closing(_Registries(environ, patience)) as registry:
        try:
            for reference in references if tags else ():
                registry.tag(resolved(reference, environ), tags, if_there=True)
        except (UserError, PassingFaultError) as error:
            return f"images have no tags of the branch ({', '.join(tags)}): {error}"
    return ""


def push_image_parts(
    image: BuiltImage,
    reference: str,
    tags: Iterable[str],
    environ: Mapping[str, str],
    *,
    patience: Patience = _PATIENCE,
) -> int:
    """Push an image that lies on this machine as files: what the registry lacks of it, then its manifest.

    Args:
        reference: repository and tag, which may hold variables.
        tags: further ones.

    Returns:
        Bytes that went.

    Raises:
        UserError: the registry refuses us, or is not known.
        PassingFaultError: the registry does not answer.
    """
    full = resolved(reference, environ)
    with contextlib.closing(_Registries(environ, patience)) as registry:
        sent = sum(registry.push_blob(full, blob) for blob in image.blobs)
        registry.put_manifest(full, (MANIFEST_TYPE, image.manifest))
        registry.tag(full, tags)
    return sent


@dataclass(slots=True)
class _Connection:
    """What one thread keeps: an HTTP session, and how it shows who it is, by scope."""

    session: RegistrySession = field(default_factory=RegistrySession)
    shown: dict[str, AuthBase] = field(default_factory=dict)


class _Registries:
    """Registries, asked by several threads at once."""

    def __init__(self, environ: Mapping[str, str], patience: Patience) -> None:
        self._environ, self._patience = environ, patience
        self._insecure = frozenset(environ.get(INSECURE_VARIABLE, "").replace(" ", "").split(","))
        self._local = threading.local()
        self._connections: list[_Connection] = []

    def close(self) -> None:
        for connection in self._connections:
            connection.session.close()

    def has(self, reference: str) -> bool:
        host, repository, tag = split_reference(reference)
        answer = self._ask("HEAD", host, repository, f"manifests/{tag}", actions="pull")
        if answer.status_code == _ABSENT:
            return False
        return _checked(answer, reference, ok=_OK)

    def tag(self, reference: str, tags: Iterable[str], *, if_there: bool = False) -> None:
        """Give an image further tags.

        Args:
            if_there: an image that is not there is no error.
        """
        host, repository, known = split_reference(reference)
        answer = self._ask("GET", host, repository, f"manifests/{known}", actions="pull,push")
        if answer.status_code == _ABSENT:
            if if_there:
                return
            raise UserError(f"the registry has no image {reference}", hint="build and push it first")
        _checked(answer, reference, ok=_OK)
        kind, digest = answer.headers.get("Content-Type", ""), answer.headers.get(_DIGEST)
        for tag in tags:
            held = self._ask("HEAD", host, repository, f"manifests/{tag}", actions="pull,push")
            if digest and held.headers.get(_DIGEST) == digest:
                continue
            put = self._ask(
                "PUT", host, repository, f"manifests/{tag}", actions="pull,push", body=(kind, answer.content)
            )
            _checked(put, f"{reference} as {tag}", ok=requests.codes.created)

    def push_blob(self, reference: str, blob: Blob) -> int:
        """Send a part of an image, unless the registry has it; the bytes that went."""
        host, repository, _ = split_reference(reference)
        there = self._ask("HEAD", host, repository, f"blobs/{blob.digest}", actions="pull,push")
        if there.status_code == _OK:
            return 0
        begun = self._ask("POST", host, repository, "blobs/uploads/", actions="pull,push")
        _checked(begun, reference, ok=requests.codes.accepted)
        try:
            place = RegistrySession.check_place(begun.url, begun.headers["Location"])
        except RedirectedToPlainError as error:
            raise _sent_to_plain(host, error) from error
        place += ("&" if "?" in place else "?") + urlencode({"digest": blob.digest})
        _checked(self._upload(host, repository, place, blob), reference, ok=requests.codes.created)
        return blob.size

    def _upload(self, host: str, repository: str, place: str, blob: Blob) -> requests.Response:
        connection, scope = self._connection(), f"{host}/{repository}:pull,push"
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(blob.size)}
        # A store behind the registry knows the upload by its address.
        ours = not connection.session.is_elsewhere(f"{self._scheme(host)}://{host}/", place)
        with blob.path.open("rb") as content:
            request = requests.Request("PUT", place, headers=headers, data=content)
            done = self._send(host, request, connection.shown.get(scope, Nobody()) if ours else Nobody())
            if ours and done.status_code == requests.codes.unauthorized:  # the token was too old: they live for minutes
                connection.shown[scope] = self._shown(done, host, repository, "pull,push")
                done = self._send(host, request, connection.shown[scope])
        if done.status_code in _DENIED:
            raise self._refused(host, repository)
        if done.status_code == requests.codes.request_entity_too_large:
            hint = "let whatever stands before it pass more: client_max_body_size of nginx (0: any size)"
            raise UserError(f"the registry {host} takes no part of {blob.size / 1e6:.0f} MB", hint=hint)
        return done

    def put_manifest(self, reference: str, body: tuple[str, bytes]) -> None:
        """Make a tag mean an image whose parts are there."""
        host, repository, tag = split_reference(reference)
        answer = self._ask("PUT", host, repository, f"manifests/{tag}", actions="pull,push", body=body)
        _checked(answer, reference, ok=requests.codes.created)

    def _ask(
        self, method: str, host: str, repository: str, path: str, *, actions: str, body: tuple[str, bytes] | None = None
    ) -> requests.Response:
        """One question, with a token when the registry wants one."""
        url = f"{self._scheme(host)}://{host}/v2/{repository}/{path}"
        headers = {"Accept": _MANIFESTS} | ({"Content-Type": body[0]} if body else {})
        connection, scope = self._connection(), f"{host}/{repository}:{actions}"
        request = requests.Request(method, url, headers=headers, data=body[1] if body else None)
        answer = self._send(host, request, connection.shown.get(scope, Nobody()))
        if answer.status_code != requests.codes.unauthorized:
            return answer
        if connection.session.is_elsewhere(url, answer.url):
            there = urlsplit(answer.url).netloc
            message = f"the registry {host} sends us to {there}, which asks for credentials: they are not sent there"
            raise UserError(message, hint="name the registry itself in swath.yaml (`registry:`) and service.yaml")
        connection.shown[scope] = self._shown(answer, host, repository, actions)
        answer = self._send(host, request, connection.shown[scope])
        if answer.status_code in _DENIED:
            raise self._refused(host, repository)
        return answer

    def _shown(self, challenge: requests.Response, host: str, repository: str, actions: str) -> AuthBase:
        """What the registry's challenge asks for: a token, or name and password.

        Raises:
            UserError: we have no credentials, or wrong ones.
        """
        credentials = credentials_for(host, self._environ)
        kind, _, rest = challenge.headers.get("WWW-Authenticate", "").partition(" ")
        basic = HTTPBasicAuth(credentials.user.encode(), credentials.password.encode()) if credentials else None
        if kind.lower() != "bearer":
            if basic is None:
                raise self._refused(host, repository)
            return basic
        said = dict(_CHALLENGE.findall(rest))
        realm = said.get("realm", "")
        plain_allowed = self._scheme(host) == self._scheme(urlsplit(realm).netloc) == "http"
        if urlsplit(realm).scheme not in ({"https", "http"} if plain_allowed else {"https"}):
            raise UserError(
                f"the registry {host} sends us to {realm} for a token, which is no address to show credentials at",
                hint="correct the registry's settings: its token service must be reached by https",
            )
        parameters = {"service": said.get("service", ""), "scope": f"repository:{repository}:{actions}"}
        answer = self._send(host, requests.Request("GET", realm, params=parameters), basic or Nobody())
        if answer.status_code != _OK:
            raise self._refused(host, repository)
        try:
            document = answer.json()
            return Bearer(str(document.get("token") or document["access_token"]))
        except (ValueError, KeyError, AttributeError):
            raise PassingFaultError(f"the registry {host}: its token service at {realm} gave no token") from None

    def _refused(self, host: str, repository: str) -> UserError:
        credentials = credentials_for(host, self._environ)
        if credentials:
            message = (
                f"the registry {host} refuses access to {repository} for '{credentials.user}' ({credentials.source})"
            )
            hint = "the password may have expired or lack the right: it needs read_registry, and write_registry to push"
        else:
            message = f"the registry {host} refuses access to {repository} without credentials"
            hint = (
                "in CI, switch the project's container registry on, which sets CI_REGISTRY_USER and "
                "CI_REGISTRY_PASSWORD; for another registry set DOCKER_AUTH_CONFIG; elsewhere: docker login"
            )
        return UserError(message, hint=hint)

    def _send(self, host: str, request: requests.Request, auth: AuthBase) -> requests.Response:
        """Send a request, again after a pause when the other side fails; 4xx is an answer.

        Raises:
            UserError: the certificate is not trusted, or an answer gives up TLS.
            PassingFaultError: there is no answer, or only 5xx and 429.
        """
        fault = ""
        for pause_s in (*self._patience.pauses_s, None):
            wait_s = pause_s
            if hasattr(request.data, "seek"):
                request.data.seek(0)
            try:
                answer = self._connection().session.request(
                    request.method, request.url, params=request.params, headers=request.headers, data=request.data,
                    auth=auth, timeout=(self._patience.connect_s, self._patience.read_s),
                )  # fmt: skip
            except requests.exceptions.SSLError as error:
                hint = f"add its authority: REQUESTS_CA_BUNDLE=FILE; for one without TLS: {INSECURE_VARIABLE}=HOST"
                raise UserError(f"the registry {host} cannot be asked safely: {cause_of(error)}", hint=hint) from error
            except RedirectedToPlainError as error:
                raise _sent_to_plain(host, error) from error
            except requests.RequestException as error:
                fault = cause_of(error)
            else:
                if answer.status_code < _SERVER_ERROR and answer.status_code != requests.codes.too_many_requests:
                    return answer
                fault = f"it answers {answer.status_code} {answer.reason}".rstrip()
                wait_s = _asked_pause_s(answer, pause_s)
            if wait_s is not None:
                time.sleep(wait_s)
        raise PassingFaultError(f"the registry {host} does not answer: {fault}")

    def _connection(self) -> _Connection:
        found: _Connection | None = getattr(self._local, "connection", None)
        if found is None:
            found = self._local.connection = _Connection()
            self._connections.append(found)
        return found

    def _scheme(self, host: str) -> str:
        return "http" if host in self._insecure or is_loopback(host) else "https"


def is_loopback(host: str) -> bool:
    """Whether a host, with or without a port, is this machine's loopback, which Docker too asks without TLS."""
    name = urlsplit(f"//{host}").hostname or ""
    try:
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _sent_to_plain(host: str, error: RedirectedToPlainError) -> UserError:
    hint = (
        "correct the registry's settings: behind a proxy that ends TLS it must know its own address "
        "(X-Forwarded-Proto: https, or http.host in its config.yml)"
    )
    message = f"the registry {host} sends us from https to {error.place}, where all can be read"
    return UserError(message, hint=hint)


def _checked(answer: requests.Response, reference: str, *, ok: int) -> bool:
    if answer.status_code == ok:
        return True
    said = f"{answer.status_code} {answer.reason}".rstrip()
    raise UserError(f"the registry says {said} to {reference}", hint="see `registry:` in swath.yaml")


def _asked_pause_s(answer: requests.Response, pause_s: float | None) -> float | None:
    """The pause before the next attempt: longer when the answer says so."""
    said = answer.headers.get("Retry-After", "")
    if pause_s is None or not said.isdecimal():
        return pause_s
    return min(max(pause_s, float(said)), _LONGEST_PAUSE_S)
