"""`model/lock_entry.py`: keys and names of the run cache are DVC's, which stages it holds too."""

from __future__ import annotations

from typing import Any

import pytest
from dvc.stage.cache import _get_cache_hash

from swath.model.lock_entry import (
    can_hash,
    entry_hash,
    fills_run_cache,
    identity,
    items_by_path,
    run_cache_key,
)
from swath.model.stage import Dependency, Output, ParamsRead, Stage

DEP = (Dependency("in", "in"),)
OUT = (Output("out", "out"),)
ENTRY: dict[str, Any] = {
    "cmd": "cp in out  # ü",
    "deps": [{"path": "in", "hash": "md5", "md5": "a" * 32, "size": 3}, {"path": "d", "md5": "b.dir", "nfiles": 2}],
    "params": {"params.yaml": {"lr": 0.1, "list": [1, "a"], "size": 7}},
    "outs": [{"path": "new", "md5": "d" * 32}, {"path": "out", "hash": "md5", "md5": "c" * 32, "size": 3}],
}


def stage(deps: tuple[Dependency, ...] = DEP, outs: tuple[Output, ...] = OUT, **more: Any) -> Stage:
    return Stage("a", "dvc.yaml", "a", "a", "true", ".", deps, outs, **more)


def test_a_key_is_dvcs() -> None:
    outs = (Output("out", "out"), Output("new", "new"))
    assert run_cache_key(stage(outs=outs), ENTRY) == _get_cache_hash(ENTRY, key=True)


def test_the_name_of_an_entry_is_dvcs() -> None:
    assert entry_hash(ENTRY) == _get_cache_hash(ENTRY, key=False)


def test_sizes_and_counts_do_not_count() -> None:
    other = {**ENTRY, "deps": [{**item, "size": 99, "nfiles": 9} for item in ENTRY["deps"]]}
    assert entry_hash(other) == entry_hash(ENTRY)
    assert entry_hash({**ENTRY, "cmd": "x"}) != entry_hash(ENTRY)


@pytest.mark.parametrize(
    ("made", "can"),
    [
        (stage(), True),
        (stage(deps=(), params=(ParamsRead("params.yaml", "params.yaml", ("lr",)),)), True),
        (stage(deps=()), False),
        (stage(outs=()), False),
        (stage(always_changed=True), False),
        (stage(deps=(Dependency("s3://b/in", "s3://b/in"),)), False),
        (stage(outs=(Output("s3://b/out", "s3://b/out"),)), False),
        (stage(outs=(Output("/abs", "/abs"),)), False),
        (stage(outs=(Output("out", "out", persist=True),)), False),
        (stage(outs=(Output("out", "out", cache=False),)), True),
    ],
)
def test_which_stages_the_run_cache_knows(made: Stage, *, can: bool) -> None:
    assert can_hash(made) is can


@pytest.mark.parametrize(
    ("kind", "cache", "fills"),
    [("outs", True, True), ("outs", False, False), ("metrics", False, True), ("plots", False, True)],
)
def test_an_output_outside_the_cache_is_saved_only_as_a_metric_or_plot(kind: Any, *, cache: bool, fills: bool) -> None:
    assert fills_run_cache(stage(outs=(Output("out", "out", cache=cache, kind=kind),))) is fills


def test_items_by_path() -> None:
    assert list(items_by_path(ENTRY, "deps")) == ["in", "d"]
    assert items_by_path(ENTRY, "params") == {}
    assert items_by_path({}, "outs") == {}


def test_an_identity_says_which_data_it_is_not_where_or_how_big() -> None:
    assert identity(ENTRY["deps"][0]) == {"hash": "md5", "md5": "a" * 32}
    assert identity({"path": "x", "md5": "a", "isexec": True}) == identity({"path": "y", "md5": "a", "nfiles": 3})
    assert identity(None) is None
