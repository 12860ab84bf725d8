"""Groups of stages that cannot be resolved before one of the workflow's own stages has run."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from swath.errors import Finding
from swath.lint.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from swath.lint.group import Group
    from swath.lint.repository_facts import RepositoryFacts

_NAME: Final = re.compile(r"Could not find '(?P<name>(?P<head>[^'.\[]+)[^']*)'")
_LOOP_NAMES: Final = frozenset({"item", "key"})


def check_pending(_facts: RepositoryFacts, group: Group) -> Iterator[Problem]:
    """A warning for a group that waits; an error when what it waits for will not come."""
    if not group.pending:
        return
    match = _NAME.search(group.pending)
    head = match["head"] if match else ""
    problem = f"nothing defines '{match['name']}'" if match else group.pending
    place = group.document.place("stages", group.name)
    if group.generated_keys is None or head in group.generated_keys or head in _LOOP_NAMES or not match:
        message = f"its stages are not known yet: {problem}"
        hint = "`swath run` makes the file that they are read from first, and then them"
        yield Problem(Finding(place, "pending", message, hint, "warning"))
    else:
        hint = "define it under `vars` or in a file named there, or correct the name"
        yield Problem(Finding(place, "template", problem, hint))
