"""`model/invocation.py`: what is not said is the harmless choice."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from swath.model.invocation import Invocation, Origins, Outcome, Volume
from swath.model.service import Resources, Service


def test_a_volume_is_read_only_unless_it_says_otherwise() -> None:
    assert Volume("raw", "/data").read_only
    assert Volume("raw", "/data") != Volume("raw", "/data", read_only=False)


SERVICE = Service(name="x", kind="training", description="It does.", entrypoint=["x"])


def test_an_invocation_has_no_gpu_no_limit_and_keeps_no_outputs() -> None:
    one = Invocation(SERVICE, Path("/r/services/x"), (), Path("/r"), ".", Path("/tmp/s"))
    assert (one.gpus, one.timeout_s, one.keep_outputs, one.resources) == ((), None, False, Resources())
    other = replace(one)
    assert other == one
    assert Invocation(one.service, one.folder, (), one.root, ".", one.scratch).environment is not one.environment


def test_an_outcome_is_of_good_end_and_lasting_fault() -> None:
    assert Outcome(0) == Outcome(0, "", 0.0, 0.0, 0, temporary=False)
    assert Outcome(75, temporary=True) != Outcome(75)


@pytest.mark.parametrize(
    ("path", "output"),
    [("out", "out"), ("out/a/b", "out"), ("outer", None), ("a", None), ("a/b/c", "a/b"), (".", None), ("", None)],
)
def test_the_output_around_a_path(path: str, output: str | None) -> None:
    assert Origins(frozenset({"out", "a/b"})).output_around(path) == output
