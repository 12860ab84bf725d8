# ruff: noqa: SIM905, PLR0911 - many odd words
"""`schema/yaml12.py` reads what DVC reads, and refuses what DVC refuses."""

from __future__ import annotations

import math
import re
import warnings
from datetime import date, datetime

import pytest
import yaml
from dvc.utils.serialize import parse_yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError, YAMLWarning
from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode

from swath.errors import Place, UserError
from swath.schema import yaml12

ODD_SCALARS = """
yes no on off y n Y N true True TRUE tRUE false False FALSE null Null NULL nULL ~
0 00 007 010 08 0o17 0o8 0O17 0x1F 0X1F 0xg 0b101 0b2 -0b1 +0b1 -0x1 +0o7 1_000 _1 1_ 1__0 -1_0 0_7 0x_1 0o_1 0b_1
1. .5 -.5 +.5 1.5 -1.5 1.5e3 1e3 1E3 1e+3 1e-3 1.e3 .5e3 .5e+3 1_0.5 1.5_0 1_0e3 1e3_0 1e 1e+ e3 . .. ... -. +. - + -- +-
.inf .Inf .INF -.inf +.inf .iNF .nan .NaN .NAN -.nan inf nan Infinity
2020-01-01 2020-1-1 2020-01-01T10:00:00 2020-01-01t10:00:00Z 2020-01-01T10:00:00+01:00 2020-01-01T10:00:00.5 2020-13-01
2020-01-01T1:00:00 2020-01-01T10:00 20-01-01 2020-01-1 12:30 12:30:45 190:20:30 1:1 -1:30 1.2.3 1-2 1/2
= << !!str & * | > % @ ` { } [ ] , # a#b a: b:c - -a ? ?a :a : a,b $x ${x} 'q' "q" \\x é ü ☃ 日本 a\u00a0b
""".split()
SCALARS = st.sampled_from(ODD_SCALARS) | st.from_regex(
    r"[-+]?[0-9_]{0,4}(?:[.:eExob_-]{0,2}[-+]?[0-9a-f_]{0,3}){0,3}", fullmatch=True
)
TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=12)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS | SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS | SCALARS, inner, max_size=3),
    max_leaves=8,
)


def _theirs(text: str) -> object:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", YAMLWarning)
            return _comparable(parse_yaml(text, "f"))
    except Exception:  # noqa: BLE001 - DVC lets some of ruamel.yaml's own through
        return "refused"


def _has_list_as_key(text: str) -> bool:
    """Whether a key is a list: refused, knowingly."""
    try:
        nodes = [YAML(typ="safe").compose(text)]
    except YAMLError:
        return False
    while nodes:
        node = nodes.pop()
        if isinstance(node, MappingNode):
            if any(not isinstance(key, ScalarNode) for key, _ in node.value):
                return True
            nodes.extend(item for pair in node.value for item in pair)
        elif isinstance(node, SequenceNode):
            nodes.extend(node.value)
    return False


def _assert_equal(text: str) -> None:
    ours = _ours(text)
    assert ours == _theirs(text) or (ours == "refused" and _has_list_as_key(text))


def _ours(text: str) -> object:
    try:
        return _comparable(yaml12.parse(text, "f"))
    except UserError:
        return "refused"


def _comparable(value: object) -> object:
    """Types count (true is not 1), NaN equals itself, and so does a key that is a date."""
    if isinstance(value, dict):
        return ("map", [(_comparable(key), _comparable(item)) for key, item in value.items()])
    if isinstance(value, list | tuple):
        return ("list", [_comparable(item) for item in value])
    if isinstance(value, float):
        return ("float", "nan" if math.isnan(value) else float(value))
    if isinstance(value, datetime):
        return ("datetime", value.isoformat())
    if isinstance(value, date):
        return ("date", value.isoformat())
    if isinstance(value, bool) or value is None:
        return ("constant", str(value))
    if isinstance(value, int):
        return ("int", int(value))
    return ("text", str(value)) if isinstance(value, str) else (type(value).__name__, str(value))


@pytest.mark.parametrize("scalar", ODD_SCALARS)
@pytest.mark.parametrize("form", ["k: {}\n", "- {}\n", "[{}]\n", "{{{}: 1}}\n", "{}: v\n", "{}"])
def test_odd_scalars(form: str, scalar: str) -> None:
    text = form.format(scalar)

    _assert_equal(text)


@settings(max_examples=250, deadline=None)
@given(SCALARS, st.sampled_from(["k: {}\n", "- {}\n", "[{}, x]\n", "{}: v\n", "k: '{}'\n", "k: |\n  {}\n"]))
def test_scalars(scalar: str, form: str) -> None:
    text = form.format(scalar)

    _assert_equal(text)


@settings(max_examples=120, deadline=None)
@given(JSON, st.booleans(), st.sampled_from([20, 80, 1000]))
def test_documents(value: object, is_flow: bool, width: int) -> None:  # noqa: FBT001 - hypothesis gives it
    text = yaml.safe_dump(value, default_flow_style=is_flow, allow_unicode=True, width=width)

    _assert_equal(text)


PIECES = [
    *"abc:-{}[],'\"#&*|>%@?~ \n\t", "  ", "\n  ", ": ", "- ", "<<", "<<: *a", "&a ", "*a", "1", "0x1: ", "true: ", "True: ", "é",
    "!!omap ", "!!set ", "--- ", "...\n", "%YAML 1.1\n", "\r\n", "\ufeff",
]  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=14))
def test_pieces_are_taken_and_refused_as_by_dvc(pieces: list[str]) -> None:
    text = "".join(pieces)
    if re.search(r"&a[^&]*\*a", text) and _ours(text) == "refused":  # an alias inside its own value
        return
    _assert_equal(text)


