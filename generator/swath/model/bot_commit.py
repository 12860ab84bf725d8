"""The messages of commits that Swath itself makes: how they are written and told from people's. No I/O.

By the rules of the CI file that `swath init` writes, the push of a recorded commit starts no pipeline; where a file has
no such rules it does (a push with a project's token, not with a job's). Then the circle ends because nothing is out of
date there, `always_changed` counts as done, and no second such commit follows in a row: the trailer tells.
"""

from __future__ import annotations

import re
from typing import Final

from swath.model.units import counted

TRAILER: Final = "Swath-Pipeline"
PIPELINE_FORM: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_TRAILER_LINE: Final = re.compile(rf"{TRAILER}: ({PIPELINE_FORM.pattern})\s*")
# Somebody or a clock asked for these; only what a push starts can go round in circles.
_ASKED_FOR: Final = frozenset({"schedule", "web", "api", "trigger", "chat", "pipeline", "webide"})


def is_bot_commit(message: str) -> bool:
    """Whether Swath made the commit that has this message."""
    return recorded_pipeline(message) is not None


def recorded_pipeline(message: str) -> str | None:
    """The id of the pipeline that a commit records; None: it is a person's commit.

    Only the last paragraph counts, as for Git's own trailers: a person who quotes one does not make a bot's commit.
    """
    paragraphs = message.strip().split("\n\n")
    if len(paragraphs) < 2:
        return None
    found = [match[1] for line in paragraphs[-1].splitlines() if (match := _TRAILER_LINE.fullmatch(line))]
    return found[-1] if found else None


def is_second_in_a_row(message: str, source: str) -> bool:
    """Whether a commit on top of this one would be a second of ours, made only because of the first.

    Args:
        message: of the commit that the pipeline ran.
        source: `CI_PIPELINE_SOURCE` of the parent pipeline; empty: unknown.
    """
    return source not in _ASKED_FOR and is_bot_commit(message)


def record_message(pipeline: str, stages: int, link: str = "") -> str:
    """The message of a recorded commit.

    Args:
        pipeline: its id, in the form of `PIPELINE_FORM`.
        stages: how many were recorded.
        link: address of the pipeline; may be empty.
    """
    body = counted(stages, "stage") + (f", by {link}" if link else "")
    return f"Record pipeline {pipeline}\n\n{body}\n\n{TRAILER}: {pipeline}\n"
