# ruff: noqa: ISC004 - messages stand whole
"""Commands against services: whole messages."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.lint_case import GOOD, stage_text

if TYPE_CHECKING:
    from support.lint_case import Tell


def test_a_rightstage_text(told: Tell) -> None:
    assert told(stage_text(f"swath exec split {GOOD}")) == []


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
    lines = told(stage_text(f">-\n      swath exec {words}"))

    assert expected in lines
    assert len(lines) == 1


def test_shell_code_in_a_value(told: Tell) -> None:
    text = "vars: [{size: '20; touch x'}]\n" + stage_text(f"swath exec split {GOOD} --size ${{size}}")

    lines = told(text)

    assert lines[0] == (
        "E one-word dvc.yaml:4: stages.a.cmd: the value '20; touch x' of ${size} does not stay one shell word "
        "without quotes: it holds '; '\n  quote it: '${size}'"
    )


def test_meta(told: Tell) -> None:
    more = "    meta:\n      swath:\n        timeout: 3\n        resourcs: {}\n"

    assert told(stage_text(f"swath exec split {GOOD}", more=more)) == [
        "E meta dvc.yaml:8: stages.a.meta.swath.timeout: 3 has no unit: write it as 45s, 30m or 2h30m",
        "E meta dvc.yaml:9: stages.a.meta.swath.resourcs: unknown key 'resourcs'\n  did you mean 'resources'?",
    ]


def test_several_commands(told: Tell) -> None:
    lines = told(stage_text(f"[swath exec split {GOOD}, echo done]"))

    assert lines == [
        "W several-commands dvc.yaml:3: stages.a.cmd: the stage has 2 commands; "
        "its image, resources and timeout are those of one service\n  make a stage of each command"
    ]


SHELL = (
    "`swath exec` is a part of a longer shell command, so its arguments cannot be checked{more}\n"
    "  let the stage's command be `swath exec` alone, with plain words and quotes"
)


@pytest.mark.parametrize(
    ("cmd", "more", "others"),
    [
        ("mkdir -p x && swath exec split $ARGUMENTS", "", []),
        ("swath exec $SERVICE", ", and in CI its job has no service's image", []),
        (
            "swath exec split $A; swath exec spilt $B",
            "",
            [
                "E unknown-service dvc.yaml:3: stages.a.cmd: there is no service 'spilt' (no "
                "services/spilt/service.yaml)\n  did you mean 'split'?",
                "W several-commands dvc.yaml:3: stages.a.cmd: the stage has 2 services in one command; its image, "
                "resources and timeout are those of the first, 'split'\n  make a stage of each command",
            ],
        ),
    ],
)
def test_services_inside_longer_commands(told: Tell, cmd: str, more: str, others: list[str]) -> None:
    shell = f"W shell dvc.yaml:3: stages.a.cmd: {SHELL.format(more=more)}"
    assert sorted(told(stage_text(cmd))) == sorted([*others, shell])


def test_plain_dvc_stages_are_left_alone(told: Tell) -> None:
    assert told("stages:\n  a: {cmd: 'python x.py | tee y', deps: [in.tif], outs: [y]}\n") == []


def test_blank_commands_of_a_list(told: Tell) -> None:
    assert told(stage_text(f"['', swath exec split {GOOD}, ' ']")) == [
        "W empty-command dvc.yaml:3: stages.a.cmd[0]: this command does nothing\n  take it out",
        "W empty-command dvc.yaml:3: stages.a.cmd[2]: this command does nothing\n  take it out",
    ]


def test_a_stage_without_a_command_that_does_something(told: Tell) -> None:
    lines = told(stage_text('"\\n  "'))

    assert "W empty-command dvc.yaml:3: stages.a.cmd: the stage does nothing\n  write a command" in lines


def test_blank_lines_in_a_text_are_usual(told: Tell) -> None:
    assert told(stage_text(f'"\\n\\nswath exec split {GOOD}\\n\\n"')) == []
