"""Expressions and variables as GitLab reads them."""

from __future__ import annotations

import pytest

from support.gitlab_variables import expand, holds

VARIABLES = {"A": "x", "EMPTY": "", "MESSAGE": "a\n\nSwath-Pipeline: 7\n"}


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ('$A == "x"', True),
        ("$A != 'x'", False),
        ("$A && $EMPTY", False),
        ("$A && ($EMPTY || $A)", True),
        ("$NONE == null", True),
        ("$EMPTY == null", False),
        ("$MESSAGE =~ /^Swath-pipeline: /i", False),
        ("$MESSAGE =~ /swath-pipeline: [0-9]+/i", True),
        ("$NONE =~ /x/", False),
        ("$A !~ /y/ && $A =~ /x/", True),
    ],
)
def test_an_expression_holds_as_in_gitlab(expression: str, expected: object) -> None:
    assert holds(expression, VARIABLES) == expected


@pytest.mark.parametrize(("text", "expected"), [("$A/${A}b", "x/xb"), ("$$A $NONE.", "$A ."), ("$Ab", "")])
def test_variables_are_put_into_texts(text: str, expected: str) -> None:
    assert expand(text, VARIABLES) == expected
