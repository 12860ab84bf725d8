"""`model/server_address.py`: what the job's token is sent to."""

from __future__ import annotations

import pytest

from swath.model.server_address import is_of_server


@pytest.mark.parametrize(
    ("url", "server", "expected"),
    [
        ("https://host/group/project.git", "https://HOST:443/", True),
        ("https://[2001:db8::1]:8443/group/project.git", "https://[2001:DB8::1]:8443", True),
        ("http://host/group/project.git", "http://host:80", True),
        ("https://user@host/group/project.git", "https://host", True),
        ("https://host/gitlab/project.git", "https://host/gitlab", True),
        ("https://host/gitlab2/project.git", "https://host/gitlab", False),
        ("https://host/gitlab/../project.git", "https://host/gitlab", False),
        ("https://host/gitlab/%2E./project.git", "https://host/gitlab", False),
        ("https://host/gitlab/..\\project.git", "https://host/gitlab", False),
        ("https://host:8443/project.git", "https://host", False),
        ("http://host/project.git", "https://host", False),
        ("https://host:port/project.git", "https://host:port", False),
        ("ssh://host/project.git", "ssh://host", False),
        ("https:///project.git", "https://", False),
        ("", "", False),
    ],
)
def test_an_address_of_a_server(url: str, server: str, *, expected: bool) -> None:
    assert is_of_server(url, server) == expected
