from __future__ import annotations

import pytest

from swath.schema.dockerfile import Instruction, bases, copied, instructions, last_start


def test_lines_that_go_on_and_comments() -> None:
    text = "# one\nfrom a:1\n\nRUN x \\\n  # between\n  && y\n\nCOPY a \\\n\n b\n"
    assert instructions(text) == (
        Instruction(2, 2, "FROM", ("a:1",)),
        Instruction(4, 6, "RUN", ("x", "&&", "y")),
        Instruction(8, 10, "COPY", ("a", "b")),
    )


def test_an_open_quote_is_no_error() -> None:
    assert instructions("RUN echo it's") == (Instruction(1, 1, "RUN", ("echo", "it's")),)


@pytest.mark.parametrize(
    ("line", "paths"),
    [
        ("COPY a ./b/ c/d /x/", ["a", "b", "c/d"]),
        ("COPY --chown=1:1 --chmod=755 'a b' /x", ["a b"]),
        ("COPY --from=made a /x", []),
        ("COPY *.py $A ${B} [ab] /x", []),
        ('COPY ["a", "/x"]', []),
        ("COPY <<EOF /x", []),
        ("ADD https://x.example/a git@x.example:a b /x", ["b"]),
        ("COPY . .", ["."]),
        ("RUN cp a b", []),
    ],
)
def test_what_is_copied(line: str, paths: list[str]) -> None:
    assert [path for _, path in copied(instructions(line))] == paths


@pytest.mark.parametrize(
    ("text", "images"),
    [
        ("ARG BASE=python:3.11-slim\nFROM ${BASE}\n", ["python:3.11-slim"]),
        ("ARG A\nFROM $A\n", []),
        ("FROM --platform=linux/amd64 a AS b\nFROM b\nFROM scratch\n", ["a"]),
        ("FROM a:1 AS x\nFROM c:2\n", ["a:1", "c:2"]),
    ],
)
def test_what_it_starts_from(text: str, images: list[str]) -> None:
    assert [image for _, image in bases(instructions(text))] == images


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("FROM a\nFROM b AS c\nRUN x\n", 2),
        ("from \\\n  # why\n  a\nRUN x\n", 3),
        ("FROM a\nRUN psql -c 'select 1 \\\n  FROM b'\n", 1),
        ('FROM a\nRUN <<EOF cat && <<-"END" sh\nFROM b\nEOF\nFROM c\n  END\nRUN x\n', 1),
        ("FROM a\nENV SHIFT=1<<EOF\nFROM b\n", 3),
        ("RUN x\n", 0),
    ],
)
def test_where_the_last_start_ends(text: str, line: int) -> None:
    assert last_start(text) == line
