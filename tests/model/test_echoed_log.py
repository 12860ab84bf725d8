"""`model/echoed_log.py`: what of a service's output reaches a terminal or a job's log."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swath.model.echoed_log import EchoedLog, echoed_lines
from swath.model.visible_text import visible


class Clock:
    """Stands still unless it is told."""

    now = 100.0

    def __call__(self) -> float:
        """Seconds."""
        return self.now


def shown(*pieces: bytes, clock: Clock | None = None) -> str:
    """What is shown of pieces that come one after the other."""
    log = EchoedLog(clock or Clock())
    return "".join([*map(log.feed, pieces), log.end()])


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", ""),
        (b"one\ntwo\n", "one\ntwo\n"),
        (b"no end", "no end"),
        (b"dos\r\nlines\r\r\n", "dos\nlines\n"),
        (b"\x1b[32mgreen\x1b[0m\n", "green\n"),
        (b"\x1b[2J\x1b]0;title\x07", "\\u001b[2J\\u001b]0;title\\u0007"),
        (b"\x1b[0Ksection_start:1:x\r\x1b[0Kmine\n", "\\u001b[0Ksection_start:1:x\n\\u001b[0Kmine\n"),
        ("ünï\u202e\n".encode(), "ünï\\u202e\n"),
        (b"not \xff UTF-8\xc3\n", "not \\xff UTF-8\\xc3\n"),
        (b"half \xc3", "half \\xc3"),
        (b"half\x1b[3", "half\\u001b[3"),
        (b"10%\r50%\r100%\ndone\n", "10%\n100%\ndone\n"),
        (b"10%\r50%\r100%\r", "10%\n"),
        (b"\rbar 1\rbar 2\rbar 3\n", "bar 1\nbar 3\n"),
    ],
)
def test_what_comes_at_once(data: bytes, text: str) -> None:
    assert shown(data) == text


@given(st.binary(max_size=60), st.integers(0, 60))
def test_nothing_in_it_commands_a_terminal(data: bytes, cut: int) -> None:
    text = shown(data[:cut], data[cut:])
    assert visible(text) == text
    assert "\r" not in text


@given(st.text(st.sampled_from("ab\u00fc\n\x1b[1m;\t"), max_size=40), st.integers(0, 60))
def test_where_it_is_cut_makes_no_difference(text: str, cut: int) -> None:
    data = text.encode()
    assert shown(data[:cut], data[cut:]) == shown(data)


def test_a_line_that_grows_is_shown_as_it_grows() -> None:
    log = EchoedLog(Clock())
    assert [log.feed(b"waiting ."), log.feed(b"."), log.feed(b". ok\n")] == ["waiting .", ".", ". ok\n"]


def test_a_bar_shows_now_and_then_that_it_moves_and_where_it_ended() -> None:
    clock = Clock()
    log = EchoedLog(clock)
    said = []
    for percent in range(100):
        clock.now += 0.5
        said.append(log.feed(f"\r{percent}%".encode()))
    said.append(log.feed(b"\r100%\nnext\n"))
    lines = "".join(said).splitlines()
    assert lines[-2:] == ["100%", "next"]
    assert 9 <= len(lines) <= 13


def test_a_carriage_return_at_the_end_of_a_piece_may_be_half_of_a_line_end() -> None:
    assert shown(b"a\r", b"\nb\r", b"\n") == "a\nb\n"


def test_a_bar_that_began_as_a_line_begins_a_new_one() -> None:
    assert shown(b"10%", b"\r20%", b"\r100%\n") == "10%\n100%\n"


def test_a_line_that_never_ends_takes_little_memory() -> None:
    log = EchoedLog(Clock())
    log.feed(b"x\ry")
    for _ in range(100):
        assert log.feed(b"z" * 10_000) == ""
    assert len(log.end()) == 65_536


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b"", []),
        (b"a\nb", ["a", "b"]),
        (b"a\r\n\x1b[1mb\x1b[0m\n", ["a", "b"]),
        (b"1%\r2%\r3%\nend\r\n", ["3%", "end"]),
        (b"3%\r\nx\x1b[2K\xff", ["3%", "x\\u001b[2K\\xff"]),
        (b"a\x0bb\x85\x1c\n", ["a\\u000bb\\x85\\u001c"]),
    ],
)
def test_the_lines_of_a_piece(data: bytes, lines: list[str]) -> None:
    assert echoed_lines(data) == lines


@pytest.mark.parametrize(
    "piece", [b"\r" * 65_535 + b"x", b"\r" * 65_536, b"\x1b[" + b"1" * 65_534, b"1" * 65_536, b"\x1b[1" * 20_000]
)
def test_no_output_takes_more_time_than_its_length(piece: bytes) -> None:
    """A service that writes one sign over and over does not keep the job busy when it has ended."""
    log = EchoedLog(Clock())
    log.feed(b"\x1b[")
    before = time.process_time()
    for _ in range(16):
        log.feed(piece)
    assert time.process_time() - before < 3  # 16 pieces of 64 KiB: 0.1 s; it was minutes
    assert len(log._rest) <= 66


def test_of_many_carriage_returns_one_counts() -> None:
    assert shown(b"1%\r\r", b"\r\r", b"2%\r\r\r", b"\nend") == "1%\n2%\nend"


def test_a_colour_that_is_too_long_is_none_wherever_it_is_cut() -> None:
    data = b"\x1b[" + b"1" * 65 + b"m."
    assert {shown(data[:cut], data[cut:]) for cut in range(len(data))} == {"\\u001b[" + "1" * 65 + "m."}
    assert shown(b"\x1b[" + b"1" * 64, b"m.") == "."
