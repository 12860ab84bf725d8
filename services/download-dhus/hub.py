# SPDX-License-Identifier: GPL-3.0-or-later
"""A DHuS hub through sentinelsat: the connection, and its errors as one line each.

The same file is in search-dhus and in download-dhus; a test holds them equal.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from sentinelsat import SentinelAPI
from sentinelsat.exceptions import (
    InvalidChecksumError,
    InvalidKeyError,
    LTAError,
    LTATriggered,
    QueryLengthError,
    QuerySyntaxError,
    SentinelAPIError,
    UnauthorizedError,
)
from urllib3 import Retry

PASSING_STATUS = (408, 425, 429, 500, 502, 503, 504)
TIMEOUT_S = (10, 120)  # to connect, between two packets


class HubError(Exception):
    """What was asked for cannot be had."""


class PassingError(Exception):
    """The hub does not answer now; it may later."""


class PatientAdapter(HTTPAdapter):
    """Tries again what may pass, and never waits for ever (sentinelsat's own `timeout` has no effect)."""

    def __init__(self, retries: int) -> None:
        policy = Retry(
            total=retries, backoff_factor=1, status_forcelist=(429, 502, 503, 504), allowed_methods=("GET", "HEAD"),
            respect_retry_after_header=True, raise_on_status=False,
        )  # fmt: skip
        super().__init__(max_retries=policy)

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:  # type: ignore[override]
        """Send with a time limit."""
        options["timeout"] = options.get("timeout") or TIMEOUT_S
        return super().send(request, **options)


def connect(url: str, retries: int) -> SentinelAPI:
    """A client for the hub, with the account in DHUS_USER and DHUS_PASSWORD."""
    user, password = os.environ.get("DHUS_USER"), os.environ.get("DHUS_PASSWORD")
    if not user or not password:
        raise HubError("a hub needs an account: set DHUS_USER and DHUS_PASSWORD")
    if urlsplit(url).scheme not in {"http", "https"} or not urlsplit(url).netloc:
        raise HubError(f"{url!r} is no address of a hub, such as https://example.org/dhus")
    api = SentinelAPI(user, password, url, show_progressbars=False)
    for prefix in ("http://", "https://"):
        api.session.mount(prefix, PatientAdapter(retries))
    return api


@contextmanager
def explained(url: str) -> Iterator[None]:
    """Translate what sentinelsat and requests raise.

    Raises:
        HubError: the hub refuses: account, query, product.
        PassingError: it does not answer, or not as DHuS does, or has to fetch the product from its archive first.
    """
    try:
        yield
    except UnauthorizedError as error:
        raise HubError(f"{url} refuses the account in DHUS_USER and DHUS_PASSWORD (401)") from error
    except QuerySyntaxError as error:
        raise HubError(f"{url} refuses the query: {one_line(error.msg)}") from error
    except QueryLengthError as error:
        raise HubError(f"{url}: the query is too long: give a simpler box or query") from error
    except InvalidKeyError as error:
        raise HubError(f"{url} has no such product: {one_line(error.msg)}") from error
    except (LTATriggered, LTAError) as error:
        raise PassingError(f"{url} has to fetch the product from its long-term archive, which takes hours") from error
    except InvalidChecksumError as error:
        raise PassingError(f"{url}: the product came with another checksum than announced") from error
    except SentinelAPIError as error:
        raise refused(url, error) from error
    except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError) as error:
        raise PassingError(f"{url} does not answer ({type(error).__name__})") from error
    except requests.RequestException as error:
        raise HubError(f"{url}: {one_line(str(error))}") from error


def refused(url: str, error: SentinelAPIError) -> Exception:
    """A status of 4xx will stay; everything else, such as a maintenance page, may pass."""
    status = error.response.status_code if error.response is not None else 0
    message = f"{url} answers {status or 'nothing'}: {one_line(error.msg)}"
    return HubError(message) if 400 <= status < 500 and status not in PASSING_STATUS else PassingError(message)


def one_line(text: str) -> str:
    """The start of a text, on one line."""
    return " ".join(text.replace("#", " ").split())[:200]
