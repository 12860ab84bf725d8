"""What is operational about a stage: `meta.swath` of the stage beats swath.yaml, which beats service.yaml.

In CI, `ci.services` of swath.yaml beats its `services`: a runner has a GPU, the machine at home has none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from swath.errors import FindingsError, Place
from swath.load.typed_document import decode
from swath.model.service import Resources
from swath.model.settings import Overrides, Settings, StageOptions
from swath.schema.yaml12 import Document, dotted

if TYPE_CHECKING:
    from collections.abc import Iterable

    from swath.errors import Finding
    from swath.model.service import Service
    from swath.model.stage import JSONValue, Stage

META_KEY = "swath"
_NOTHING = Overrides()


def stage_options(
    stage: Stage,
    service: Service | None,
    settings: Settings,
    *,
    in_ci: bool = False,
    document: Document | None = None,
) -> StageOptions:
    """The options of one stage.

    Args:
        stage: its `meta.swath` has resources, timeout, retries and the expected time.
        service: that its command starts; None: it has none, and what nobody says is not counted.
        settings: of the repository.
        in_ci: `ci.services` counts as well.
        document: the stage's dvc.yaml, for exact lines of what is wrong; else the stage's own line is told.

    Raises:
        FindingsError: `meta.swath` is wrong.
    """
    own, findings = meta_overrides(stage, document)
    if findings:
        raise FindingsError(findings)
    sections = (settings.ci.services, settings.services) if in_ci else (settings.services,)
    levels = [own, *(section.get(service.name, _NOTHING) for section in sections if service)]
    resources = service.resources if service else Resources()
    for level in reversed(levels):
        resources = level.resources.over(resources)
    timeout = _first((level.timeout for level in levels), service.timeout if service else None)
    retries = _first((level.retries for level in levels), service.retries if service else 0)
    expected = _first((level.expected for level in levels), None)
    return StageOptions(resources, _seconds(timeout), retries or 0, _seconds(expected))


def _first(values: Iterable[int | None], default: int | None) -> int | None:
    """The first that is said."""
    return next((value for value in values if value is not None), default)


def _seconds(value: int | None) -> float | None:
    return None if value is None else float(value)


def meta_overrides(stage: Stage, document: Document | None = None) -> tuple[Overrides, tuple[Finding, ...]]:
    """What `meta.swath` of a stage says, and what is wrong with it.

    Returns:
        The overrides, none of them when there are findings.
    """
    value = stage.meta.get(META_KEY)
    if value is None:
        return _NOTHING, ()
    overrides, findings = decode(_Meta(value, stage, document), Overrides)
    return overrides or _NOTHING, tuple(findings)


class _Meta(Document):
    """A stage's resolved `meta.swath`, with places in its dvc.yaml."""

    def __init__(self, value: JSONValue, stage: Stage, document: Document | None) -> None:
        self.value = value
        self.file = stage.file
        self._stage = stage
        self._document = document

    def place(self, *path: str | int) -> Place:
        """Where the value at `path` stands; the stage's line without a document."""
        steps: tuple[str | int, ...] = ("meta", META_KEY, *path)
        if self._document is None:
            return Place(self.file, self._stage.place.line, f"stages.{self._stage.group}.{dotted(steps)}")
        stages = self._document.value.get("stages") if isinstance(self._document.value, dict) else None
        entry = stages.get(self._stage.group) if isinstance(stages, dict) else None
        inner = ("do",) if isinstance(entry, dict) and "foreach" in entry else ()
        return self._document.place("stages", self._stage.group, *inner, *steps)
