"""`model/stage.py`: commands as DVC runs and records them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from dvc.stage.run import _enforce_cmd_list
from hypothesis import given
from hypothesis import strategies as st

from support.job_graphs import stage
from swath.model.stage import Dependency, Output, ParamsRead

STAGE = stage("train")


@pytest.mark.parametrize(
    ("cmd", "commands"),
    [
        ("a", ("a",)),
        ("a\nb\n", ("a", "b")),
        (("a", "b"), ("a", "b")),
        (("a\nb",), ("a\nb",)),  # an item of a list is one command, whatever lines it has
        ("", ()),
    ],
)
def test_commands_are_lines_or_items(cmd: str | tuple[str, ...], commands: tuple[str, ...]) -> None:
    assert replace(STAGE, cmd=cmd).commands == commands


@given(st.one_of(st.text("ab \n\r\\&", min_size=1, max_size=20), st.lists(st.text("ab \n", max_size=9), min_size=1)))
def test_commands_are_those_of_dvc(cmd: str | list[str]) -> None:
    ours = replace(STAGE, cmd=tuple(cmd) if isinstance(cmd, list) else cmd)
    assert list(ours.commands) == [command for command in _enforce_cmd_list(cmd) if command.strip()]
    assert ours.lock_cmd == cmd
    assert type(ours.lock_cmd) is type(cmd)


def test_only_a_stage_without_inputs_and_outputs_runs_always() -> None:
    assert STAGE.is_callback
    assert not replace(STAGE, deps=(Dependency("a", "a"),)).is_callback
    assert not replace(STAGE, outs=(Output("a", "a"),)).is_callback
    assert not replace(STAGE, params=(ParamsRead("params.yaml", "params.yaml", ("a",)),)).is_callback


def test_an_output_is_as_in_dvc_unless_it_says_otherwise() -> None:
    out = Output("a", "a")
    assert (out.kind, out.cache, out.persist, out.push, out.remote) == ("outs", True, False, True, None)
