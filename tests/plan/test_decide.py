"""`plan/decide.py`: decisions and reasons over facts that are made up here."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from swath.model.content import Content
from swath.model.graph import build_graph
from swath.model.lock_entry import run_cache_key
from swath.model.plan import Decision, Reason
from swath.model.stage import Dependency, Output, ParamsRead, Stage
from swath.plan.decide import decide, decide_stage


def item(path: str, value: str) -> dict[str, Any]:
    """A lock item."""
    return {"path": path, "hash": "md5", "md5": value, "size": 1}


TRAIN = Stage(
    name="train",
    file="dvc.yaml",
    key="train",
    group="train",
    cmd="train data",
    wdir=".",
    deps=(Dependency("data", "data"), Dependency("services/train", "services/train")),
    outs=(Output("model", "model"),),
    params=(ParamsRead("params.yaml", "params.yaml", ("lr",)),),
)
ENTRY: dict[str, Any] = {
    "cmd": "train data",
    "deps": [item("data", "d1"), item("services/train", "s1")],
    "params": {"params.yaml": {"lr": 0.1}},
    "outs": [item("model", "m1")],
}


@dataclass
class Made:
    """Facts, given as data."""

    entries: dict[str, dict[str, Any]] = field(default_factory=lambda: {"train": ENTRY})
    disk: dict[str, str] = field(default_factory=lambda: {"data": "d1", "services/train": "s1", "model": "m1"})
    values: dict[str, Any] | None = field(default_factory=lambda: {"lr": 0.1})
    objects: set[str] = field(default_factory=lambda: {"m1"})
    runs: dict[str, dict[str, Any]] = field(default_factory=dict)
    checks_outputs: bool = True

    def locked(self, stage: Stage) -> dict[str, Any] | None:
        return self.entries.get(stage.name)

    def dep(self, stage: Stage, dep: Dependency, locked: Any) -> dict[str, Any] | None:
        return item(dep.text, self.disk[dep.path]) if dep.path in self.disk else None

    def out(self, stage: Stage, out: Output, locked: Any) -> dict[str, Any] | None:
        return item(out.text, self.disk[out.path]) if out.path in self.disk else None

    def params(self, read: ParamsRead) -> dict[str, Any] | None:
        return self.values

    def has_object(self, content: Content) -> bool:
        return content.value in self.objects

    def run_cache(self, key: str) -> dict[str, Any] | None:
        return self.runs.get(key)


def test_nothing_changed() -> None:
    assert decide_stage(TRAIN, Made()) == Decision("unchanged")


def test_a_stage_that_never_ran() -> None:
    assert decide_stage(TRAIN, Made(entries={})) == Decision("run", (Reason("new"),))


def test_all_reasons_are_gathered() -> None:
    facts = Made(disk={"data": "d2", "services/train": "s2", "model": "m2"}, values={"lr": 0.2})
    assert decide_stage(replace(TRAIN, cmd="train  data"), facts) == Decision(
        "run",
        (
            Reason("cmd", old="train data", new="train  data"),
            Reason("dep", "data", "d1", "d2"),
            Reason("service", "services/train", "s1", "s2"),
            Reason("param", "params.yaml:lr", 0.1, 0.2),
            Reason("out", "model", "m1", "m2"),
        ),
    )


def test_a_missing_dep_and_a_missing_parameter() -> None:
    facts = Made(disk={"services/train": "s1", "model": "m1"}, values={})
    expected = (Reason("missing", "data", "d1"), Reason("missing", "params.yaml:lr", 0.1))
    assert decide_stage(TRAIN, facts) == Decision("run", expected)


def test_a_deleted_output_comes_from_the_cache() -> None:
    facts = Made(disk={"data": "d1", "services/train": "s1"})
    decision = decide_stage(TRAIN, facts)
    assert (decision.kind, decision.reasons, decision.entry) == ("restore", (Reason("missing", "model", "m1"),), ENTRY)


def test_a_deleted_output_that_the_cache_lacks_is_made_again() -> None:
    facts = Made(disk={"data": "d1", "services/train": "s1"}, objects=set())
    assert decide_stage(TRAIN, facts).kind == "run"


def test_an_object_that_is_gone_from_the_cache() -> None:
    assert decide_stage(TRAIN, Made(objects=set())) == Decision("run", (Reason("missing", "model", "m1", "m1"),))


def test_known_inputs_are_restored_only_when_all_objects_exist() -> None:
    old = {**ENTRY, "deps": [item("data", "d0"), item("services/train", "s1")], "outs": [item("model", "m0")]}
    disk = {"data": "d0", "services/train": "s1", "model": "m1"}
    facts = Made(disk=disk, runs={run_cache_key(TRAIN, old): old}, objects={"m0", "m1"})
    assert decide_stage(TRAIN, facts) == Decision("restore", (Reason("dep", "data", "d1", "d0"),))
    facts.objects = {"m1"}
    assert decide_stage(TRAIN, facts).kind == "run"


def test_an_entry_of_another_value_of_a_parameter_called_size_is_not_restored() -> None:
    """DVC leaves every `size` out of its key, parameters too, and restores the result of another value."""
    stage = replace(TRAIN, params=(ParamsRead("params.yaml", "params.yaml", ("size",)),))
    then, now = ({**ENTRY, "params": {"params.yaml": {"size": size}}} for size in (1, 2))
    assert run_cache_key(stage, then) == run_cache_key(stage, now)
    facts = Made(entries={}, runs={run_cache_key(stage, then): then}, values={"size": 2})
    assert decide_stage(stage, facts).kind == "run"
    facts.values = {"size": 1}
    assert decide_stage(stage, facts).kind == "restore"


def test_always_changed_and_callback_stages_run_always_and_are_never_restored() -> None:
    facts = Made(runs={run_cache_key(TRAIN, ENTRY): ENTRY})
    assert decide_stage(replace(TRAIN, always_changed=True), facts) == Decision("run", (Reason("always"),))
    callback = replace(TRAIN, deps=(), outs=(), params=())
    assert decide_stage(callback, Made(entries={"train": {"cmd": "train data"}})) == Decision(
        "run", (Reason("always"),)
    )


def test_a_frozen_stage_is_unchanged_whatever_changed() -> None:
    assert decide_stage(replace(TRAIN, frozen=True), Made(disk={})) == Decision("unchanged", (Reason("frozen"),))


def test_forced() -> None:
    assert decide_stage(TRAIN, Made(), forced=True) == Decision("run", (Reason("forced"),))


def test_without_data_outputs_do_not_count() -> None:
    facts = Made(disk={"data": "d1", "services/train": "s1"}, objects=set(), checks_outputs=False)
    assert decide_stage(TRAIN, facts) == Decision("unchanged")


def test_a_persistent_output_is_never_restored() -> None:
    stage = replace(TRAIN, outs=(Output("model", "model", persist=True),))
    assert decide_stage(stage, Made(disk={"data": "d1", "services/train": "s1"})).kind == "run"


def test_stages_behind_one_that_runs_run_too_with_their_own_reasons() -> None:
    first = replace(TRAIN, name="first", key="first", deps=(), params=(), outs=(Output("data", "data"),))
    graph = build_graph([TRAIN, first])
    facts = Made(values={"lr": 0.3})
    decisions = decide(graph, facts)
    assert decisions == {
        "first": Decision("run", (Reason("new"),)),
        "train": Decision("run", (Reason("param", "params.yaml:lr", 0.1, 0.3), Reason("upstream", "first"))),
    }
    assert list(decisions) == ["first", "train"]


def test_what_the_remote_lost_runs_again() -> None:
    decisions = decide(build_graph([TRAIN]), Made(checks_outputs=False), lost={"train": ("model",)})
    assert decisions == {"train": Decision("run", (Reason("lost", "model"),))}
