"""How GDAL reaches the files of a STAC hub, and what it says when it cannot.

Nothing is fetched whole: GDAL asks for the blocks that a window needs.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import rasterio
import rasterio.errors
import requests
from fetch import DownloadError, PassingError

SIGNING = "https://planetarycomputer.microsoft.com/api/sas/v1/sign"
COPERNICUS = "eodata.dataspace.copernicus.eu"
TIMEOUT_S = 60
REFUSED = frozenset({400, 401, 403, 404, 410})


def settings(hrefs: list[str], retry_wait_s: float) -> dict[str, str]:
    """GDAL's settings for the store that holds `hrefs`."""
    common = {
        "GDAL_HTTP_MAX_RETRY": "5",
        "GDAL_HTTP_RETRY_DELAY": str(retry_wait_s),
        "GDAL_HTTP_TIMEOUT": "120",
        "GDAL_HTTP_CONNECTTIMEOUT": "30",
        "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
        "CPL_VSIL_CURL_USE_HEAD": "NO",
    }
    if any(href.startswith("s3://eodata/") for href in hrefs):
        return common | {"AWS_S3_ENDPOINT": COPERNICUS, "AWS_VIRTUAL_HOSTING": "FALSE", "AWS_REGION": "default"}
    return common | {"AWS_REQUEST_PAYER": "requester", "AWS_REGION": os.environ.get("AWS_REGION", "eu-central-1")}


def needs_signature(href: str, sign_url: str | None) -> bool:
    """Whether the store wants signed addresses: Planetary Computer's does."""
    return href.startswith("http") and (
        sign_url is not None or (urlsplit(href).hostname or "").endswith(".blob.core.windows.net")
    )


def signed(href: str, sign_url: str | None = None) -> str:
    """The address with a short-lived signature, which never gets into a file or a message."""
    if not needs_signature(href, sign_url):
        return href
    try:
        answer = requests.get(sign_url or SIGNING, params={"href": href}, timeout=TIMEOUT_S)
    except requests.RequestException as error:
        raise PassingError(f"the signing service does not answer ({type(error).__name__})") from error
    if answer.status_code in REFUSED:
        raise DownloadError(f"{href}: the signing service refuses it ({answer.status_code})")
    try:
        answer.raise_for_status()
        return str(answer.json()["href"])
    except (requests.RequestException, ValueError, KeyError) as error:
        raise PassingError(f"the signing service does not answer ({answer.status_code})") from error


def gdal_name(address: str) -> str:
    """An address as GDAL opens it."""
    scheme, _, rest = address.partition("://")
    return f"/vsis3/{rest}" if scheme == "s3" else f"/vsicurl/{address}"


@contextmanager
def explained(hrefs: list[str], addresses: dict[str, str]) -> Iterator[None]:
    """Turn GDAL's failures into ours: a file that is not there, or a store that does not answer now.

    Args:
        hrefs: the files, as the catalogue names them.
        addresses: each one's signed address.
    """
    try:
        yield
    except rasterio.errors.RasterioError as error:
        for href in hrefs:
            status = _status(addresses[href])
            if status in REFUSED:
                account = "; it needs an account: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY" if status != 404 else ""
                raise DownloadError(f"{href}: the store answers {status}{account}") from error
        if any(
            word in str(error) for word in ("NoSuchKey", "InvalidAccessKeyId", "AccessDenied", "AWS_SECRET_ACCESS_KEY")
        ):
            text = str(error).splitlines()[0]
            raise DownloadError(
                f"the store refuses the scene: {text}; S3 needs AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
            ) from error
        raise PassingError(f"{urlsplit(hrefs[0]).hostname}: the store broke off") from error


def _status(address: str) -> int | None:
    """What the store says to a request for one byte."""
    if not address.startswith("http"):
        return None
    try:
        with requests.get(address, headers={"Range": "bytes=0-0"}, stream=True, timeout=TIMEOUT_S) as answer:
            return answer.status_code
    except requests.RequestException:
        return None
