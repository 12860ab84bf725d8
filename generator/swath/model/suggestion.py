"""Guess what a user meant who wrote a word that is not known."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def did_you_mean(word: str, known: Iterable[str], *, prefix: str = "") -> str:
    """``did you mean 'name'?``, or an empty text when nothing comes near.

    Args:
        word: what the user wrote.
        known: what could have been meant.
        prefix: stands before the guess, such as ``--``.
    """
    from difflib import get_close_matches  # only where something is wrong

    near = get_close_matches(word, sorted(known), n=1, cutoff=0.6)
    return f"did you mean '{prefix}{near[0]}'?" if near else ""


def one_of(known: Iterable[str], *, prefix: str = "") -> str:
    """``one of a, b, c``, in the order given, for a hint that lists what there is."""
    return "one of " + ", ".join(prefix + name for name in known)
