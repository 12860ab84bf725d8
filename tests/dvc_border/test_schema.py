"""`dvc_border/schema.py`: what DVC takes is taken, what it refuses is told with file, line and key."""

from __future__ import annotations

import pytest
from dvc.schema import COMPILED_MULTI_STAGE_SCHEMA
from voluptuous import MultipleInvalid

from swath.dvc_border.schema import check
from swath.schema import yaml12

GOOD = [
    "",
    "stages: {}",
    "stages: {a: {cmd: x}}",
    "stages: {a: {cmd: [x, y], deps: [d], outs: [o: {cache: false, persist: true}], frozen: true}}",
    "stages: {a: {foreach: [1, 2], do: {cmd: x, deps: ['${item}']}}}",
    "stages: {a: {matrix: {m: [1, 2]}, cmd: x}}",
    "stages: {a: {cmd: x, plots: [p: {x: a, y: b}], metrics: [m]}}",
    "vars: [params.yaml, {a: 1}]\nstages: {a: {cmd: x, params: [lr, {p.json: [k]}], meta: {any: [1]}, desc: d}}",
    "plots: [{p: {x: a}}]\nmetrics: [m.json]\nparams: [p.yaml]\nartifacts: {m: {path: model}}",
]
BAD = [
    ("stage: {a: {cmd: x}}", "dvc.yaml:1: stage: unknown key 'stage'", "did you mean 'stages'?"),
    ("stages:\n  a:\n    cmd: x\n    dep: [y]", "dvc.yaml:4: stages.a.dep: unknown key 'dep'", "did you mean 'deps'?"),
    ("stages:\n  a:\n    deps: [y]", "dvc.yaml:2: stages.a: the key 'cmd' is missing", "add it"),
    ("stages:\n  a:\n    cmd: x\n    deps: y", "dvc.yaml:4: stages.a.deps: expected a list, found text", None),
    ("stages:\n  a:\n    cmd: x\n    frozen: 1", None, None),
    ("stages:\n  a:\n    cmd: x\n    wdir: 2020-01-01", None, "put it in quotes"),
    ("stages:\n  a:\n    cmd: x\n    outs: [o: {cach: false}]", None, "did you mean 'cache'?"),
    ("stages:\n  a:\n    foreach: [1]\n    matrix: {m: [1]}\n    do: {cmd: x}", None, None),
    ("stages: [a]", "dvc.yaml:1: stages: expected a mapping, found a list", None),
]


@pytest.mark.parametrize("text", GOOD)
def test_what_dvc_takes_is_taken(text: str) -> None:
    document = yaml12.Document(text, "dvc.yaml")
    value = document.value or {}
    COMPILED_MULTI_STAGE_SCHEMA(value)
    assert check(value, document) == []


@pytest.mark.parametrize(("text", "message", "hint"), BAD)
def test_what_dvc_refuses_is_told(text: str, message: str | None, hint: str | None) -> None:
    document = yaml12.Document(text, "dvc.yaml")
    with pytest.raises(MultipleInvalid):
        COMPILED_MULTI_STAGE_SCHEMA(document.value)
    first, *_ = check(document.value, document)
    assert first.rule == "schema"
    assert first.place.line is not None
    if message:
        assert f"{first.place}: {first.message}" == message
    if hint:
        assert first.hint == hint
