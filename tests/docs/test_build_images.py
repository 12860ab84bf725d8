"""docs/how-to/build-images.md says of each builder what `swath runner config` writes for it, and what its job is."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any, get_args

import pytest

from swath.emit.runner_config import RunnerOptions, runner_config
from swath.images.build_script import IMAGES
from swath.model.settings import Builder, Settings

PAGE = (Path(__file__).parents[2] / "docs/how-to/build-images.md").read_text()
ROWS = {match[1]: match[0] for match in re.finditer(r"^\| `(\w+)`(?: \(default\))? \| `.*$", PAGE, re.MULTILINE)}


def written(builder: Builder) -> dict[str, Any]:
    """The part for Docker of the class that builds."""
    settings = Settings(builder=builder)
    options = RunnerOptions("docker", "https://gitlab.example.com", (), {}, settings.runners[0])
    return dict(tomllib.loads(runner_config(settings, [], options))["runners"][0]["docker"])


def test_all_builders_have_a_row_and_the_default_is_said() -> None:
    assert set(ROWS) == set(get_args(Builder))
    assert f"`{Settings().builder}` (default)" in PAGE


@pytest.mark.parametrize("builder", get_args(Builder))
def test_a_row_says_what_the_runner_must_allow(builder: Builder) -> None:
    row = ROWS[builder]
    if "the same; slower" in row:
        row += ROWS["buildkit"]
    made = written(builder)
    options = made.get("security_opt", [])
    assert ("security_opt" in row) == bool(options)
    assert all(f'"{option}"' in row for option in options)
    assert ("privileged = true" in row) == made["privileged"]
    folders = {volume.split(":")[0] for volume in made["volumes"]} - {"/cache"}
    assert set(re.findall(r"`(/[^`]+)`", row)) == folders
    image = IMAGES[builder]
    assert f"`{image}`" in row or f"`{image.rpartition(':')[0]}`" in row
