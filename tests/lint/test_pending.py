# ruff: noqa: ISC004 - messages stand whole
"""Stages that are not known yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from support.lint_case import Tell


def test_a_group_that_waits_is_checked_in_outline(told: Tell) -> None:
    text = """\
vars: [list.yaml]
stages:
  search:
    cmd: echo > list.yaml
    outs: [{list.yaml: {cache: false}}]
  a:
    foreach: ${names}
    do:
      cmd: swath exec split --inputt in/${item} --size ${item.size} --out out/${item}
      deps: ["in/${item}"]
      outs: ["o/${item}"]
"""
    assert told(text) == [
        "W pending dvc.yaml:6: stages.a: its stages are not known yet: nothing defines 'names'\n"
        "  `swath run` makes the file that they are read from first, and then them",
        "E argument dvc.yaml:9: stages.a.do.cmd: --input: is required (image): expected the path of a file",
        "E argument dvc.yaml:9: stages.a.do.cmd: --inputt: service 'split' has no such parameter\n"
        "  did you mean '--input'?",
        "E output-out dvc.yaml:9: stages.a.do.cmd: --out: the output out/${item} is not among the outs: "
        "nobody would keep or share it\n  add `- out/${item}` to outs",
        "E service-dep dvc.yaml:9: stages.a.do.cmd: services/split is not among the deps: "
        "a changed service would not run the stage again\n  add `- services/split` to deps",
    ]


def test_a_name_that_will_not_come_is_an_error(told: Tell) -> None:
    text = """\
vars: [list.yaml]
stages:
  search: {cmd: x, outs: [{list.yaml: {cache: false}}]}
  a: {cmd: "y ${tipo.x}"}
"""
    assert told(text, {"list.yaml": "names: []\n"}) == [
        "E template dvc.yaml:4: stages.a: nothing defines 'tipo.x'\n"
        "  define it under `vars` or in a file named there, or correct the name"
    ]
