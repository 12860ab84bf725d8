"""`report/plan_view.py`: words for every reason; pictures that no name can break."""

from __future__ import annotations

import re
from typing import get_args

import pytest

from swath.model.graph import StageGraph, build_graph
from swath.model.plan import Decision, Reason, ReasonKind
from swath.model.stage import Dependency, Output, Stage
from swath.report.plan_view import counts, dot, explain, mermaid, rows

WORDS = {
    "new": (Reason("new"), "never run"),
    "cmd": (Reason("cmd", old="a", new="b"), "its command changed"),
    "param": (Reason("param", "params.yaml:lr", 0.1, 0.2), "params.yaml:lr is 0.2, was 0.1"),
    "dep": (Reason("dep", "in.txt", "1", "2"), "in.txt changed"),
    "out": (Reason("out", "model", "1", "2"), "model was edited"),
    "service": (Reason("service", "services/train", "1", "2"), "the service train changed"),
    "upstream": (Reason("upstream", "prepare"), "behind prepare"),
    "forced": (Reason("forced"), "forced"),
    "always": (Reason("always"), "runs always"),
    "frozen": (Reason("frozen"), "frozen"),
    "lost": (Reason("lost", "model"), "model is lost in the remote"),
    "missing": (Reason("missing", "model"), "model is missing"),
}
KEYS = Reason("param", "p:names", {"a": {0: "cat"}}, {"a": {0: "cat", None: {1.5: [True]}}})
ODD = ['a"b', "a b", "a#b", "a[b]", "a\\b", "a\nb", "a;b", "<b>", "ü@é", "end", "a`b", "a|b", "a\tb", "a{b}"]


def graph_of(*names: str) -> StageGraph:
    """A chain of stages."""
    stages = []
    for number, name in enumerate(names):
        deps = (Dependency(f"o{number - 1}", "d"),) if number else ()
        stages.append(Stage(name, "dvc.yaml", name, name, "true", ".", deps, (Output(f"o{number}", "o"),)))
    return build_graph(stages)


def test_every_kind_of_reason_has_words() -> None:
    assert set(WORDS) == set(get_args(ReasonKind))


@pytest.mark.parametrize("kind", list(WORDS))
def test_a_reason_reads_as_a_clause(kind: str) -> None:
    reason, text = WORDS[kind]
    assert list(explain([reason])) == [text]


def test_a_parameter_that_came_or_went_is_null() -> None:
    assert list(explain([Reason("param", "p:k", None, [1, "ü"])])) == ['p:k is [1, "ü"], was null']


def test_of_a_parameter_with_others_below_it_those_that_differ_are_named() -> None:
    old = {"lr": 1, "arch": {"depth": 3, "width": 8}, "gone": 0, "same": []}
    new = {"lr": 2, "arch": {"depth": 4, "width": 8}, "same": [], "fresh": {"a": 1}}
    assert list(explain([Reason("param", "p:train", old, new)])) == [
        "p:train.lr is 2, was 1",
        "p:train.arch.depth is 4, was 3",
        "2 more below p:train",
    ]


@pytest.mark.parametrize(("length", "shown"), [(38, '"' + "x" * 38 + '"'), (39, '"' + "x" * 38 + "…")])
def test_a_long_value_is_cut_at_40(length: int, shown: str) -> None:
    assert list(explain([Reason("param", "p:k", 0, "x" * length)])) == [f"p:k is {shown}, was 0"]


def test_what_is_edited_and_not_in_the_cache_is_told_apart_from_missing() -> None:
    assert list(explain([Reason("missing", "model", "1", "1")])) == ["model is not in the cache"]


def test_many_upstream_stages_are_counted_last() -> None:
    reasons = [Reason("upstream", "a"), Reason("upstream", "b"), Reason("cmd"), Reason("upstream", "c")]
    assert list(explain(reasons)) == ["its command changed", "behind a and 2 more"]


def test_unchanged_stages_are_rows_only_when_asked_for() -> None:
    decisions = {"a": Decision("unchanged"), "b": Decision("run", (Reason("new"), Reason("upstream", "a")))}
    assert list(rows(decisions)) == [("b", "run", "never run; behind a")]
    assert next(iter(rows(decisions, everything=True))) == ("a", "unchanged", "")


@pytest.mark.parametrize(
    ("kinds", "text"),
    [
        ([], "no stages"),
        (["run"], "1 to run"),
        (["unchanged", "run", "restore", "run"], "2 to run, 1 to restore, 1 unchanged"),
    ],
)
def test_counts_in_words(kinds: list[str], text: str) -> None:
    assert counts({str(n): Decision(kind) for n, kind in enumerate(kinds)}) == text  # type: ignore[arg-type]


def test_a_mermaid_chart() -> None:
    decisions = {"a": Decision("unchanged"), "b": Decision("run")}
    assert mermaid(graph_of("a", "b"), decisions).splitlines()[:4] == [
        "flowchart TD", '    s0["a"]:::unchanged', '    s1["b"]:::run', "    s0 --> s1",
    ]  # fmt: skip


def test_a_dot_graph() -> None:
    decisions = {"a": Decision("restore"), "b": Decision("run")}
    assert dot(graph_of("a", "b"), decisions).splitlines()[2:] == [
        '    "a" [fillcolor="#8ecae6"];', '    "b" [fillcolor="#f4a261"];', '    "a" -> "b";', "}",
    ]  # fmt: skip


@pytest.mark.parametrize("name", ODD)
def test_a_mermaid_label_says_the_name_and_nothing_else(name: str) -> None:
    line = mermaid(graph_of(name), {name: Decision("run")}).split("\n")[1]
    match = re.fullmatch(r'    s0\["([^"\[\]\n<>]*)"\]:::run', line)
    assert match
    assert re.sub(r"#(\d+);", lambda m: chr(int(m[1])), match[1]) == name


@pytest.mark.parametrize("name", ODD)
def test_a_dot_name_is_one_string(name: str) -> None:
    line = dot(graph_of(name), {name: Decision("run")}).split("\n")[2]
    match = re.fullmatch(r'    "((?:[^"\\]|\\.)*)" \[fillcolor="#f4a261"\];', line)
    assert match
    assert match[1].replace("\\n", "\n").replace('\\"', '"').replace("\\\\", "\\") == name


def test_stages_outside_the_plan_have_no_edges() -> None:
    graph = graph_of("a", "b")
    assert "-->" not in mermaid(graph, {"b": Decision("run")})
    assert "->" not in dot(graph, {"b": Decision("run")})


def test_keys_that_are_no_text_are_shown_as_they_are() -> None:
    assert list(explain([KEYS])) == ["p:names.a.None is {1.5: [true]}, was null"]
    assert list(explain([Reason("param", "p:v", None, {0: "a"})])) == ['p:v is {0: "a"}, was null']
