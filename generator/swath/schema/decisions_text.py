"""The decisions of all stages as one short word: `4930u12r3s`.

A count and a letter for each run of equal decisions, in the graph's order: `u` unchanged, `r` run, `s` restore. With it
in a variable, a CI job works out the same jobs from the commit alone. Written by `swath compile`, read by `swath job`.
"""

from __future__ import annotations

import re
from itertools import groupby
from typing import TYPE_CHECKING, Final

from swath.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from swath.model.plan import DecisionKind

_LETTERS: Final[dict[DecisionKind, str]] = {"unchanged": "u", "run": "r", "restore": "s"}
_KINDS: Final = {letter: kind for kind, letter in _LETTERS.items()}
_TEXT: Final = re.compile(r"(?:[1-9][0-9]{0,9}[urs])*")
_PART: Final = re.compile(r"([0-9]+)([urs])")


def encode(kinds: Iterable[DecisionKind]) -> str:
    """The text of decisions.

    Args:
        kinds: in the graph's order.
    """
    return "".join(f"{len(list(equal))}{_LETTERS[kind]}" for kind, equal in groupby(kinds))


def decode(text: str, names: Sequence[str]) -> dict[str, DecisionKind]:
    """The decisions of a text, by stage.

    Args:
        names: all stages, in the graph's order.

    Raises:
        UserError: the text is not of this form, or says another number of stages.
    """
    hint = "the pipeline is another commit's, or another version of Swath made it: start a new pipeline"
    if not _TEXT.fullmatch(text):
        raise UserError(f"SWATH_DECISIONS is not a list of decisions: {text[:60]!r}", hint=hint)
    parts = [(int(count), _KINDS[letter]) for count, letter in _PART.findall(text)]
    total = sum(count for count, _ in parts)
    if total != len(names):
        message = f"SWATH_DECISIONS says {total} stages, the workflows have {len(names)}"
        raise UserError(message, hint=hint)
    kinds = (kind for count, kind in parts for _ in range(count))
    return dict(zip(names, kinds, strict=True))
