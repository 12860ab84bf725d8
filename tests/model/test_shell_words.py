from __future__ import annotations

import shlex
import subprocess

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from swath.model.shell_words import (
    exec_words,
    first_service,
    mentions_exec,
    named_services,
    plain_words,
    templating_problems,
)

# What a command may hold, with an accent on what shells care for.
SHELL_TEXT = st.text(
    st.sampled_from("ab=0/.-_ \t'\"\\$`~#*?[]{}()<>|&;!%^,:@+\u00e9\u00a0\u3000")
    | st.characters(codec="utf-8", exclude_characters="\0")
)
VALUES = st.text(
    st.sampled_from("ab ='\"\\$`;#*~-\n\u2028\u00e9|&><(){}") | st.characters(codec="utf-8", exclude_characters="\0"),
    max_size=6,
)
QUOTES = st.sampled_from(["", "'", '"'])


def shell_argv(command: str, shell: str = "sh") -> list[str]:
    """The words that a real shell hands to a program named swath; empty when it does not start it."""
    script = "swath() { for word; do printf '%s\\0' \"$word\"; done; }\n" + command
    done = subprocess.run([shell, "-c", script], capture_output=True, check=False, stdin=subprocess.DEVNULL, cwd="/")
    return [word.decode(errors="surrogateescape") for word in done.stdout.split(b"\0")[:-1]]


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("swath exec split --size 3", ("split", "--size", "3")),
        ("  swath\texec   split  ", ("split",)),
        ('swath exec s --a \'x y\' --b "q\\"$" '.replace("$", ""), ("s", "--a", "x y", "--b", 'q"')),
        ("swath exec s --a=b\\ c x#y '' \"\"", ("s", "--a=b c", "x#y", "", "")),
        ("swath exec s 'a'\"b\"c", ("s", "abc")),
        ('swath exec s "a\\nb"'.replace("\\n", "\\\\n"), ("s", "a\\nb")),
        ("swath exec s d\u00e9j\u00e0", ("s", "d\u00e9j\u00e0")),
        ("swath exec", ()),
    ],
)
def test_plain_calls_give_their_words(command: str, words: tuple[str, ...]) -> None:
    assert exec_words(command) == words


@pytest.mark.parametrize(
    "command",
    [
        "swath exec a; b", "swath exec a && b", "swath exec a | b", "swath exec a &", "swath exec a > f", "swath exec <f",
        "X=1 swath exec a", "swath exec $x", 'swath exec "$x"', "swath exec `x`", "swath exec a*", "swath exec [a]",
        "swath exec ~/x", "swath exec {a,b}", "swath exec (a)", "swath exec a # b", "swath exec 'a", 'swath exec "a',
        "swath exec a\\", "swath exec a\nb", "swath exec a\rb", "swath exec =ls", "swath execute a", "swath run",
        "python -m swath exec a", "", "swath exec 'a\nb'", "swath exec a\0b", "swath exec a\u00a0b",
    ],
)  # fmt: skip
def test_anything_else_is_not_plain(command: str) -> None:
    assert exec_words(command) is None


@given(SHELL_TEXT)
@settings(max_examples=300, deadline=None)
@example("a'b'\"c\"\\d")
@example("a=~ #")
@example("\\~ '#' \"#\" =")
def test_plain_words_are_those_of_a_real_shell(arguments: str) -> None:
    words = plain_words(f"swath {arguments}")
    if words is not None:
        assert list(words[1:]) == shell_argv(f"swath {arguments}") == shell_argv(f"swath {arguments}", "bash")


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"))))
def test_quoted_words_come_back(words: list[str]) -> None:
    assert plain_words("swath " + " ".join(f"''{shlex.quote(word)}" for word in words)) == ("swath", *words)


@pytest.mark.parametrize(
    ("command", "mentioned"),
    [("swath exec a", True), ("cd x && swath  exec a", True), ("swath execute", False), ("my-swath exec", False)],
)
def test_calls_inside_longer_commands_are_seen(command: str, *, mentioned: bool) -> None:
    assert mentions_exec(command) is mentioned


@pytest.mark.parametrize(
    ("template", "resolved"),
    [
        ("swath exec s --a ${x}", "swath exec s --a 1"),
        ("swath exec s --a ${x}", "swath exec s --a -rf"),
        ("swath exec s --a ${x}${y}", "swath exec s --a 1"),
        ("swath exec s --a d/${x}-${y}.tif", "swath exec s --a d/-.tif"),
        ("swath exec s --a '${x}'", "swath exec s --a ''"),
        ("swath exec s --a '${x}'", "swath exec s --a '$(touch x); \"`'"),
        ('swath exec s --a "${x}"', 'swath exec s --a "it\'s; a * #"'),
        ("swath exec s --a ${x}''", "swath exec s --a ''"),
        ("swath exec s && echo ok", "swath exec s && echo ok"),
        ("swath exec s \\${HOME} ${x}", "swath exec s ${HOME} 1"),
        ("swath exec s --a ${x}-${y}-${z}", "swath exec s --a ------"),
    ],
)
def test_values_that_stay_one_word(template: str, resolved: str) -> None:
    assert templating_problems(template, resolved) == ()


