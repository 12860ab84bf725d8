"""Text as scalars of YAML's block style: written as ruamel.yaml writes it, and read back, with lines folded at 80.

Nearly every command of `swath exec` passes column 80, and ruamel.yaml needs about 1 ms for an entry that has one. Here
are its three styles for one value (plain, single-quoted, double-quoted); None means that only a YAML library can tell.
A plain line that ruamel.yaml would fold behind several blanks is not folded: no reader gets these blanks back.
Versions of ruamel.yaml fold differently, so the installed one, which DVC uses too, is compared once.

Source: ruamel.yaml 0.19.1 `emitter.py`, read 2026-11-28.
"""

from __future__ import annotations

import re
from functools import cache
from io import StringIO
from typing import Final

from swath.schema import yaml12

# ruamel.yaml breaks a longer line at a blank.
_WIDTH: Final = 80
# What no style has to escape, and no line break: U+0085, U+2028, U+2029 and U+FEFF are not in it.
_BEYOND_ASCII: Final = "\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff"
_PRINTABLE: Final = re.compile(f"[ -~{_BEYOND_ASCII}]+")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_OTHER_BREAK_OR_SURROGATE: Final = re.compile("[\x85\u2028\u2029\ud800-\udfff]")
# A plain scalar: a first character without a meaning of its own, no ": ", no " #", no blank at the end.
_PLAIN: Final = re.compile(
    r"(?![ #,\[\]{}&*!|>'\"%@`]|[-:?](?: |\Z)|---|\.\.\.)"
    rf"(?:[!-\"$-9;-~{_BEYOND_ASCII}]|(?<! )#|:(?! |\Z)| (?!\Z))+"
)
# Text that would be read as something else; resolvers look only at scalars that begin with one of these.
_NEEDS_QUOTES: Final = re.compile(
    "(?=[-+.0-9tTfFnN~<=])(?:"
    + "|".join(r.pattern for r in (yaml12.BOOL, yaml12.FLOAT, yaml12.INT, yaml12.NULL, yaml12.TIMESTAMP))
    + "|<<|=)"
)
_RUNS: Final = re.compile(" +|[^ ]+")
_UNESCAPED: Final = re.compile(rf"[ !#-\[\]-~{_BEYOND_ASCII}]")
_ESCAPES: Final = {
    "\0": "0", "\a": "a", "\b": "b", "\t": "t", "\n": "n", "\v": "v", "\f": "f", "\r": "r", "\x1b": "e",
    '"': '"', "\\": "\\",
}  # fmt: skip
_UNESCAPES: Final = {
    **{code: char for char, code in _ESCAPES.items()},
    "N": "\x85",
    "_": "\xa0",
    " ": " ",
    "/": "/",
    "\n": "",
}
_ESCAPE: Final = re.compile(
    r"\\(?:([0abtnvfre\"\\ /N_\n])|x([0-9A-F]{2})|u([0-9A-F]{4})|U(00(?:0[0-9A-F]|10)[0-9A-F]{4}))"
)
_DOUBLE_QUOTED: Final = re.compile(f"(?:{_UNESCAPED.pattern}|{_ESCAPE.pattern})*")
_LONGEST_KEY: Final = 120  # a longer one becomes an explicit key (`? key`)
# One text for each rule of folding that has differed between versions.
_PROBES: Final = (
    f"{'a' * 78} b c", f"{'a' * 70} {'b' * 20} c", f"{'a' * 90} b", f"- {'a' * 75} bb cc", f"'{'a' * 76} bb cc dd",
    f"'{'a' * 72}\n{'b' * 9} c", f"'{'a' * 76}\nb\n c d", f"'{'a' * 78} b \n c",
)  # fmt: skip


def write_text(text: str, column: int, indent: int) -> str | None:
    """The scalar for `text`, as ruamel.yaml writes it; None when only ruamel.yaml can say.

    Args:
        text: a value, not a key.
        column: where its first character will be, counted from 0.
        indent: where the lines that continue it begin.
    """
    if not text or _OTHER_BREAK_OR_SURROGATE.search(text):
        return None
    written = _written(text, column, indent)
    return written if "\n" not in written or folds_as_installed() else None


def write_key(text: str, column: int) -> str | None:
    """The scalar for the key `text` at `column`; None when only ruamel.yaml can say."""
    is_folded = " " in text and column + len(text) > _WIDTH
    if len(text) > _LONGEST_KEY or is_folded or "'" in text or not _PRINTABLE.fullmatch(text):
        return None
    return text if _is_plain(text) else f"'{text}'"


def read_text(scalar: str) -> str | None:
    """The text of a plain or quoted scalar; None when it is something else, or takes a YAML library to say.

    Args:
        scalar: from its first character on; lines that continue it with their indentation.
    """
    if "\n" in scalar:
        joined = _joined(scalar)
        if joined is None:
            return None
        scalar = joined
    quote, inner = scalar[:1], scalar[1:-1]
    if quote in {"'", '"'}:
        if len(scalar) < 2 or not scalar.endswith(quote):
            return None
        return _unescaped(inner) if quote == '"' else _without_doubled_quotes(inner)
    return scalar if _is_plain(scalar) else None


