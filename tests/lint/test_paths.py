# ruff: noqa: ISC004 - messages stand whole
"""Paths in commands against deps and outs: whole messages."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.lint_case import GOOD, stage_text

if TYPE_CHECKING:
    from support.lint_case import Tell


def test_the_services_folder_is_a_dep(told: Tell) -> None:
    assert told(stage_text(f"swath exec split {GOOD}", deps="[in.tif]")) == [
        "E service-dep dvc.yaml:3: stages.a.cmd: services/split is not among the deps: "
        "a changed service would not run the stage again\n  add `- services/split` to deps"
    ]


@pytest.mark.parametrize(
    ("deps", "outs", "words"),
    [
        ("[services, in.tif]", "[out]", GOOD),
        ("[services/split, d]", "[out]", "--input d/in.tif --out out"),
        ("[services/split, in.tif]", "[out]", "--input ./d/../in.tif --out out/"),
        ("[services/split, in.tif]", "[o]", "--input in.tif --out o/p/q"),
        ("[services/split, '-d x']", '["q\'q $x"]', "--input '-d x' --out \"q'q \"'$x'"),
        ("[services/split, ünï]", "[out]", "--input ünï --out out"),
    ],
)
def test_paths_that_are_declared(told: Tell, deps: str, outs: str, words: str) -> None:
    text = f"stages:\n  a:\n    cmd: >-\n      swath exec split {words}\n    deps: {deps}\n    outs: {outs}\n"

    assert told(text, {"d/in.tif": "", "-d x": "", "ünï": ""}) == []


def test_only_parts_of_folders(told: Tell) -> None:
    lines = told(
        stage_text("swath exec split --input d --out o", deps="[services/split, d/a]", outs="[o/x, o/y]"), {"d/a": ""}
    )

    assert [line.splitlines()[0] for line in lines] == [
        "W input-part dvc.yaml:3: stages.a.cmd: --input: of the folder d, only a part is among the deps: d/a",
        "W output-part dvc.yaml:3: stages.a.cmd: --out: of the folder o, only a part is among the outs: o/x, o/y",
    ]


def test_wdir_counts(told: Tell) -> None:
    text = "stages:\n  a:\n    wdir: w\n    cmd: swath exec split --input ../in.tif --out o\n    deps: [../in.tif]\n    outs: [o]\n"

    assert told(text, {"w/keep": ""}) == [
        "E service-dep dvc.yaml:4: stages.a.cmd: ../services/split is not among the deps: "
        "a changed service would not run the stage again\n  add `- ../services/split` to deps"
    ]


@pytest.mark.parametrize(
    ("command", "volumes", "expected"),
    [
        (
            "--input volume:v/../x --out out",
            "{path: /x}",
            "E volume dvc.yaml:3: stages.a.cmd: --input: 'volume:v/../x' leads out of the volume",
        ),
        (
            "--input in.tif --out volume:v/x",
            "{path: /x}",
            "E volume dvc.yaml:3: stages.a.cmd: --out: the volume 'v' is read-only\n"
            "  set `read_only: false` under volumes.v of swath.yaml to let stages write there",
        ),
        ("--input in.tif --out volume:v/x", "{path: /x, read_only: false}", ""),
        ("--input volume:v/x --out out", "{path: /x}", ""),
    ],
)
def test_volumes(told: Tell, command: str, volumes: str, expected: str) -> None:
    lines = told(stage_text(f"swath exec split {command}"), {"swath.yaml": f"volumes: {{v: {volumes}}}\n"})

    assert lines == ([expected] if expected else [])


def test_a_volume_that_nothing_follows(told: Tell) -> None:
    text = stage_text("swath exec split --input volume:v/x --out out", deps="[services/split]")

    assert told(text, {"swath.yaml": "volumes: {v: {path: /x}}\n"}) == [
        "W volume-dep dvc.yaml:3: stages.a.cmd: --input: nothing tells that the data in volume 'v' changed\n"
        "  add a catalogue or checksum file of it to deps"
    ]
