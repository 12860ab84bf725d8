from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swath.model.service import Resources
from swath.model.units import Duration, Size, counted, decode_quantity, quantity_schema


@pytest.mark.parametrize(("text", "number"), [("1B", 1), ("4GiB", 4 * 2**30), ("1.5KiB", 1536), ("64 MiB", 64 * 2**20)])
def test_sizes_are_binary(text: str, number: int) -> None:
    assert Size.parse(text) == number


@pytest.mark.parametrize("text", ["4GB", "4", "GiB", "-1MiB", "1 gib", ""])
def test_other_sizes_are_refused(text: str) -> None:
    message = f"{text!r} is not a size: write a number and a binary unit, such as 512MiB or 4GiB"
    with pytest.raises(ValueError, match=re.escape(message)):
        Size.parse(text)


@pytest.mark.parametrize(("text", "number"), [("45s", 45), ("2h30m", 9000), ("1d", 86400), ("1d1h1m1s", 90061)])
def test_durations(text: str, number: int) -> None:
    assert Duration.parse(text) == number


@pytest.mark.parametrize("text", ["", "0s", "5", "30m2h", "1.5h", "1 h"])
def test_other_durations_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration: write it as 45s, 30m or 2h30m"):
        Duration.parse(text)


@given(st.integers(1, 10**7))
def test_a_duration_survives_its_text(seconds: int) -> None:
    assert Duration.parse(str(Duration(seconds))) == seconds


@pytest.mark.parametrize("kind", [Size, Duration])
def test_a_number_without_unit_is_refused(kind: type) -> None:
    with pytest.raises(ValueError, match="5 has no unit: write it as"):
        decode_quantity(kind, 5)


def test_only_quantities_are_read_and_described() -> None:
    with pytest.raises(NotImplementedError):
        decode_quantity(Resources, "1")
    with pytest.raises(NotImplementedError):
        quantity_schema(Resources)


@pytest.mark.parametrize(("kind", "text"), [(Size, "4GiB"), (Duration, "2h30m")])
def test_the_schema_accepts_what_is_read(kind: type, text: str) -> None:
    assert re.search(quantity_schema(kind)["pattern"], text)


def test_one_thing_and_several() -> None:
    assert [counted(number, "stage") for number in (0, 1, 2)] == ["0 stages", "1 stage", "2 stages"]
