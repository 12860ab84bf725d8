"""Each `swath …` command line on a page of the docs is one that the command line takes."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from swath.cli.main import COMMANDS, cli

ROOT = Path(__file__).parents[2]
FENCE = re.compile(r"^ *```(\w*)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"(?<!`)`(swath [^`]+)`(?!`)")
SHELLS = {"bash", "sh", "console", "shell"}
ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=.*", re.DOTALL)
END = re.compile(r"[;&|()<>]+")


def pages() -> list[Path]:
    """The pages that Git tracks."""
    listed = subprocess.run(["git", "ls-files", "-z", "*.md"], cwd=ROOT, capture_output=True, text=True, check=True)
    names = [name for name in listed.stdout.split("\0") if name and not name.startswith("changelog.d/")]
    return [ROOT / name for name in names if (ROOT / name).is_file()]


def shell_lines(text: str) -> Iterator[str]:
    """Lines of shell on a page: of a block with a `$` those behind it, else all."""
    for kind, block in FENCE.findall(text):
        if kind in SHELLS:
            joined = re.sub(r"\\\n\s*", " ", block)
            without_documents = re.sub(r"<<'?(\w+)'?.*?^\1$", "", joined, flags=re.MULTILINE | re.DOTALL)
            lines = without_documents.splitlines()
            marked = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
            yield from marked or lines


def calls(line: str) -> Iterator[list[str]]:
    """The words of each call of swath in a line of shell."""
    if "swath" not in line:
        return
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    words: list[str] = []
    for word in [*lexer, ";"]:
        if not END.fullmatch(word):
            words.append(word)
            continue
        while words and ASSIGNMENT.fullmatch(words[0]):
            del words[0]
        if words and words[0] == "swath":
            yield words[1:]
        words = []


def fault(words: list[str]) -> str:
    """What the command line has against a call; empty: nothing. Nothing is run."""
    command: click.Command = cli
    context = click.Context(cli, info_name="swath")
    while isinstance(command, click.Group):
        rest = [word for word in words if not word.startswith("-")]
        found = command.get_command(context, rest[0]) if rest else None
        if found is None:
            return "" if words and words[0].startswith("-") else f"no command {rest[:1]}"
        words = words[words.index(rest[0]) + 1 :]
        command = found
    try:
        command.make_context(command.name, list(words))
    except click.exceptions.Exit:
        return ""
    except click.UsageError as error:
        return error.format_message()
    return ""


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_command_lines_in_blocks_parse(page: Path) -> None:
    faults = {
        " ".join(["swath", *words]): said
        for line in shell_lines(page.read_text())
        for words in calls(line)
        if (said := fault(words))
    }
    assert faults == {}


def test_there_are_some() -> None:
    found = [words for page in pages() for line in shell_lines(page.read_text()) for words in calls(line)]
    assert len(found) > 30
    assert {words[0] for words in found} <= set(COMMANDS) | {"--version", "--help"}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("swath compil", "no command ['compil']"),
        ("A=1 swath compile --levle 2 | cat", "No such option"),
        ("swath job collect x >y", "Got unexpected extra argument (x)"),
        ("cd x && swath init --force", ""),
    ],
)
def test_what_is_wrong_is_found(line: str, said: str) -> None:
    (words,) = calls(line)
    assert fault(words).startswith(said)
    assert bool(fault(words)) == bool(said)


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_and_options_in_the_text_exist(page: Path) -> None:
    text = FENCE.sub("", page.read_text())
    wrong = []
    for span in INLINE.findall(text):
        names = [word for word in re.findall(r"[^\s,|\[\](){}…=]+", span)[1:] if not word.isupper()]
        command: click.Command = cli
        context = click.Context(cli, info_name="swath")
        while names and isinstance(command, click.Group) and (found := command.get_command(context, names[0])):
            command = found
            del names[0]
        known = {option for each in command.params for option in (*each.opts, *each.secondary_opts)} | {"--help"}
        options = {word for word in names if re.fullmatch(r"--?[a-z][a-z-]*", word)}
        first = re.match(r"swath ([a-z]+)", span)
        if (first and first[1] not in COMMANDS) or (command.name != "exec" and options - known):
            wrong.append(span)
    assert wrong == []