@pytest.mark.parametrize(
    "text",
    [
        "a: &x {b: 1}\nc: {<<: *x, d: 2}\n",
        "a: &x {b: 1}\nc:\n  <<: [*x, {e: 3}]\n  b: 5\n",
        "a: &x [1]\nb: *x\n",
        "a: *nope\n",
        "a: 1\na: 2\n",
        "{a: 1, 'a': 2}\n",
        "1: a\n'1': b\n",
        "? [a, b]\n: c\n",
        "? {a: b}\n: c\n",
        "--- a\n--- b\n",
        "%YAML 1.2\n---\na: yes\n",
        "%YAML 1.3\n---\na: yes\n",
        "1: a\n0x1: b\n",
        "{1: a, 1.0: b}\n",
        "{true: a, True: b}\n",
        "{<<: {a: 1}, a: 2}\n",
        "{<<: {a: 1}, a: 2, a: 3}\n",
        "{<<: {a: 1}, <<: {a: 2}}\n",
        "{<<: [{a: 1}, {a: 2}], b: 1}\n",
        "{.nan: 1, .nan: 2}\n",
        "[&a 1, &a 2, *a]\n",
        "[a:]\n",
        "a: b\tc\n",
        "a:\tb\n",
        "\ta: b\n",
        "a: |\n  b\tc\n",
        "a: 'b\tc' # \t\n",
        "# \t\na: b\n",
        "%YAML 1.1\n---\na: yes\nb: 010\n",
        "# c\n%YAML 1.1\n---\na: yes\n",
        "a: !!omap [b: 1, c: 2]\n",
        "a: !!omap [b: 1, b: 2]\n",
        "a: !!pairs [b: 1, b: 2]\n",
        "{b: 1, 2020-01-01: x, ~: y}\n",
        "a: !!str 1\nb: !!int '3'\nc: !!float 1\nd: !!bool 'true'\n",
        "a: !!set {x, y}\n",
        "a: !!binary aGk=\n",
        "a: !custom b\n",
        "a: !!python/name:os.system\n",
        "\ufeffa: 1\n",
        "a: 1\r\nb: 2\r\n",
        "a: 'x\n  y\n\n  z'\n",
        "a: |2-\n    x\n  y\n",
        "a: >+\n  x\n\n",
        'a: "\\x41\\u00e9\\U0001F600\\n\\/"\n',
        "a: [1, 2,]\n",
        "a: {b}\n",
        "a: {b, c: d}\n",
        "- - - a\n",
        "a: b: c\n",
        "a\nb\n",
        "",
        "\n",
        "# only\n",
        "...\n",
        "null\n",
    ],
)
def test_forms(text: str) -> None:
    _assert_equal(text)


def test_places() -> None:
    document = yaml12.Document("a:\n  b:\n    - x\n    - c: 1\n      'd e': 2\n1: z\n", "f.yaml")

    assert document.place("a", "b", 1, "d e") == Place("f.yaml", 5, "a.b[1].d e")
    assert document.place("a", "b", 7) == Place("f.yaml", 2, "a.b[7]")
    assert document.place("nope", "x") == Place("f.yaml", 1, "nope.x")
    assert document.place("1") == Place("f.yaml", 6, "1")


@pytest.mark.parametrize(
    "text",
    ["[" * 5000 + "]" * 5000, "{a: " * 1500 + "}" * 1500, "\n" + "- " * 151 + "a", "&x [1, *x]", "&x {a: {b: *x}}"],
    ids=["lists", "mappings", "block", "alias in a list", "alias in a mapping"],
)
def test_what_is_nested_too_deeply_is_refused(text: str) -> None:
    with pytest.raises(UserError) as caught:
        yaml12.parse(f"v: {text}\n", "f.yaml")

    assert str(caught.value) == (
        "f.yaml: lists and mappings are nested more than 150 deep, or an alias is inside its own value\n"
        "  DVC cannot read it either: nest them less deeply, without the alias"
    )


@pytest.mark.parametrize("text", ["[" * 149 + "]" * 149, "{a: " * 149 + "}" * 149, "\n" + "- " * 149 + "a"])
def test_what_is_nested_less_deeply_is_taken(text: str) -> None:
    assert yaml12.parse(f"v: {text}\n", "f.yaml")


def test_half_a_character_is_refused() -> None:
    with pytest.raises(UserError, match="found invalid Unicode character escape code"):
        yaml12.parse('a: "\\ud800"\n', "f.yaml")


def test_places_in_what_ruamel_read() -> None:
    document = yaml12.Document("a:\n  b: &x 1\n  c: &x [1,\n    2]\n", "f.yaml")

    assert document.value == {"a": {"b": 1, "c": [1, 2]}}
    assert document.place("a", "c", 1) == Place("f.yaml", 4, "a.c[1]")


def test_a_place_of_a_key_that_is_no_text() -> None:
    document = yaml12.Document("a: 1\n2020-01-01: 2\ntrue: {~: 3}\n", "f.yaml")

    assert str(document.place(*document.value)) == "f.yaml:1: a.2020-01-01.True"  # type: ignore[misc]  # the keys
    assert str(document.place(date(2020, 1, 1))) == "f.yaml:2: 2020-01-01"  # type: ignore[arg-type]
