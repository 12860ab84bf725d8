"""An HTTP session for registries that shows credentials to nobody but those whom they are for.

    question ─▶ redirection ─▶ same origin: as before
                          ├──▶ another origin: without Authorization; ~/.netrc is not read
                          └──▶ from https to http: RedirectedToPlainError

Cookies are not kept, for they would go to every port and scheme of their host. Called by `images/registry.py`.

Source: requests 2.32 `sessions.py` (`rebuild_auth` reads ~/.netrc for the new address), read 2026-11-28.
"""

from __future__ import annotations

import re
from http.cookiejar import DefaultCookiePolicy
from typing import Final
from urllib.parse import urljoin, urlsplit

import requests
from requests.auth import AuthBase

_CONNECTION_FAULT: Final = re.compile(
    r"connection refused|connection reset|name or service not known|no such host|temporary failure in name resolution"
    r"|closed connection|network is unreachable|no route to host",
    re.IGNORECASE,
)


class RedirectedToPlainError(requests.RequestException):
    """A server with TLS sends us to one without."""

    def __init__(self, place: str) -> None:
        parts = urlsplit(place)
        self.place = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"  # paths and queries may hold secrets
        super().__init__(self.place)


class Bearer(AuthBase):
    """A token. As an object, so that requests does not put ~/.netrc's entry over it."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Show it."""
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


class Nobody(AuthBase):
    """No credentials, not even those of ~/.netrc."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Show nothing."""
        return request


class RegistrySession(requests.Session):
    """Keeps connections, no cookies."""

    def __init__(self) -> None:
        super().__init__()
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """Where an answer sends us; None: nowhere.

        Raises:
            RedirectedToPlainError: what we say there could be read on the way.
        """
        target: str | None = super().get_redirect_target(resp)
        if target is not None:
            self.check_place(resp.url, target)
        return target

    def rebuild_auth(self, prepared_request: requests.PreparedRequest, response: requests.Response) -> None:
        """Take the credentials off a request that goes elsewhere, and add none."""
        if self.is_elsewhere(response.request.url or "", prepared_request.url or ""):
            prepared_request.headers.pop("Authorization", None)
            prepared_request.headers.pop("Cookie", None)  # what the answer itself has just set

    def is_elsewhere(self, url: str, other: str) -> bool:
        """Whether what is meant for one address must not be shown at the other: another host, port, or no TLS."""
        return bool(self.should_strip_auth(url, other))  # type: ignore[no-untyped-call] # types-requests lacks it

    @staticmethod
    def check_place(url: str, place: str) -> str:
        """The absolute form of an address that the answer of `url` names.

        Raises:
            RedirectedToPlainError: it gives up TLS.
        """
        full = urljoin(url, place)
        if urlsplit(url).scheme == "https" and urlsplit(full).scheme != "https":
            raise RedirectedToPlainError(full)
        return full


def cause_of(error: Exception) -> str:
    """What is wrong, in a word: the messages of requests hold URLs and addresses of objects."""
    if isinstance(error, requests.exceptions.SSLError):
        found = re.search(r"certificate verify failed: ([^(]+)", str(error))
        return found.group(1).strip() if found else "no TLS there"
    if isinstance(error, requests.Timeout):
        return "no answer in time"
    if isinstance(error, requests.ConnectionError):
        found = _CONNECTION_FAULT.search(str(error))
        return found.group().lower() if found else "no connection"
    return type(error).__name__
