# ruff: noqa: SIM905 - many odd words
"""`schema/folded_text.py` writes a scalar as ruamel.yaml does, and reads what ruamel.yaml reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from dvc.utils.serialize import dumps_yaml, loads_yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st
from ruamel.yaml.emitter import RoundTripEmitter

from swath.schema import folded_text, lock_text

if TYPE_CHECKING:
    from collections.abc import Iterator

WORDS = (
    st.sampled_from(
        "a swath exec predict --model --scene data/scenes/T21LYG-2020-07-31 results/predictions/T21LYG.tif --tile 256 'a b' \"q\" "
        "$x ${y} # : - ? | > & * ! % @ ` { } [ ] , yes no null ~ true 1 1.5 0x1F 010 2020-01-01 .inf é ☃ 日本語 \u00a0 😀 \\ \\\\ "
        "a: b:c #d -- = << \t \x1b \x7f \ufeff a,b it's --- ... \n ;".split(" ")
    )
    | st.integers(1, 100).map("w".__mul__)
    | st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=3)
)
GAPS = st.sampled_from([" "] * 12 + ["  ", "   ", "\n", " \n", "\n ", " \\\n    "])
TEXTS = st.lists(st.tuples(WORDS, GAPS), min_size=1, max_size=40).map(
    lambda parts: "".join(part for pair in parts for part in pair)
)
TEXTS = TEXTS | TEXTS.map(str.strip).filter(bool)
LONG_COMMANDS = (
    st.lists(
        st.tuples(st.text("abcxyz-", min_size=1, max_size=12), st.text("aAzZ019_./=-", min_size=1, max_size=30)),
        min_size=5,
        max_size=16,
    )
    .map(lambda options: "swath exec predict " + " ".join(f"--a{name} {value}" for name, value in options))
    .filter(lambda command: len(command) > 80)
)


def _in_a_lock(text: str) -> str:
    """`text` where a command is: at column 9, continued at column 6."""
    return dumps_yaml({"stages": {"a": {"cmd": text}}}).removeprefix("stages:\n  a:\n    cmd: ").removesuffix("\n")


@settings(max_examples=200, deadline=None)
@given(TEXTS)
@example("a" * 100)
@example("x " + "a" * 100 + " y")
@example("a" * 71 + " " + "b" * 90)
@example("- " + "a" * 69 + "  b c")
@example("python a.py \\\n  --first 1 \\\n  --second 2\npython b.py\n" * 3)
def test_writes_what_ruamel_yaml_writes(text: str) -> None:
    theirs = _in_a_lock(text)
    is_kept = loads_yaml(f"a: {theirs}")["a"] == text  # blanks are lost where it folds behind several

    assert folded_text.write_text(text, 9, 6) == (theirs if is_kept else text)


@settings(max_examples=200, deadline=None)
@given(TEXTS)
def test_reads_what_ruamel_yaml_reads(text: str) -> None:
    written = _in_a_lock(text)
    theirs = loads_yaml(f"a: {written}")["a"]

    assert folded_text.read_text(written) in ([theirs] if text.isprintable() else [theirs, None])


@settings(max_examples=200, deadline=None)
@given(TEXTS, st.integers(0, 400), st.sampled_from([*"\n \\ ' \" # \t : a".split(" "), " ", "\n      ", "\\\n      "]))
def test_a_scalar_changed_by_hand_is_read_as_ruamel_yaml_reads_it_or_left_to_it(
    text: str, position: int, inserted: str
) -> None:
    written = _in_a_lock(text)
    position %= len(written)
    changed = written[:position] + inserted + written[position:]
    ours = folded_text.read_text(changed)
    if ours is None or any(not line.startswith("   ") for line in changed.split("\n")[1:]):
        return

    assert loads_yaml(f"a: {changed}") == {"a": ours}


@settings(deadline=None)
@given(LONG_COMMANDS)
def test_commands_of_services_need_no_yaml_library(command: str) -> None:
    written = folded_text.write_text(command, 9, 6)

    assert written == _in_a_lock(command)
    assert "\n" in written
    assert folded_text.read_text(written) == command


@settings(max_examples=200, deadline=None)
@given(TEXTS)
def test_a_key_is_written_as_ruamel_yaml_writes_it_or_left_to_it(key: str) -> None:
    ours = folded_text.write_key(key, 2)

    assert ours is None or f"a:\n  {ours}:\n    b: 1\n" == dumps_yaml({"a": {key: {"b": 1}}})


@pytest.mark.parametrize("text", ["", "a\x85b", "a\u2028b", "\ud800"])
def test_left_to_a_yaml_library(text: str) -> None:
    assert folded_text.write_text(text, 9, 6) is None


@pytest.mark.parametrize(
    "scalar",
    ["", "'", '"', "'a' # c", "'a'b'", '"a"b"', '"\\q"', '"\\ud800"', "a: b", "a #b", "a:", "- a", "? a", "[a]", "|", "&a b",
     "1", "null", "true", "2020-01-01", "a\n\n      b", '"a\\ \n      b"', "'a\tb'", "a\n      b: c", "--- a", "..."],
)  # fmt: skip
def test_not_read_here(scalar: str) -> None:
    assert folded_text.read_text(scalar) is None


@pytest.fixture
def other_ruamel_yaml(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An installed ruamel.yaml whose plain scalars are never folded."""
    folds = RoundTripEmitter.write_plain

    def write_plain(self: RoundTripEmitter, text: str, split: bool = True) -> None:  # noqa: FBT001, FBT002 - theirs
        self.best_width = 10_000
        folds(self, text, split)

    monkeypatch.setattr(RoundTripEmitter, "write_plain", write_plain)
    folded_text.folds_as_installed.cache_clear()
    yield
    folded_text.folds_as_installed.cache_clear()


@pytest.mark.usefixtures("other_ruamel_yaml")
def test_another_way_of_folding_is_left_to_the_installed_library() -> None:
    entries: dict[str, lock_text.LockEntry] = {"a": {"cmd": "swath exec " + "--word value " * 12 + "x"}}

    written = lock_text.write_lock(entries)

    assert written == dumps_yaml({"schema": "2.0", "stages": entries})
    assert [line for line in written.splitlines() if "cmd" in line] == [f"    cmd: {entries['a']['cmd']}"]
