# ruff: noqa: E501, ISC004 - messages stand whole
"""dvc.yaml against services: whole messages of each rule."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.plain_repository import make_repository, with_split
from swath.lint.check import check_repository

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    Tell = Callable[..., list[str]]

GOOD = "--input in.tif --out out"


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tell:
    """What lint says of a dvc.yaml beside the service `split`: a line for each finding."""

    def tell(dvc_yaml: str, more: Mapping[str, str | bytes] | None = None) -> list[str]:
        repository = make_repository(tmp_path, with_split(dvc_yaml, {"in.tif": "x", **(more or {})}))
        monkeypatch.chdir(tmp_path)
        return [
            f"{problem.finding.severity[0].upper()} {problem.finding.rule} {problem.finding}"
            for problem in check_repository(repository)
        ]

    return tell


def _stage(cmd: str, deps: str = "[services/split, in.tif]", outs: str = "[out]", more: str = "") -> str:
    return f"stages:\n  a:\n    cmd: {cmd}\n    deps: {deps}\n    outs: {outs}\n{more}"


def test_a_right_stage(told: Tell) -> None:
    assert told(_stage(f"swath exec split {GOOD}")) == []


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (
            "splitt --input in.tif --out out",
            "E unknown-service dvc.yaml:3: stages.a.cmd: there is no service 'splitt' (no services/splitt/service.yaml)\n"
            "  did you mean 'split'?",
        ),
        ("", "E unknown-service dvc.yaml:3: stages.a.cmd: `swath exec` needs the name of a service\n  one of split"),
        (
            f"split {GOOD} --sise 3",
            "E argument dvc.yaml:3: stages.a.cmd: --sise: service 'split' has no such parameter\n  did you mean '--size'?",
        ),
        (
            f"split {GOOD} --size x",
            "E argument dvc.yaml:3: stages.a.cmd: --size: expected a whole number, got 'x'",
        ),
        (f"split {GOOD} --size 3", "E argument dvc.yaml:3: stages.a.cmd: --size: expected at least 16, got 3"),
        (
            f"split {GOOD} --mode slow",
            "E argument dvc.yaml:3: stages.a.cmd: --mode: expected one of fast, good, got 'slow'",
        ),
        (
            "split --out out",
            "E argument dvc.yaml:3: stages.a.cmd: --input: is required (image): expected the path of a file",
        ),
        (
            f"split {GOOD} --size 20 --size 30",
            "E argument dvc.yaml:3: stages.a.cmd: --size: given 2 times, but it is no list",
        ),
        (
            f"split {GOOD} extra",
            "E argument dvc.yaml:3: stages.a.cmd: unexpected word 'extra'\n"
            "  arguments are written --name value; quote a value with spaces",
        ),
        (
            f"split {GOOD} --mask other.tif",
            "E input-dep dvc.yaml:3: stages.a.cmd: --mask: the input other.tif is not among the deps: "
            "the stage would not run again when it changes\n  add `- other.tif` to deps",
        ),
        (
            f"split {GOOD} --mask ../x.tif",
            "E path dvc.yaml:3: stages.a.cmd: --mask: '../x.tif' leads out of the repository\n"
            "  name a path below the repository, or a volume",
        ),
        (
            f"split {GOOD} --mask /x.tif",
            "E path dvc.yaml:3: stages.a.cmd: --mask: '/x.tif' is not a path in the repository\n"
            "  name a path below the repository, or a volume",
        ),
        (
            "split --input in.tif --out other",
            "E output-out dvc.yaml:3: stages.a.cmd: --out: the output other is not among the outs: "
            "nobody would keep or share it\n  add `- other` to outs",
        ),
        (
            "split --input in.tif --out .dvc/x",
            "E path dvc.yaml:3: stages.a.cmd: --out: .dvc/x cannot be an output: the repository itself lives there\n"
            "  write below a folder of its own",
        ),
        (
            f"split {GOOD} > log",
            "W shell dvc.yaml:3: stages.a.cmd: `swath exec` is a part of a longer shell command, "
            "so its arguments cannot be checked\n"
            "  let the stage's command be `swath exec` alone, with plain words and quotes",
        ),
        (
            f"split {GOOD} --mask volume:data/x",
            "E volume dvc.yaml:3: stages.a.cmd: --mask: swath.yaml names no volume 'data'\n  add it under `volumes`",
        ),
        (
            f"split {GOOD} --mask volume:",
            "E volume dvc.yaml:3: stages.a.cmd: --mask: 'volume:' is no volume: write volume:NAME or volume:NAME/PATH",
        ),
    ],
)
def test_commands(told: Tell, words: str, expected: str) -> None:
    lines = told(_stage(f">-\n      swath exec {words}"))

    assert expected in lines
    assert len(lines) == 1


def test_the_services_folder_is_a_dep(told: Tell) -> None:
    assert told(_stage(f"swath exec split {GOOD}", deps="[in.tif]")) == [
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
        _stage("swath exec split --input d --out o", deps="[services/split, d/a]", outs="[o/x, o/y]"), {"d/a": ""}
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


def test_shell_code_in_a_value(told: Tell) -> None:
    text = "vars: [{size: '20; touch x'}]\n" + _stage(f"swath exec split {GOOD} --size ${{size}}")

    lines = told(text)

    assert lines[0] == (
        "E one-word dvc.yaml:4: stages.a.cmd: the value '20; touch x' of ${size} does not stay one shell word "
        "without quotes: it holds '; '\n  quote it: '${size}'"
    )


def test_meta(told: Tell) -> None:
    more = "    meta:\n      swath:\n        timeout: 3\n        resourcs: {}\n"

    assert told(_stage(f"swath exec split {GOOD}", more=more)) == [
        "E meta dvc.yaml:8: stages.a.meta.swath.timeout: 3 has no unit: write it as 45s, 30m or 2h30m",
        "E meta dvc.yaml:9: stages.a.meta.swath.resourcs: unknown key 'resourcs'\n  did you mean 'resources'?",
    ]


def test_several_commands(told: Tell) -> None:
    lines = told(_stage(f"[swath exec split {GOOD}, echo done]"))

    assert lines == [
        "W several-commands dvc.yaml:3: stages.a.cmd: the stage has 2 commands; "
        "its image, resources and timeout are those of one service\n  make a stage of each command"
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
    lines = told(_stage(f"swath exec split {command}"), {"swath.yaml": f"volumes: {{v: {volumes}}}\n"})

    assert lines == ([expected] if expected else [])


def test_a_volume_that_nothing_follows(told: Tell) -> None:
    text = _stage("swath exec split --input volume:v/x --out out", deps="[services/split]")

    assert told(text, {"swath.yaml": "volumes: {v: {path: /x}}\n"}) == [
        "W volume-dep dvc.yaml:3: stages.a.cmd: --input: nothing tells that the data in volume 'v' changed\n"
        "  add a catalogue or checksum file of it to deps"
    ]


def test_plain_dvc_stages_are_left_alone(told: Tell) -> None:
    assert told("stages:\n  a: {cmd: 'python x.py | tee y', deps: [in.tif], outs: [y]}\n") == []


def test_a_broken_stage_hides_no_other(told: Tell) -> None:
    text = "stages:\n  b: {cm: x}\n  a: {cmd: swath exec nope}\n"

    assert [line.split(": ", 1)[0] for line in told(text)] == [
        "E schema dvc.yaml:2",
        "E schema dvc.yaml:2",
        "E unknown-service dvc.yaml:3",
    ]
