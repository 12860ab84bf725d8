"""`plan/work_key.py`: equal work has equal keys, and any change gives another key to it and to all behind it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.job_graphs import random_graphs, stage
from swath.model.content import Content
from swath.model.graph import StageGraph, build_graph
from swath.model.stage import Dependency, Output, ParamsRead, Stage
from swath.plan.work_key import joint_key, work_keys


@dataclass
class Made:
    """Facts, given as data: hashes by path, parameters by file."""

    disk: dict[str, str] = field(default_factory=dict)
    values: dict[str, dict[str, Any]] = field(default_factory=dict)
    checks_outputs: bool = False

    def locked(self, stage: Stage) -> None:
        return None

    def dep(self, stage: Stage, dep: Dependency, locked: Any) -> dict[str, Any] | None:
        return {"path": dep.text, "hash": "md5", "md5": self.disk[dep.path]} if dep.path in self.disk else None

    def out(self, stage: Stage, out: Output, locked: Any) -> None:
        return None

    def params(self, read: ParamsRead) -> dict[str, Any] | None:
        return self.values.get(read.path)

    def has_object(self, content: Content) -> bool:
        return False

    def run_cache(self, key: str) -> None:
        return None


def a_stage(name: str, dep: str, *params: ParamsRead) -> Stage:
    """A stage that makes a file of its name from another."""
    deps, outs = (Dependency(dep, dep),), (Output(name, name),)
    return replace(stage(name), cmd=f"make {name}", deps=deps, outs=outs, params=params)


LR = ParamsRead("params.yaml", "params.yaml", ("lr",))
FOUND = ParamsRead("found.yaml", "found.yaml", ("n",))
#   raw ─▶ tiles ─▶ train ─▶ report       other ─▶ aside
STAGES = (a_stage("tiles", "raw"), a_stage("train", "tiles", LR), a_stage("report", "train"), a_stage("aside", "other"))
FACTS = Made({"raw": "r1", "other": "o1"}, {"params.yaml": {"lr": 0.1}})
ALL = {each.name: "run" for each in STAGES}


def keys(*stages: Stage, facts: Made = FACTS, decisions: dict[str, Any] | None = None) -> dict[str, str]:
    """The keys of these stages."""
    graph = build_graph(list(stages or STAGES))
    return work_keys(graph, decisions or dict.fromkeys(graph.stages, "run"), facts)


def changed(*stages: Stage, facts: Made = FACTS) -> set[str]:
    """Whose keys are not those of before."""
    before, now = keys(), keys(*stages, facts=facts)
    return {name for name in before if before[name] != now[name]}


def with_stage(number: int, change: Callable[[Stage], Stage]) -> list[Stage]:
    """The stages, one of them changed."""
    return [change(each) if position == number else each for position, each in enumerate(STAGES)]


def test_keys_are_sha256_of_all_that_run_and_all_differ() -> None:
    found = keys()
    assert set(found) == {"tiles", "train", "report", "aside"}
    assert all(re.fullmatch("[0-9a-f]{64}", key) for key in found.values())
    assert len(set(found.values())) == 4


def test_equal_inputs_have_equal_keys_in_whatever_order_they_are_told() -> None:
    same = Made({"other": "o1", "raw": "r1"}, {"params.yaml": {"lr": 0.1}})
    assert changed(facts=same) == set()
    assert keys(*reversed(STAGES)) == keys()


@pytest.mark.parametrize(
    ("facts", "names"),
    [
        (Made({"raw": "r2", "other": "o1"}, FACTS.values), {"tiles", "train", "report"}),
        (Made({"other": "o1"}, FACTS.values), {"tiles", "train", "report"}),
        (Made({"raw": "r1", "other": "o2"}, FACTS.values), {"aside"}),
        (Made(FACTS.disk, {"params.yaml": {"lr": 0.2}}), {"train", "report"}),
        (Made(FACTS.disk, {}), {"train", "report"}),
    ],
)
def test_changed_inputs_change_the_keys_of_those_who_read_them_and_behind(facts: Made, names: set[str]) -> None:
    assert changed(facts=facts) == names


@pytest.mark.parametrize(
    "change",
    [
        lambda each: replace(each, cmd="other"),
        lambda each: replace(each, cmd=(each.cmd,)),
        lambda each: replace(each, wdir="folder"),
        lambda each: replace(each, outs=(*each.outs, Output("more", "more"))),
        lambda each: replace(each, params=()),
    ],
)
def test_a_changed_stage_changes_its_key_and_those_behind(change: Callable[[Stage], Stage]) -> None:
    assert changed(*with_stage(1, change)) == {"train", "report"}


@pytest.mark.parametrize(
    "change",
    [
        lambda each: replace(each, meta={"owner": "me"}),
        lambda each: replace(each, outs=tuple(reversed(each.outs))),
        lambda each: replace(each, always_changed=True),
    ],
)
def test_what_makes_no_other_results_changes_nothing(change: Callable[[Stage], Stage]) -> None:
    assert changed(*with_stage(1, change)) == set()


@pytest.mark.parametrize("key", ["size", "nfiles", "lr"])
def test_parameters_of_any_name_count(key: str) -> None:
    one = a_stage("train", "raw", ParamsRead("params.yaml", "params.yaml", (key,)))
    found = [keys(one, facts=Made({"raw": "r1"}, {"params.yaml": {key: value}}))["train"] for value in (1, 2)]
    assert found[0] != found[1]


def test_parameters_that_are_there_count_although_others_are_made_only_later() -> None:
    one = a_stage("train", "raw", LR, FOUND)
    found = [keys(one, facts=Made({"raw": "r1"}, {"params.yaml": {"lr": value}}))["train"] for value in (1, 2)]
    assert found[0] != found[1]


def test_who_does_not_run_has_no_key_and_gives_none_on() -> None:
    decisions = {**ALL, "tiles": "unchanged"}
    facts = Made({**FACTS.disk, "tiles": "t1"}, FACTS.values)
    found = keys(facts=facts, decisions=decisions)
    assert set(found) == {"train", "report", "aside"}
    assert found["aside"] == keys()["aside"]
    # what is known of tiles is its hash, whatever made it
    other = with_stage(0, lambda each: replace(each, cmd="other"))
    assert keys(*other, facts=facts, decisions=decisions) == found


@settings(max_examples=25)
@given(random_graphs())
def test_exactly_the_stages_that_run_have_keys(case: Any) -> None:
    graph, decisions, _ = case
    assert set(work_keys(graph, decisions, Made())) == {name for name in graph.stages if decisions[name] == "run"}


@settings(max_examples=25)
@given(random_graphs(), st.data())
def test_a_change_reaches_all_that_run_behind_it_and_no_other(case: Any, data: st.DataObject) -> None:
    graph = StageGraph(
        {name: replace(each, cmd=name) for name, each in case[0].stages.items()}, case[0].upstream, case[0].downstream
    )
    decisions = dict.fromkeys(graph.stages, "run")
    name = data.draw(st.sampled_from(sorted(graph.stages)))
    stages = {**graph.stages, name: replace(graph.stages[name], cmd="other")}
    before = work_keys(graph, decisions, Made())
    now = work_keys(StageGraph(stages, graph.upstream, graph.downstream), decisions, Made())
    behind = {name}
    for each in graph.stages:
        if behind.intersection(graph.upstream[each]):
            behind.add(each)
    assert {each for each in before if before[each] != now[each]} == behind


def test_a_joint_key_is_of_all_keys_in_their_order() -> None:
    found = {joint_key(["a"]), joint_key(["a", "b"]), joint_key(["b", "a"]), joint_key(["ab"])}
    assert len(found) == 4
    assert joint_key(iter(["a", "b"])) == joint_key(["a", "b"])


@pytest.mark.parametrize("lacking", [[], [""], ["a", ""], ["", "a"]])
def test_without_a_key_of_each_there_is_no_joint_one(lacking: list[str]) -> None:
    assert joint_key(lacking) == ""
