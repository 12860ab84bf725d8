"""The one word rule: a templated value stays one shell word.

DVC pastes values into `sh -c`: a parameter ``1; touch x`` would run. In a `swath exec` command such a value is refused
when the workflow is loaded, before anything runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from swath.errors import Finding
from swath.model.shell_words import mentions_exec, templating_problems

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from swath.errors import Place
    from swath.model.stage import JSONValue, Stage
    from swath.schema.yaml12 import Document


def one_word_findings(
    stages: Sequence[Stage], definitions: Mapping[str, Mapping[str, JSONValue]], document: Document
) -> Iterator[Finding]:
    """A finding for each templated value of a `swath exec` command that does not stay one word.

    Args:
        definitions: what stands in dvc.yaml for each group, before templating.
    """
    for stage in stages:
        template = definitions.get(stage.group, {}).get("cmd")
        pairs = zip(template, stage.cmd, strict=False) if isinstance(template, list) else [(template, stage.cmd)]
        for raw, resolved in pairs:
            if not (isinstance(raw, str) and isinstance(resolved, str) and "${" in raw and mentions_exec(raw)):
                continue
            for problem in templating_problems(raw, resolved):
                yield Finding(
                    _place(document, stage.group), "one-word", f"stage {stage.key}: {problem.message}", problem.hint
                )


def _place(document: Document, group: str) -> Place:
    """Where the command of a group stands: below `do` for foreach."""
    stages = document.value.get("stages") if isinstance(document.value, dict) else None
    entry = stages.get(group) if isinstance(stages, dict) else None
    inner = ("do",) if isinstance(entry, dict) and "foreach" in entry else ()
    return document.place("stages", group, *inner, "cmd")
