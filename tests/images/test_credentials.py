from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from swath.images.credentials import Credentials, credentials_for

SECRET = "pass:word+/\u00e9"
AUTH = base64.b64encode(f"me:{SECRET}".encode()).decode()


def write_config(folder: Path, document: object) -> dict[str, str]:
    (folder / ".docker").mkdir()
    (folder / ".docker/config.json").write_text(json.dumps(document))
    return {"HOME": str(folder)}


def test_gitlabs_variables_are_for_its_own_registry() -> None:
    variables = {
        "CI_REGISTRY": "r.example.com:5050",
        "CI_REGISTRY_USER": "u",
        "CI_REGISTRY_PASSWORD": SECRET,
        "HOME": "/none",
    }
    expected = Credentials("u", SECRET, "CI_REGISTRY_USER and CI_REGISTRY_PASSWORD")
    assert credentials_for("r.example.com:5050", variables) == expected
    assert credentials_for("other.example.com", variables) is None
    assert SECRET not in repr(expected)


@pytest.mark.parametrize("key", ["r.example.com", "https://r.example.com", "https://r.example.com/v2/"])
def test_docker_login(tmp_path: Path, key: str) -> None:
    variables = write_config(tmp_path, {"auths": {"other": {"auth": "x"}, key: {"auth": AUTH}}})
    assert credentials_for("r.example.com", variables) == Credentials("me", SECRET, "docker login")


def test_docker_hub_has_a_name_of_its_own(tmp_path: Path) -> None:
    variables = write_config(tmp_path, {"auths": {"https://index.docker.io/v1/": {"auth": AUTH}}})
    assert credentials_for("registry-1.docker.io", variables) == Credentials("me", SECRET, "docker login")


def test_gitlabs_variable_for_other_registries() -> None:
    text = json.dumps({"auths": {"r.example.com": {"username": "me", "password": SECRET}}})
    variables = {"DOCKER_AUTH_CONFIG": text, "HOME": "/none"}
    assert credentials_for("r.example.com", variables) == Credentials("me", SECRET, "DOCKER_AUTH_CONFIG")


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"auths": []}', '{"auths": {"r": {"auth": "%%%"}}}', '{"auths": {"r": 1}}']
)
def test_what_is_no_config_gives_nobody(tmp_path: Path, text: str) -> None:
    assert credentials_for("r", {"DOCKER_AUTH_CONFIG": text, "HOME": str(tmp_path)}) is None


@pytest.mark.parametrize(
    "document", [{"credsStore": "ours", "auths": {"r.example.com": {}}}, {"credHelpers": {"r.example.com": "ours"}}]
)
def test_a_credential_helper(tmp_path: Path, document: object) -> None:
    helper = tmp_path / "docker-credential-ours"
    helper.write_text(
        f"""#!/bin/sh\nread host; [ "$host" = r.example.com ] && echo '{{"Username": "me", "Secret": "{SECRET}"}}'\n"""
    )
    helper.chmod(0o755)
    variables = write_config(tmp_path, document) | {"PATH": f"{tmp_path}:/usr/bin:/bin", "LC_ALL": "C.UTF-8"}
    assert credentials_for("r.example.com", variables) == Credentials("me", SECRET, "the credential helper ours")
    assert credentials_for("elsewhere", variables) is None


def test_a_credential_helper_that_is_not_there(tmp_path: Path) -> None:
    variables = write_config(tmp_path, {"credHelpers": {"r.example.com": "no-such"}})
    assert credentials_for("r.example.com", variables) is None
