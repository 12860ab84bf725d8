"""`swath image`: which images the registry has, and what `push` refuses before it makes anything."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.repositories import Bench, make_repository
from support.token_registry import PASSWORD, USER, TokenRegistry, token_registry

SERVICE = (
    "name: {name}\nkind: processing\ndescription: d.\nimage: {{build: .}}\nentrypoint: [sh, x.sh]\nparameters: []\n"
)


@pytest.fixture
def server() -> Iterator[TokenRegistry]:
    with token_registry() as registry:
        yield registry


@pytest.fixture
def bench(tmp_path: Path, server: TokenRegistry) -> Bench:
    """Two services, and the address of a registry that has none of their images."""
    files = {
        f"services/{name}/{path}": text.format(name=name)
        for name in ("cut", "learn")
        for path, text in (("service.yaml", SERVICE), ("Dockerfile", "FROM scratch\n"), ("x.sh", "# {name}\n"))
    }
    return make_repository(tmp_path / "repo", {**files, "swath.yaml": f"registry: {server.address}/group/project\n"})


def environ(server: TokenRegistry) -> dict[str, str]:
    return {"CI_REGISTRY": server.address, "CI_REGISTRY_USER": USER, "CI_REGISTRY_PASSWORD": PASSWORD}


def test_the_list_says_what_the_registry_has(bench: Bench, server: TokenRegistry) -> None:
    first = bench.swath("image", "list", check=True, **environ(server)).stdout.splitlines()
    assert [line.split("/")[0] for line in first] == [f"missing  {server.address}"] * 2
    name = first[0].removeprefix(f"missing  {server.address}/")
    server.images[name] = b"{}"
    assert bench.swath("image", "list", check=True, **environ(server)).stdout.splitlines()[0] == (
        f"present  {server.address}/{name}"
    )
    document = json.loads(bench.swath("image", "list", "--json", check=True, **environ(server)).stdout)
    assert document["version"] == 1
    assert [(row["service"], row["variant"], row["present"]) for row in document["images"]] == [
        ("cut", "", True),
        ("learn", "", False),
    ]
    assert document["images"][0]["image"] == f"{server.address}/{name}"


def test_a_registry_that_refuses(bench: Bench, server: TokenRegistry) -> None:
    result = bench.swath("image", "list", **{**environ(server), "CI_REGISTRY_PASSWORD": "old"})
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.startswith(f"swath: the registry {server.address} refuses access to group/project/")


@pytest.mark.parametrize(
    ("kinds", "message"),
    [
        ("s3,shh", "swath: --remotes: DVC has no kind of remote 'shh'\n  did you mean 'ssh'?\n"),
        (
            "carrier-pigeon",
            (
                "swath: --remotes: DVC has no kind of remote 'carrier-pigeon'\n"
                "  one of azure, gdrive, gs, hdfs, http, oss, s3, ssh, webdav, webhdfs\n"
            ),
        ),
    ],
)
def test_a_kind_of_remote_that_there_is_not(bench: Bench, server: TokenRegistry, kinds: str, message: str) -> None:
    result = bench.swath("image", "push", "--remotes", kinds, **environ(server))
    assert (result.returncode, result.stdout, result.stderr) == (1, "", message)
    assert server.asked == []
