"""A rich console that takes text as it is: no markup, no emoji names, and hidden characters made visible.

rich reads ``[bold]`` in plain text as markup, fails on ``[/x]``, and passes escape sequences on. Names and messages of
repositories hold such things.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from swath.cli.visible_streams import document_stream
from swath.model.visible_text import visible

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.segment import Segment


def visible_console(*, stderr: bool = False, width: int | None = None, soft_wrap: bool = False) -> Console:
    """A console on stdout, or on stderr. Loads rich, which takes 0.1 s.

    Args:
        width: of a line in characters; None: the terminal's.
        soft_wrap: leave lines that are too long to the terminal.
    """
    from rich import console, segment

    class VisibleConsole(console.Console):
        def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
            """As rich, with the text of each piece made visible; the console's own control codes stay."""
            for each in super().render(renderable, options):
                yield each if each.control else segment.Segment(visible(each.text), each.style)

    stream = document_stream(sys.stderr if stderr else sys.stdout)
    return VisibleConsole(file=stream, width=width, soft_wrap=soft_wrap, markup=False, emoji=False, highlight=False)
