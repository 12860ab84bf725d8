"""Files around the workflows: who provides a dep, what Git tracks, what `.dvcignore` takes out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from swath.errors import Finding, Place
from swath.lint.group import Observation, has_sign, observe
from swath.lint.problem import IgnoreRepair, Problem
from swath.lint.repository_facts import parents
from swath.load.ignored import FOR_ALL, FOR_SERVICES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from swath.lint.group import Group
    from swath.lint.repository_facts import RepositoryFacts
    from swath.model.stage import Stage

_SHOWN: Final = 5  # files that a message names


def check_group_files(facts: RepositoryFacts, group: Group) -> Iterator[Problem]:
    """What is wrong with the files that a group's stages name."""
    yield from observe(group, lambda stage: _deps(facts, group, stage))
    yield from observe(group, lambda stage: _outs(facts, group, stage))


def check_files(facts: RepositoryFacts) -> Iterator[Problem]:
    """What is wrong with the files of the repository."""
    yield from _dvcignore(facts)
    if facts.git is None:
        return
    for name in facts.services:
        folder = f"services/{name}/"
        for files, what, hint in (
            (facts.git.untracked, "Git does not track", "`git add` it, delete it, or name it in .dvcignore"),
            (facts.git.ignored, "Git ignores", "delete it, or name it in .dvcignore so that it does not count"),
        ):
            found = [file for file in files if file.startswith(folder)]
            if found:
                message = f"{what} {_listed(found)}, which would count as a part of the service only here"
                rule = "untracked-service-file" if files is facts.git.untracked else "ignored-service-file"
                place = Place(found[0] if len(found) == 1 else folder.rstrip("/"))
                yield Problem(Finding(place, rule, message, hint))


def _listed(files: Sequence[str]) -> str:
    if len(files) == 1:
        return "this file"
    names = ", ".join(file.split("/", 2)[2] for file in files[:_SHOWN])
    rest = f" and {len(files) - _SHOWN} more" if len(files) > _SHOWN else ""
    return f"{len(files)} files of the service ({names}{rest})"


def _dvcignore(facts: RepositoryFacts) -> Iterator[Problem]:
    wanted = (*FOR_SERVICES, *FOR_ALL) if facts.services else FOR_ALL
    present = {line.strip().strip("/") for line in facts.dvcignore}
    missing = tuple(entry for entry in wanted if entry not in present)
    if missing:
        message = f"it lacks {', '.join(missing)}: files that should not make results stale would count"
        finding = Finding(Place(".dvcignore"), "dvcignore", message, "swath lint --fix adds them", "warning")
        yield Problem(finding, IgnoreRepair(missing))


def _deps(facts: RepositoryFacts, group: Group, stage: Stage) -> Iterator[Observation]:
    texts = _templates(group, "deps", len(stage.deps))
    unknown = {f"services/{command.words[0]}" for command in group.commands(stage) if command.words}
    for position, dep in enumerate(stage.deps):
        path, steps = dep.path, ("deps", position)
        if not _is_checked(path) or _is_provided(facts, path):
            continue
        text = texts[position] if texts else path
        if path in facts.existing:
            message = f"the dep {path} is neither in Git nor an output nor behind a .dvc file: it exists only here"
            yield Observation("dep-untracked", text, message, "track it: git add, or dvc add", steps, "warning")
        elif facts.is_complete and path not in unknown:  # else it was told already, or a stage may make it
            message = f"the dep {path} does not exist, and no stage or .dvc file makes it"
            yield Observation("dep-missing", text, message, "correct the path, or add the file", steps, "warning")


def _is_checked(path: str) -> bool:
    """Whether a dep is a known path of the repository."""
    return not ("://" in path or path.startswith("/") or has_sign(path))


def _is_provided(facts: RepositoryFacts, path: str) -> bool:
    """Whether a dep is there for everybody, or will be."""
    if facts.makes(path):
        return True
    if facts.git is None:
        return path in facts.existing
    return facts.git.has(path) or any(map(facts.git.is_tracked, parents(path)))  # inside a submodule


def _outs(facts: RepositoryFacts, group: Group, stage: Stage) -> Iterator[Observation]:
    if group.is_outline:
        return
    for out in stage.outs:
        if out.path.startswith("/") and out.cache:
            message = f"the output {out.path} is outside the repository, where DVC keeps nothing"
            yield Observation("output-outside", out.kind, message, "write below the repository", (out.kind,))
        elif out.path in facts.ignored_outputs:
            message = f".dvcignore takes the output {out.path} out: DVC refuses such a stage"
            yield Observation("output-ignored", out.kind, message, "correct .dvcignore, or the output", (out.kind,))
        elif facts.git is not None and out.cache and "://" not in out.path and facts.git.has(out.path):
            message = f"Git tracks the output {out.path}, which DVC's cache should keep"
            hint = f"git rm -r --cached '{out.path}', or give the output `cache: false`"
            yield Observation("output-tracked", out.kind, message, hint, (out.kind,))


def _templates(group: Group, section: str, count: int) -> list[str]:
    """The entries of a section as dvc.yaml says them; empty when they do not match the resolved ones."""
    entries = group.definition.get(section)
    found = [str(entry) for entry in entries] if isinstance(entries, list) else []
    return found if len(found) == count else []
