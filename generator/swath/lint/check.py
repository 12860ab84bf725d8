"""All checks of a repository, in one list. `swath lint` calls `check_repository`; nothing runs, nothing changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from swath.lint.commands import check_commands
from swath.lint.files import check_files, check_group_files
from swath.lint.images import check_images
from swath.lint.keys import check_keys
from swath.lint.paths import check_paths
from swath.lint.pending import check_pending
from swath.lint.problem import Problem
from swath.lint.repository_facts import RepositoryFacts, read_facts
from swath.lint.settings import check_demand, check_settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from swath.dvc_border.repository import Repository
    from swath.errors import Finding


def check_repository(repository: Repository) -> tuple[Problem, ...]:
    """Everything that is wrong with a repository.

    Returns:
        Sorted by place; each finding once.
    """
    return check_facts(read_facts(repository))


def check_facts(facts: RepositoryFacts) -> tuple[Problem, ...]:
    """The problems of what was read, sorted by place."""
    found: dict[Finding, Problem] = {}
    for problem in _problems(facts):
        found.setdefault(problem.finding, problem)
    return tuple(sorted(found.values(), key=lambda problem: problem.finding))


def _problems(facts: RepositoryFacts) -> Iterator[Problem]:
    yield from map(Problem, facts.load_findings)
    yield from check_settings(facts)
    yield from check_files(facts)
    yield from check_images(facts.images, are_of_jobs=facts.settings.execution == "image")
    for group in facts.groups:
        yield from check_pending(facts, group)
        yield from check_keys(group)
        yield from check_commands(facts, group)
        yield from check_paths(facts, group)
        yield from check_group_files(facts, group)
        yield from check_demand(facts, group)