@cache
def folds_as_installed() -> bool:
    """Whether the ruamel.yaml that is installed folds as this module does."""
    from ruamel.yaml import YAML  # 60 ms, and only folded text needs it

    stream = StringIO()
    writer = YAML()
    writer.default_flow_style = False
    writer.dump({"a": list(_PROBES)}, stream)
    return stream.getvalue() == "a:\n" + "".join(f"- {_written(probe, 2, 2)}\n" for probe in _PROBES)


def _is_plain(text: str) -> bool:
    return bool(_PLAIN.fullmatch(text)) and not _NEEDS_QUOTES.fullmatch(text)


def _written(text: str, column: int, indent: int) -> str:
    if not _PRINTABLE.fullmatch(text):
        return _double_quoted(text, column, indent)
    if _is_plain(text):
        return text if column + len(text) <= _WIDTH else _folded_plain(text, column, indent)
    if "'" in text:
        return _double_quoted(text, column, indent)
    return f"'{text}'" if column + len(text) < _WIDTH else _single_quoted(text, column, indent)


def _folded_plain(text: str, column: int, indent: int) -> str:
    parts: list[str] = []
    line_break = "\n" + " " * indent
    for run in _RUNS.findall(text):
        if run == " " and column >= _WIDTH:
            parts.append(line_break)
            column = indent
            continue
        if run[0] != " " and column + len(run) > _WIDTH and column > indent:  # the blank before it stays on its line
            if parts and parts[-1].startswith("  "):
                return text  # several would be lost: DVC reads its own text as another command, and runs it for ever
            parts.append(line_break)
            column = indent
        parts.append(run)
        column += len(run)
    return "".join(parts)


def _single_quoted(text: str, column: int, indent: int) -> str:
    parts: list[str] = []
    column += 1
    done = 0
    for run in _RUNS.findall(text):
        done += len(run)
        if run == " " and column > _WIDTH and 1 < done < len(text):
            parts.append("\n" + " " * indent)
            column = indent
        else:
            parts.append(run)
            column += len(run)
    return f"'{''.join(parts)}'"


def _double_quoted(text: str, column: int, indent: int) -> str:
    parts = ['"']
    column += 1
    start = 0  # of what is not written yet; behind `end` after an escape
    for end, char in enumerate(text):
        if not _UNESCAPED.fullmatch(char):
            parts += [text[start:end], escape := _escape(char)]
            column += max(0, end - start) + len(escape)
            start = end + 1
        may_break = 0 < end < len(text) - 1 and (char == " " or start >= end)
        if may_break and column + end - start > _WIDTH:
            is_bare = _breaks_at_blank(text, start, end)
            parts += [text[start:end], "" if is_bare else "\\", "\n" + " " * indent]
            start, column = max(start, end), indent
            if text[start] == " ":
                start += is_bare
                parts.append("" if is_bare else "\\")
                column += not is_bare
    return "".join([*parts, text[start:], '"'])


def _escape(char: str) -> str:
    code = ord(char)
    if char in _ESCAPES:
        return "\\" + _ESCAPES[char]
    return f"\\x{code:02X}" if code <= 0xFF else f"\\u{code:04X}"


def _breaks_at_blank(text: str, start: int, end: int) -> bool:
    """Whether a line of a double-quoted scalar ends without a backslash: the break is read as one blank."""
    blank = text.find(" ", end)
    following = text[blank + 1 : blank + 2]
    if blank < 0 or not following or following in " \n" or start == end or text[end - 1 : end + 1] == "  ":
        return False
    return not {'"', "'", "\n"} & set(text[end:blank])


def _joined(scalar: str) -> str | None:
    """The scalar with only its escaped line breaks; None where an empty line or an escaped blank takes more to tell."""
    lines = scalar.split("\n")
    if not lines[0].strip(" "):
        del lines[0]
    joined = ""
    for line in lines:
        stripped = line.strip(" ")
        if not stripped or (line.endswith(" ") and _continues(stripped)):
            return None
        if joined.startswith('"') and _continues(joined):
            joined = f"{joined}\n{stripped}"
        else:
            joined = f"{joined} {stripped}" if joined else stripped
    return joined


def _continues(line: str) -> bool:
    """Whether a line of a double-quoted scalar ends in a backslash that escapes the line break."""
    return bool((len(line) - len(line.rstrip("\\"))) % 2)


def _unescaped(inner: str) -> str | None:
    """The text of a double-quoted scalar, from what is between its quotes."""
    if not _DOUBLE_QUOTED.fullmatch(inner):
        return None
    text = _ESCAPE.sub(_character, inner)
    return None if _SURROGATE.search(text) else text


def _character(escape: re.Match[str]) -> str:
    return _UNESCAPES[escape[1]] if escape[1] else chr(int(escape[2] or escape[3] or escape[4], 16))


def _without_doubled_quotes(inner: str) -> str | None:
    """The text of a single-quoted scalar, from what is between its quotes."""
    is_whole = "'" not in inner.replace("''", "") and (not inner or _PRINTABLE.fullmatch(inner))
    return inner.replace("''", "'") if is_whole else None
