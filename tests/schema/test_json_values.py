"""`schema/json_values.py`: what a lock may hold goes through JSON and comes back."""

from __future__ import annotations

import datetime as dt
import json
import math

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swath.schema.json_values import from_json, to_json

WORDS = st.text(max_size=5) | st.sampled_from(["$map", "$int", "$float", "$date", "$set", "$other", "1"])
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False)
    | WORDS
    | st.dates()
    | st.datetimes()
    | st.binary(max_size=4)
)
VALUES = st.recursive(
    SCALARS | st.sets(SCALARS, max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(SCALARS, inner, max_size=3),
    max_leaves=8,
)


def exact(value: object) -> object:
    """`value` for a comparison in which true is not 1, and the order of mappings counts."""
    if isinstance(value, dict):
        return [(exact(key), exact(item)) for key, item in value.items()]
    if isinstance(value, list):
        return [exact(item) for item in value]
    return (type(value), value)


@settings(max_examples=300, deadline=None)
@given(VALUES)
def test_values_come_back(value: object) -> None:
    text = json.dumps(to_json(value), allow_nan=False)

    assert exact(from_json(json.loads(text))) == exact(value)
    assert exact(from_json(msgspec.json.decode(text))) == exact(value)


def test_nan_comes_back() -> None:
    assert math.isnan(from_json(json.loads(json.dumps(to_json([math.nan]), allow_nan=False)))[0])


def test_plain_values_stay_as_they_are() -> None:
    entry = {"cmd": ["a"], "deps": [{"path": "x", "size": 3}], "params": {"p": {"a": [1.5, None, True]}}}

    assert to_json(entry) == entry


def test_the_forms() -> None:
    assert to_json({0: "cat", "x": math.inf}) == {"$map": [[0, "cat"], ["x", {"$float": "inf"}]]}
    assert to_json([2**64, dt.date(2020, 1, 2), (1,)]) == [{"$int": str(2**64)}, {"$date": "2020-01-02"}, [1]]


@pytest.mark.parametrize("value", [{"$map": 3}, {"$map": [1]}, {"$int": "x"}, {"$date": 5}, {"$set": [[1]]}])
def test_damaged_forms_are_refused(value: object) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - whatever Python says of it
        from_json(value)
