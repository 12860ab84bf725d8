"""Read a stage's command the way ``sh -c`` would, without running it. Pure functions over text.

Two questions are answered here. *Is this command one plain* ``swath exec``? Then the runner starts it itself, without a
shell (`exec_words`). *Does every templated value stay one shell word?* DVC pastes values into the command as they are,
so that a parameter ``1; rm -r x`` would run (`templating_problems`).

Both err on the safe side: a command that only might mean something else to some shell (DVC starts ``$SHELL``) is not
plain, and a value is refused when it holds a character that has a meaning where it stands. Called by
`load/workflows.py`, `lint/` and `local/`.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable

Context = Literal["bare", "single", "double"]

# Characters that no shell of the POSIX family (dash, bash, zsh, ksh) takes for anything but themselves. Beyond ASCII,
# letters and signs are plain, blanks and controls are not.
_BARE: Final = r"A-Za-z0-9_@%+=:,./\-"
_BEYOND_ASCII: Final = r"\u00a1-\u1fff\u200b-\u2027\u202f-\u205e\u2060-\u2fff\u3001-\U0010ffff"
# DVC splits a command at what str.splitlines takes for the end of a line, wherever it stands.
_LINE_ENDS: Final = r"\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"
_ALLOWED: Final[dict[Context, str]] = {
    "bare": f"[{_BARE}{_BEYOND_ASCII}]",
    "single": f"[^'\\x00{_LINE_ENDS}]",
    "double": f'[^"$`\\\\\\x00{_LINE_ENDS}]',
}
_PLACEHOLDER: Final = re.compile(r"(?<!\\)\$\{(?P<inner>.*?)\}")  # as dvc.parsing.interpolate has it
_NESTING: Final = re.compile(r"\$[('\"]|`|<<|\\\$\{")
_MENTIONS_EXEC: Final = re.compile(r"(?:^|[\s;&|(])swath\s+exec(?=\s|$)")
_SERVICE: Final = re.compile(r"[a-z][a-z0-9_-]*")
_TOKEN: Final = re.compile(
    rf"""
    (?P<blank>[ \t]+)
    | '(?P<single>[^'\x00{_LINE_ENDS}]*)'
    | "(?P<double>(?:[^"$`\\\x00{_LINE_ENDS}]|\\["$`\\])*)"
    | \\(?P<escaped>[^\x00{_LINE_ENDS}])
    | (?P<bare>[{_BARE}\#{_BEYOND_ASCII}])
    """,
    re.VERBOSE,
)
_DOUBLE_ESCAPE: Final = re.compile(r'\\(["$`\\])')


def plain_words(command: str) -> tuple[str, ...] | None:
    """The words of a command that uses nothing of the shell but quotes; None: it uses more.

    More are operators, redirections, expansions, globs, assignments before the command, comments and line ends; also an
    unclosed quote.
    """
    words: list[str] = []
    position, current, fresh = 0, "", True
    while position < len(command):
        token = _TOKEN.match(command, position)
        if not token:
            return None
        kind, text = token.lastgroup, token[token.lastgroup or 0]
        if kind == "blank":
            if not fresh:
                words.append(current)
            current, fresh = "", True
        else:
            if fresh and kind == "bare" and text in "#=":  # a comment; in zsh the path of a program
                return None
            current += _DOUBLE_ESCAPE.sub(r"\1", text) if kind == "double" else text
            fresh = False
        position = token.end()
    if not fresh:
        words.append(current)
    return tuple(words)


def exec_words(command: str) -> tuple[str, ...] | None:
    """The words behind ``swath exec`` when the command is one plain call of it, else None.

    Args:
        command: one line of a stage's `cmd`, resolved.

    Returns:
        The service's name and its arguments, as the shell would hand them over.
    """
    if not command.lstrip(" \t").startswith(("swath ", "swath\t")):  # spares the other commands the reading
        return None
    words = plain_words(command)
    if words is None or words[:2] != ("swath", "exec"):
        return None
    return words[2:]


def mentions_exec(command: str) -> bool:
    """Whether a command calls ``swath exec`` somewhere, be it inside a longer shell command."""
    return _MENTIONS_EXEC.search(command) is not None


def named_services(command: str) -> tuple[str, ...]:
    """The services that a command calls with ``swath exec``, be it inside a longer shell command, each once.

    Quoted text names none. A name that a shell would have to work out first is left out.
    """
    plain = exec_words(command)
    if plain is not None:
        return plain[:1]
    if not mentions_exec(command):
        return ()
    lexer = shlex.shlex(command, posix=True, punctuation_chars=True)
    lexer.commenters, lexer.whitespace_split = "", True
    try:
        words = list(lexer)
    except ValueError:  # an open quote, such as in a here-document
        return ()
    names = [_service_behind(words[n + 2 :]) for n in range(len(words)) if words[n : n + 2] == ["swath", "exec"]]
    return tuple(dict.fromkeys(name for name in names if _SERVICE.fullmatch(name)))


def _service_behind(words: list[str]) -> str:
    """The first word that is neither `--runtime` nor its value."""
    if words[:1] == ["--runtime"]:
        words = words[2:]
    elif words and words[0].startswith("--runtime="):
        words = words[1:]
    return words[0] if words else ""


def first_service(commands: Iterable[str]) -> str | None:
    """The service whose image, resources and timeout are those of a stage: the first that its commands call."""
    return next((name for command in commands for name in named_services(command)), None)


@dataclass(frozen=True, slots=True)
class TemplatingProblem:
    """A templated value that would not stay one shell word.

    Attributes:
        expression: as the template has it: ``${tile.size}``.
        value: what came in its place, as far as it can be told.
        message: what is wrong with it, and where.
        hint: what to do.
    """

    expression: str
    value: str
    message: str
    hint: str


@dataclass(frozen=True, slots=True)
class _Part:
    """A piece of a template: text that stands there, or (with `context`) a place for a value."""

    text: str
    context: Context | None = None
    is_whole_word: bool = False


def templating_problems(template: str, resolved: str) -> tuple[TemplatingProblem, ...]:
    """Which templated values of a command do not stay one shell word: the one word rule.

    A value may hold what has no meaning where it stands: nearly everything in single quotes; everything but the double
    quote, ``$``, backtick and backslash in double quotes; letters, digits and ``_ @ % + = : , . / -`` without quotes.
    Then the shell sees the words of the template, each with its values in place, and nothing else. An empty value must
    not make a word vanish, and no value may hold a line end, since DVC cuts the command there. A value without quotes
    may begin with a dash: `swath exec` takes the word behind an option as its value, whatever it looks like.

    Args:
        template: one command as dvc.yaml says it, with ``${...}``.
        resolved: the same command as DVC resolved it.

    Returns:
        The problems, in the order of the template; empty: the rule holds.
    """
    parts = _split(template)
    if all(part.context is None for part in parts):
        return ()
    if _safe_form(template).fullmatch(resolved):
        return ()
    return _explain(parts, resolved)


@lru_cache(maxsize=4096)
def _safe_form(template: str) -> re.Pattern[str]:
    """What a resolved command looks like when every value is harmless where it stands.

    The delimiters that are active in the template are no harmless characters, so they can only match themselves: there
    is no second reading of a command that hides one. Adjacent values count as one, and an inner text of harmless
    characters is taken at its first occurrence (`(?>...)`), so that matching stays linear.
    """
    form, parts = "", _merged(_split(template))
    for position, part in enumerate(parts):
        if part.context is None:
            form += re.escape(part.text)
            continue
        allowed = _ALLOWED[part.context]
        behind = parts[position + 1 : position + 3]
        repeat = "+" if part.is_whole_word else "*"
        if len(behind) == 2 and behind[1].context == part.context and re.fullmatch(f"{allowed}+", behind[0].text):
            form += f"(?>{allowed}{repeat}?(?={re.escape(behind[0].text)}))"
        else:
            form += f"{allowed}{repeat}"
    return re.compile(form)


@lru_cache(maxsize=4096)
def _split(template: str) -> tuple[_Part, ...]:
    """The parts of a template, each placeholder with the quotes that it stands in."""
    places = list(_PLACEHOLDER.finditer(template))
    contexts = _contexts(template, places)
    parts: list[_Part] = []
    end = 0
    for place, context in zip(places, contexts, strict=True):
        if place.start() > end:
            parts.append(_Part(template[end : place.start()].replace("\\${", "${")))
        parts.append(_Part(place[0], context))
        end = place.end()
    if end < len(template):
        parts.append(_Part(template[end:].replace("\\${", "${")))
    return tuple(_with_whole_words(parts))


def _contexts(template: str, places: list[re.Match[str]]) -> list[Context]:
    """The quotes around each placeholder.

    Only plain quoting is told apart. Where more is at work, a value must be harmless as a bare word, and so anywhere:
    behind a ``$(``, a backtick, a here-document, ``$'`` or an escaped ``${``, where quotes nest or mean something else;
    and in all of a command in which a line ends inside of quotes, since DVC hands the lines of a text to a shell each,
    and a shell takes the apostrophe of a comment for none.
    """
    if any(_context_behind(line, 0, len(line), "bare") != "bare" for line in template.splitlines()):
        return ["bare"] * len(places)
    contexts: list[Context] = []
    context: Context = "bare"
    nested, position = False, 0
    for place in places:
        nested = nested or _NESTING.search(template, position, place.start()) is not None
        context = _context_behind(template, position, place.start(), context)
        contexts.append("bare" if nested else context)
        position = place.end()
    return contexts


def _context_behind(text: str, start: int, end: int, context: Context) -> Context:
    position = start
    while position < end:
        char = text[position]
        if char == "\\" and context != "single":
            position += 1
        elif char == "'" and context != "double":
            context = "bare" if context == "single" else "single"
        elif char == '"' and context != "single":
            context = "bare" if context == "double" else "double"
        position += 1
    return context


def _with_whole_words(parts: list[_Part]) -> list[_Part]:
    """Mark the bare values that are a word by themselves: nothing else keeps that word there when they are empty."""
    marked: list[_Part] = []
    for position, part in enumerate(parts):
        before = marked[-1] if marked else None
        behind = parts[position + 1 :]
        starts = before is None or (before.context is None and before.text[-1] in " \t\n;&|(<>")
        run = next((later for later in behind if later.context != "bare"), None)
        ends = run is None or (run.context is None and run.text[0] in " \t\n;&|)<>")
        whole = part.context == "bare" and starts and ends
        marked.append(_Part(part.text, part.context, whole))
    return marked


def _merged(parts: tuple[_Part, ...]) -> list[_Part]:
    """The parts with adjacent values of one context as one: what counts is what they are together."""
    merged: list[_Part] = []
    for part in parts:
        if merged and part.context is not None and merged[-1].context == part.context:
            merged[-1] = _Part(merged[-1].text + part.text, part.context, merged[-1].is_whole_word)
        else:
            merged.append(part)
    return merged


def _explain(parts: tuple[_Part, ...], resolved: str) -> tuple[TemplatingProblem, ...]:
    """The problems of a command that is known to have some; at least one."""
    forms = [f"(?P<v{n}>.*?)" if part.context else re.escape(part.text) for n, part in enumerate(parts)]
    match = re.fullmatch("".join(forms), resolved, re.DOTALL)
    problems: list[TemplatingProblem] = []
    for position, part in enumerate(parts if match else ()):
        if part.context is not None and match:
            run = "".join(match[f"v{later}"] for later in _run_from(parts, position))
            problem = _explain_value(part, match[f"v{position}"], is_lost=part.is_whole_word and not run)
            problems += [problem] if problem else []
    if problems:
        return tuple(problems)
    names = [part.text for part in parts if part.context is not None]
    message = f"a value of {', '.join(names)} does not stay one shell word: the command became {resolved!r}"
    return (TemplatingProblem(names[0], "", message, "quote each value: '${name}'"),)


def _run_from(parts: tuple[_Part, ...], position: int) -> list[int]:
    """The positions of the placeholders that stand together from `position` on."""
    end = position
    while end < len(parts) and parts[end].context is not None:
        end += 1
    return list(range(position, end))


def _explain_value(part: _Part, value: str, *, is_lost: bool) -> TemplatingProblem | None:
    context = part.context or "bare"
    if is_lost:
        message = f"the value of {part.text} is empty: its word would vanish from the command"
        return TemplatingProblem(part.text, value, message, f"quote it: '{part.text}'")
    wrong = "".join(dict.fromkeys(re.sub(_ALLOWED[context], "", value)))
    if not wrong:
        return None
    if re.search(f"[\\x00{_LINE_ENDS}]", wrong):
        message = f"the value {value!r} of {part.text} holds a line end, at which DVC cuts the command"
        return TemplatingProblem(part.text, value, message, "take the line end out of the value")
    where = {"bare": "without quotes", "single": "in single quotes", "double": "in double quotes"}[context]
    message = f"the value {value!r} of {part.text} does not stay one shell word {where}: it holds {wrong!r}"
    hint = f"quote it: '{part.text}'" if context != "single" and "'" not in value else "change the value"
    return TemplatingProblem(part.text, value, message, hint)
