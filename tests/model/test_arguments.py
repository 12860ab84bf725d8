from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swath.model.arguments import default_value, parse_arguments, repository_path, value_problem, volume_of
from swath.model.service import Parameter, Service

SERVICE = Service(
    name="split",
    kind="processing",
    description="d",
    entrypoint=["python", "split.py"],
    parameters=[
        Parameter(name="input", type="file", direction="input", required=True, description="GeoTIFF to cut"),
        Parameter(name="size", type="integer", default=256, minimum=16, maximum=4096),
        Parameter(name="mode", type="string", choices=["fast", "exact"]),
        Parameter(name="band", type="list[string]", pattern="B[0-9]+"),
        Parameter(name="deep", type="boolean", default=True),
        Parameter(name="rate", type="number"),
        Parameter(name="out", type="directory", direction="output", required=True),
    ],
)


def messages(*words: str) -> list[str]:
    return [str(problem) for problem in parse_arguments(SERVICE, words).problems]


def test_values_keep_the_order_of_the_command_and_defaults_follow() -> None:
    arguments = parse_arguments(SERVICE, ["--out", "o", "--band", "B1", "--input=a", "--band", "B2"])
    assert arguments.problems == ()
    assert arguments.values == (("out", "o"), ("band", ("B1", "B2")), ("input", "a"), ("size", "256"), ("deep", "true"))


def test_paths_are_told_by_direction() -> None:
    arguments = parse_arguments(SERVICE, ["--out", "o", "--input", "a"])
    assert [path for _, path in arguments.paths("input")] == ["a"]
    assert [path for _, path in arguments.paths("output")] == ["o"]


@pytest.mark.parametrize("value", ["-x", "--", "--size", "-1", "", "=", "a=b", "--out", "a b\n'\"$"])
@pytest.mark.parametrize("joined", [True, False])
def test_the_word_behind_an_option_is_its_value_whatever_it_looks_like(value: str, *, joined: bool) -> None:
    service = Service(
        name="s", kind="processing", description="", entrypoint=["x"], parameters=[Parameter(name="a", type="string")]
    )
    words = [f"--a={value}"] if joined else ["--a", value]
    arguments = parse_arguments(service, words)
    assert (arguments.values, arguments.problems) == ((("a", value),), ())


def test_all_that_is_wrong_is_said_at_once() -> None:
    assert messages(
        "--inptu", "a", "--size", "x", "--mode", "exat", "--band", "9", "stray", "--deep", "yes", "--rate"
    ) == [
        "--inptu: service 'split' has no such parameter; did you mean '--input'?",
        "unexpected word 'stray'; arguments are written --name value; quote a value with spaces",
        "--rate: its value is missing: expected a number",
        "--size: expected a whole number, got 'x'",
        "--mode: expected one of fast, exact, got 'exat'",
        "--band: expected text that matches 'B[0-9]+', got '9'",
        "--deep: expected true or false, got 'yes'",
        "--input: is required (GeoTIFF to cut): expected the path of a file",
        "--out: is required: expected the path of a folder",
    ]


def test_a_value_that_was_forgotten_is_guessed() -> None:
    assert (
        messages("--input", "--out", "o")[0] == "unexpected word 'o'; is the value of --input missing? it took '--out'"
    )


def test_what_is_unlike_all_names_is_sent_to_the_list() -> None:
    expected = "--zzz: service 'split' has no such parameter; `swath service show split` lists its parameters"
    assert messages("--zzz", "1", "--input", "a", "--out", "o") == [expected]


def test_only_lists_are_repeated() -> None:
    assert messages("--input", "a", "--out", "o", "--size", "32", "--size", "64") == [
        "--size: given 2 times, but it is no list"
    ]


@pytest.mark.parametrize(
    ("size", "message"),
    [
        ("16", None),
        ("4096", None),
        ("+20", None),
        ("15", "expected at least 16, got 15"),
        ("4097", "expected at most 4096, got 4097"),
    ],
)
def test_bounds_belong_to_the_range(size: str, message: str | None) -> None:
    assert value_problem(SERVICE.parameters[1], size) == message


@pytest.mark.parametrize(
    ("kind", "good"),
    [("integer", "-007"), ("number", "1e-3"), ("number", ".5"), ("number", "5."), ("boolean", "false")],
)
def test_right_types(kind: str, good: str) -> None:
    assert value_problem(Parameter(name="a", type=kind), good) is None  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kind", "bad"),
    [("integer", "1.0"), ("integer", "1_0"), ("integer", " 1"), ("integer", ""), ("integer", "\u0661"), ("number", "nan"), ("number", "inf"),
     ("number", "1e999"), ("number", "0x1"), ("boolean", "True"), ("boolean", "1"), ("file", ""), ("string", "a\0b")],
)  # fmt: skip
def test_wrong_types(kind: str, bad: str) -> None:
    assert value_problem(Parameter(name="a", type=kind), bad) is not None  # type: ignore[arg-type]


def test_a_number_equals_its_choice_by_value() -> None:
    parameter = Parameter(name="a", type="number", choices=[1, 2.5])
    assert value_problem(parameter, "1.0") is None
    assert value_problem(parameter, "2") == "expected one of 1, 2.5, got '2'"


@given(st.one_of(st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.booleans(), st.text()))
def test_a_default_is_a_value_that_the_check_takes(default: float | str) -> None:
    kind = {bool: "boolean", int: "integer", float: "number", str: "string"}[type(default)]
    parameter = Parameter(name="a", type=kind, default=default)  # type: ignore[arg-type]
    text = default_value(parameter)
    assert isinstance(text, str)
    assert value_problem(parameter, text) is None or "\0" in text


@pytest.mark.parametrize(("default", "value"), [(None, None), ([], None), ([1, 2], ("1", "2"))])
def test_defaults_of_lists(default: list[int] | None, value: tuple[str, ...] | None) -> None:
    assert default_value(Parameter(name="a", type="list[integer]", default=default)) == value  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "wdir", "path"),
    [
        ("a/b", ".", "a/b"),
        ("a", "w", "w/a"),
        ("../a", "w", "a"),
        ("./a//b/", ".", "a/b"),
        ("-a", ".", "-a"),
        ("w/../a b", ".", "a b"),
    ],
)
def test_paths_start_at_the_working_directory(text: str, wdir: str, path: str) -> None:
    assert repository_path(text, wdir) == path


@pytest.mark.parametrize(
    ("text", "message"),
    [("", "the path is empty"), ("/a", "'/a' is not a path in the repository"), ("../../a", "'../../a' leads out of the repository"),
     ("s3://b/k", "'s3://b/k' is not a path in the repository"), ("a\0", "the path holds a NUL")],
)  # fmt: skip
def test_paths_stay_in_the_repository(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        repository_path(text, "w")


@pytest.mark.parametrize(
    ("text", "volume"),
    [
        ("volume:archive", ("archive", "")),
        ("volume:my-a_1/x/y", ("my-a_1", "x/y")),
        ("volume:", None),
        ("volume:a b", None),
        ("archive", None),
    ],
)
def test_volumes(text: str, volume: tuple[str, str] | None) -> None:
    assert volume_of(text) == volume
