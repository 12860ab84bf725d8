"""`model/recordable.py`: parameters that DVC cannot record are an error with file and key."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from swath.errors import UserError
from swath.model.recordable import check_recordable
from swath.model.stage import Output, ParamsRead, Stage

READ = ParamsRead("params.yaml", "params.yaml", ("v",))
WITH_OUTPUT = Stage("s", "dvc.yaml", "s", "s", "x", ".", outs=(Output("o", "o"),), params=(READ,))
WITHOUT = Stage("s", "dvc.yaml", "s", "s", "x", ".", params=(READ,))
QUOTES = "\n  put it in quotes; allowed are text, numbers, true, false, null, lists and mappings"
KEYS = "\n  put quotes around all keys of this mapping, or around none"
REFUSED = {
    "date": (dt.date(2020, 1, 2), "v: a date: DVC cannot record it" + QUOTES),
    "time": (dt.datetime(2020, 1, 2), "v: a date with a time: DVC cannot record it" + QUOTES),  # noqa: DTZ001
    "nested": ({"a": [1, {"b": {2}}]}, "v.a[1].b: a set: DVC cannot record it" + QUOTES),
    "bytes": ([b"x"], "v[0]: binary data: DVC cannot record it" + QUOTES),
    "key": ({dt.date(2020, 1, 2): 1}, "v.2020-01-02: a key that is a date: DVC cannot record it" + QUOTES),
    "keys": ({1: "a", "b": 2}, "v: keys of several kinds: DVC cannot record it" + KEYS),
    "half": ("a\ud800", "v: half a character: DVC cannot record it\n  write the whole character"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_no_run_cache_can_have_is_refused(name: str) -> None:
    value, message = REFUSED[name]

    with pytest.raises(UserError) as caught:
        check_recordable(WITH_OUTPUT, READ, {"v": value})

    assert str(caught.value) == f"params.yaml: {message}"


@pytest.mark.parametrize("name", ["date", "time", "nested", "bytes", "key", "keys"])
def test_a_stage_without_outputs_is_recorded_with_it(name: str) -> None:
    check_recordable(WITHOUT, READ, {"v": REFUSED[name][0]})


@pytest.mark.parametrize(
    ("value", "what"),
    [(1j, "a complex number"), (dt.time(1), "a time"), ({(1,): 2}, "a key that is a list"), (..., "ellipsis")],
)
def test_what_no_lock_can_have_is_refused_for_all(value: Any, what: str) -> None:
    with pytest.raises(UserError, match=what):
        check_recordable(WITHOUT, READ, {"v": value})


def test_a_key_at_the_top_that_is_no_text_is_refused() -> None:
    with pytest.raises(UserError) as caught:
        check_recordable(WITHOUT, READ, {1: "a", 2: "c"})

    assert str(caught.value) == "params.yaml: the top-level key 1 is no text: DVC cannot record it\n  put it in quotes"


@pytest.mark.parametrize("value", [None, True, 1, 1.5, "a", [], {}, {1: {None: [{True: "é"}]}}, (1, (2,)), 10**30])
def test_all_else_is_taken(value: Any) -> None:
    check_recordable(WITH_OUTPUT, READ, {"v": value})
