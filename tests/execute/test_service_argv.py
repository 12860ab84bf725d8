from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from support.service_repositories import invocation, make_repository
from swath.execute.service_argv import argument_words, entrypoint_words, host_volume_path
from swath.model.invocation import Volume

if TYPE_CHECKING:
    from pathlib import Path

    from swath.model.invocation import Invocation


@pytest.fixture
def upper(tmp_path: Path) -> Invocation:
    make_repository(tmp_path)
    return invocation(tmp_path, "upper", "--input", "data/a", "--tag", "b c", "--tag", "-x", "--out", "o")


def test_files_of_the_service_become_absolute(upper: Invocation) -> None:
    assert entrypoint_words(upper, "/srv") == ["sh", "/srv/upper.sh"]


@pytest.mark.parametrize(
    ("first", "expected"), [("python", "/env/python"), ("python3", "/env/python"), ("node", "node")]
)
def test_python_becomes_the_environments(upper: Invocation, first: str, expected: str) -> None:
    class Other:
        entrypoint = (first, "-m", "upper.sh")

    other = replace(upper, service=Other())  # type: ignore[arg-type]
    assert entrypoint_words(other, "/srv", python="/env/python") == [expected, "-m", "/srv/upper.sh"]


def test_a_value_with_a_dash_is_joined_to_its_option(upper: Invocation) -> None:
    words = ["--input", "data/a", "--tag", "b c", "--tag=-x", "--out", "o", "--size", "256"]
    assert argument_words(upper, host_volume_path) == words


def test_only_paths_are_volumes(upper: Invocation) -> None:
    volumes = {"v": Volume("v", "/srv/v")}
    made = replace(upper, arguments=(("tag", ("volume:v",)), ("input", "volume:v/a")), volumes=volumes)
    assert argument_words(made, host_volume_path) == ["--tag", "volume:v", "--input", "/srv/v/a"]


@pytest.mark.parametrize(
    ("path", "below", "expected"),
    [
        ("/v", "", "/v"),
        ("/v", "a/b", "/v/a/b"),
        ("https://h/v/", "a", "https://h/v/a"),
        ("https://h/v", "", "https://h/v"),
    ],
)
def test_places_in_volumes(path: str, below: str, expected: str) -> None:
    assert host_volume_path(Volume("v", path), below) == expected