@pytest.mark.parametrize(
    ("template", "resolved", "message"),
    [
        ("--a ${x}", "--a 1; touch y", "the value '1; touch y' of ${x} does not stay one shell word without quotes: it holds '; '"),
        ("--a ${x}", "--a 1 2", "the value '1 2' of ${x} does not stay one shell word without quotes: it holds ' '"),
        ("--a ${x} --b", "--a  --b", "the value of ${x} is empty: its word would vanish from the command"),
        ("--a ${x}${y}", "--a ", "the value of ${x} is empty: its word would vanish from the command"),
        ('--a "${x}"', '--a "$(y)"', "the value '$(y)' of ${x} does not stay one shell word in double quotes: it holds '$'"),
        ("--a '${x}'", "--a 'it's'", "the value \"it's\" of ${x} does not stay one shell word in single quotes: it holds \"'\""),
        ("--a '${x}'", "--a 'a\nb'", "the value 'a\\nb' of ${x} holds a line end, at which DVC cuts the command"),
        ("--a '${x}'", "--a 'a\u2028b'", "the value 'a\\u2028b' of ${x} holds a line end, at which DVC cuts the command"),
        ("--a $(echo '${x}')", "--a $(echo 'a b')", "the value 'a b' of ${x} does not stay one shell word without quotes: it holds ' '"),
        ("--a ${x}", "--b", "a value of ${x} does not stay one shell word: the command became '--b'"),
        ("${x} --b ${y}", '1 --b " --b "', "the value '\" --b \"' of ${y} does not stay one shell word without quotes: it holds '\" '"),
    ],
)  # fmt: skip
def test_values_that_do_not(template: str, resolved: str, message: str) -> None:
    assert [problem.message for problem in templating_problems(template, resolved)] == [message]


@pytest.mark.parametrize(
    "template",
    ["# don't\nswath exec s --a ${x}", "echo it\\'s\nswath exec s --a ${x}", "echo 'a\nb'\nswath exec s --a ${x}", "echo $'\\'' ; swath exec s --a ${x}",
     "swath exec s --a ${x} # don't", "swath exec s --a `echo '${x}'`", "swath exec s <<'E'\n${x}\nE", "echo \"it's\"\nswath exec s --a ${x}"],
)  # fmt: skip
def test_quotes_elsewhere_protect_no_value(template: str) -> None:
    assert templating_problems(template, template.replace("${x}", "1; touch y"))
    assert not templating_problems(template, template.replace("${x}", "1"))


def test_quotes_in_one_line_of_several_do() -> None:
    template = "echo 'a'\nswath exec s --a '${x}' --b \"it's ${y}\"\necho \"b\""
    assert not templating_problems(template, template.replace("${x}", "1; 2").replace("${y}", "3; 4"))


def test_every_wrong_value_is_named_with_a_way_out() -> None:
    problems = templating_problems("--a ${x} --b '${y}'", "--a 1 2 --b 'it's'")
    assert [(problem.expression, problem.value, problem.hint) for problem in problems] == [
        ("${x}", "1 2", "quote it: '${x}'"),
        ("${y}", "it's", "change the value"),
    ]


# A word of a template: pieces of text, each with a value behind it and quotes around the value.
WORD = st.lists(st.tuples(st.sampled_from(["", "a", "--b=", "d/", "-"]), QUOTES, VALUES), min_size=1, max_size=3)


@given(st.lists(st.one_of(WORD, st.sampled_from(["--b", "-"])), min_size=1, max_size=4))
@settings(max_examples=250, deadline=None)
@example([[("", "", '1 --b "')], "--b", [("", "", '"')]])
@example([[("", "'", "a' \"b")], [("", '"', "c' \"d")]])
@example([[("", "", "a b")], [("", '"', "")]])
def test_what_passes_the_rule_is_one_word_for_a_real_shell(words: list[list[tuple[str, str, str]] | str]) -> None:
    """Whatever the values are: when the rule holds, a shell's words are the template's with the values in place."""
    template, resolved, expected = "swath exec", "swath exec", ["exec"]
    for word in words:
        pieces = [(word, "", None)] if isinstance(word, str) else word
        template += " " + "".join(
            text if value is None else f"{text}{quote}${{v}}{quote}" for text, quote, value in pieces
        )
        resolved += " " + "".join(f"{text}{quote}{value or ''}{quote}" for text, quote, value in pieces)
        expected.append("".join(text + (value or "") for text, _, value in pieces))
    if not templating_problems(template, resolved):
        assert shell_argv(resolved) == expected
        assert len(resolved.splitlines()) == 1
        assert exec_words(resolved) in {None, tuple(expected[1:])}


def test_matching_stays_fast_where_values_repeat_the_template() -> None:
    template = "swath exec s --a " + "-".join(f"${{v{position}}}" for position in range(8))
    assert templating_problems(template, "swath exec s --a " + "-" * 3000 + " ;")


@pytest.mark.parametrize(
    ("command", "names"),
    [
        ("swath exec split --x '&& swath exec no'", ("split",)),
        ("mkdir x && swath exec split --out a", ("split",)),
        ("cd a;swath exec my-svc_2|tee log", ("my-svc_2",)),
        ("(swath exec --runtime docker a; swath exec b || swath exec --runtime=inside a)", ("a", "b")),
        ("A=1 swath exec a > log 2>&1", ("a",)),
        ("echo 'swath exec a' && ls", ()),
        ("swath exec $NAME", ()),
        ("swath exec && ls", ()),
        ("cat <<E\nit's\nE\nswath exec a", ()),
        ("python train.py", ()),
    ],
)
def test_the_services_that_a_command_calls(command: str, names: tuple[str, ...]) -> None:
    assert named_services(command) == names


def test_the_first_service_of_a_stage_counts() -> None:
    assert first_service(["ls", "mkdir x && swath exec a", "swath exec b"]) == "a"
    assert first_service(["ls", "echo"]) is None
