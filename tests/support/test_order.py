"""`support/order.py`: every test once, the long ones where the first workers begin."""

from __future__ import annotations

import pytest

from support.order import interleaved


@pytest.mark.parametrize(
    ("long", "short", "workers", "ordered"),
    [
        ("", "abcdef", 2, "abcdef"),
        ("ABC", "", 4, "ACB"),
        ("AB", "abcdef", 1, "ABabcdef"),
        ("AB", "abcdefghij", 3, "ABabcdefghij"),
        ("ABC", "abcdefghi", 4, "ACaBbcdefghi"),
        ("ABCDEFGH", "a", 4, "ACEGBDFHa"),
    ],
)
def test_the_long_ones_begin_stretches(long: str, short: str, workers: int, ordered: str) -> None:
    assert "".join(interleaved(list(long), list(short), workers)) == ordered
