# ruff: noqa: ISC004 - messages stand whole
"""What the stages of one group share is told once."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from support.lint_case import Tell


def test_a_group_is_told_once_in_the_words_of_its_template(told: Tell) -> None:
    text = """\
stages:
  a:
    foreach: [x, y, z]
    do:
      cmd: swath exec split --input in/${item}.tif --size 1${item} --out out/${item}
      deps: [services/split]
      outs:
        - out/${item}
"""
    assert told(text) == [
        "E argument dvc.yaml:5: stages.a.do.cmd: --size: expected a whole number, got '1x' (a@x; 2 more like it)",
        "E input-dep dvc.yaml:5: stages.a.do.cmd: --input: the input in/${item}.tif is not among the deps: "
        "the stage would not run again when it changes\n  add `- in/${item}.tif` to deps",
    ]


def test_a_part_of_a_group_is_named(told: Tell) -> None:
    text = """\
stages:
  a:
    matrix: {size: [20, 3, x]}
    cmd: swath exec split --input in.tif --size ${item.size} --out out/${item.size}
    deps: [services/split, in.tif]
    outs: ["out/${item.size}"]
"""
    assert told(text) == [
        "E argument dvc.yaml:4: stages.a.cmd: --size: expected a whole number, got 'x' (a@x)",
        "E argument dvc.yaml:4: stages.a.cmd: --size: expected at least 16, got 3 (a@3)",
    ]
