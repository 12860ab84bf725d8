"""Does an address belong to a server? Asked before a job's token is sent there."""

from __future__ import annotations

from typing import Final
from urllib.parse import unquote, urlsplit

_PORTS: Final = {"http": 80, "https": 443}


def is_of_server(url: str, server: str) -> bool:
    """Whether an http(s) address lies below a server's own, which may be a part of a host (``https://host/gitlab``).

    Args:
        url: what is asked about; one with `..` lies nowhere, since who follows it decides where it leads.
        server: with or without a slash at its end.
    """
    try:
        parts = [urlsplit(each) for each in (url, server)]
        places = {(each.scheme, each.hostname, each.port or _PORTS.get(each.scheme)) for each in parts}
    except ValueError:  # a port that is no number
        return False
    if len(places) > 1 or parts[0].scheme not in _PORTS or not parts[0].hostname:
        return False
    steps = unquote(parts[0].path).replace("\\", "/").split("/")
    return parts[0].path.startswith(f"{parts[1].path.rstrip('/')}/") and ".." not in steps
