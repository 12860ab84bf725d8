from __future__ import annotations

import os
import stat
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from support.service_repositories import invocation, make_repository
from swath.errors import UserError
from swath.execute.outputs import missing_outputs, output_paths, prepare_outputs

if TYPE_CHECKING:
    from pathlib import Path

    from swath.model.invocation import Invocation


@pytest.fixture
def upper(tmp_path: Path) -> Invocation:
    return invocation(make_repository(tmp_path), "upper", "--input", "data/a", "--out", "deep/er/o")


def test_parents_are_made(upper: Invocation) -> None:
    prepare_outputs(upper)
    assert list(output_paths(upper)) == [upper.root / "deep/er/o"]
    assert (upper.root / "deep/er").is_dir()
    assert missing_outputs(upper) == ["deep/er/o"]


@pytest.mark.parametrize("kind", ["file", "folder", "read-only file", "link", "dangling link"])
def test_what_is_left_is_removed(upper: Invocation, kind: str) -> None:
    out = upper.root / "deep/er/o"
    out.parent.mkdir(parents=True)
    if kind == "folder":
        (out / "a").mkdir(parents=True)
    elif kind.endswith("link"):
        out.symlink_to(upper.root / ("data" if kind == "link" else "none"))
    else:
        out.write_text("x")
        out.chmod(stat.S_IRUSR)
    prepare_outputs(upper)
    assert not os.path.lexists(out)
    assert (upper.root / "data/a").is_file()


def test_kept_outputs_stay(upper: Invocation) -> None:
    out = upper.root / "deep/er/o"
    out.parent.mkdir(parents=True)
    out.write_text("x")
    prepare_outputs(replace(upper, keep_outputs=True))
    assert out.is_file()
    assert missing_outputs(upper) == []


def test_a_parent_that_is_a_file(upper: Invocation) -> None:
    (upper.root / "deep").write_text("")
    with pytest.raises(UserError) as caught:
        prepare_outputs(upper)
    assert str(caught.value) == f"cannot make room for the output {upper.root}/deep/er/o: Not a directory"


def test_outputs_in_volumes_are_left_alone(upper: Invocation) -> None:
    assert list(output_paths(replace(upper, arguments=(("out", "volume:v/o"),)))) == []
