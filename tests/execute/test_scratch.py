from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from support.service_repositories import invocation, make_repository
from swath.execute.scratch import drop_scratch, open_scratch, scratch_path

if TYPE_CHECKING:
    from pathlib import Path

    from swath.model.invocation import Invocation

WORDS = ("upper", "--input", "data/a", "--out", "o")


@pytest.fixture
def upper(tmp_path: Path) -> Invocation:
    return invocation(make_repository(tmp_path), *WORDS)


def test_the_name_comes_from_the_command(tmp_path: Path) -> None:
    path = scratch_path(tmp_path, ".", WORDS)
    assert path.parent == tmp_path / ".dvc/tmp/swath/scratch"
    assert path.name.startswith("upper-")
    assert path == scratch_path(tmp_path, ".", list(WORDS))
    assert len({path, scratch_path(tmp_path, "w", WORDS), scratch_path(tmp_path, ".", WORDS[:3])}) == 3


def test_the_same_work_finds_its_checkpoint(upper: Invocation) -> None:
    assert open_scratch(upper) is False
    (upper.scratch / "checkpoint").write_text("3")
    assert open_scratch(upper) is True
    assert (upper.scratch / "checkpoint").is_file()


@pytest.mark.parametrize("file", ["data/a", "services/upper/upper.sh"])
def test_other_work_does_not(upper: Invocation, file: str) -> None:
    open_scratch(upper)
    (upper.scratch / "checkpoint").write_text("3")
    (upper.root / file).write_text("changed")
    os.utime(upper.root / file, (1, 1))
    assert open_scratch(upper) is False
    assert list(upper.scratch.iterdir()) == []


@pytest.mark.timeout(20)
def test_links_that_lead_round_in_circles_are_not_followed(tmp_path: Path) -> None:
    root = make_repository(tmp_path)
    (root / "data/tiles").mkdir()
    for name in ("one", "two", "three"):
        (root / "data/tiles" / name).symlink_to(".")
    (root / "data/tiles/file").write_text("1")
    (root / "data/tiles/link").symlink_to("file")
    upper = replace(invocation(root, *WORDS), arguments=(("input", "data/tiles"), ("out", "o")))
    open_scratch(upper)
    (upper.scratch / "checkpoint").write_text("3")
    assert open_scratch(upper) is True
    os.utime(root / "data/tiles/file", (1, 1))
    assert open_scratch(upper) is False


def test_a_folder_that_nobody_recorded_is_emptied(upper: Invocation) -> None:
    (upper.scratch / "checkpoint").write_text("3")
    assert open_scratch(upper) is False


def test_nothing_is_left_after_a_success(upper: Invocation) -> None:
    open_scratch(upper)
    drop_scratch(upper)
    assert not [path for path in upper.scratch.parent.iterdir() if path.name.startswith(upper.scratch.name)]
