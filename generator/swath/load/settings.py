"""swath.yaml -> `Settings`, or all findings of the file at once. Every key is optional, and so is the file."""

from __future__ import annotations

import json
import re
from string import Template
from typing import TYPE_CHECKING, Any, Final

import msgspec

from swath.errors import Finding, FindingsError, Place, UserError
from swath.load.typed_document import decode
from swath.load.volumes import SETTINGS_FILE, volume_variable
from swath.model.runner import Runner
from swath.model.settings import Settings
from swath.model.units import quantity_schema
from swath.schema.yaml12 import Document

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_SERVICE_NAME: Final = (re.compile(r"[a-z][a-z0-9_-]*"), "lower-case letters, digits, - and _")
_NAMES: Final = {
    ("services",): _SERVICE_NAME,
    ("ci", "services"): _SERVICE_NAME,
    ("volumes",): (re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*"), "letters, digits, - and _"),
}
SCHEMA_TITLE: Final = "swath.yaml: how Swath runs a repository's workflows"


def load_settings(root: Path) -> Settings:
    """The repository's settings; the defaults when it has no swath.yaml.

    Args:
        root: the repository's root.

    Raises:
        FindingsError: everything that is wrong with the file.
    """
    settings, findings, _ = read_settings(root)
    if findings:
        raise FindingsError(findings)
    return settings


def read_settings(root: Path) -> tuple[Settings, tuple[Finding, ...], Document | None]:
    """The settings and what is wrong with them.

    Returns:
        The settings (the defaults when the file cannot be taken), the findings in the order of the file, and the file
        itself; None when there is none or it is not YAML.
    """
    try:
        text = (root / SETTINGS_FILE).read_text(encoding="utf-8")
    except FileNotFoundError:
        return Settings(), (), None
    except (OSError, ValueError) as error:
        finding = Finding(
            Place(SETTINGS_FILE), "unreadable", f"cannot be read: {error}", "a text file in UTF-8 is expected"
        )
        return Settings(), (finding,), None
    try:
        document = Document(text, SETTINGS_FILE)
    except UserError as error:
        return Settings(), (Finding(error.place or Place(SETTINGS_FILE), "not-yaml", error.message, error.hint),), None
    if isinstance(document.value, dict):  # a key whose lines are all commented out counts as absent
        document.value = {key: value for key, value in document.value.items() if value is not None}
    settings, findings = decode(document, Settings)
    bad_names = tuple(_bad_names(document))
    if settings is None or bad_names:
        named = [finding for finding in findings if finding.place.key]  # a keyless one only repeats a bad name
        return Settings(), tuple(sorted({*bad_names, *(named if bad_names else findings)})), document
    return settings, tuple(sorted(_broken_rules(settings, document))), document


def known_registry(root: Path, environ: Mapping[str, str]) -> str | None:
    """Where the repository's images lie: `registry` of its swath.yaml, with the variables in it.

    Returns:
        None when one of them is not set, as on a machine where nobody set CI_REGISTRY_IMAGE, which GitLab sets in jobs.
    """
    said = Template(read_settings(root)[0].registry)
    known = said.safe_substitute({name: value for name, value in environ.items() if value})
    return None if "$" in known else known


def settings_schema() -> dict[str, Any]:
    """The JSON Schema of swath.yaml, as docs/reference/swath.schema.json publishes it."""
    _, components = msgspec.json.schema_components(
        [Settings], schema_hook=quantity_schema, ref_template="#/$defs/{name}"
    )
    top = components.pop("Settings")
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": SCHEMA_TITLE}
    for name, offer in (("memory", Runner().memory), ("disk", Runner().disk)):  # msgspec cannot write them as defaults
        components["Runner"]["properties"][name]["default"] = str(offer)
    return {**top, **head, "$defs": components}


def settings_schema_text() -> str:
    """The published file's text."""
    return json.dumps(settings_schema(), indent=2) + "\n"


def _broken_rules(settings: Settings, document: Document) -> Iterator[Finding]:
    """What the form alone does not say."""
    variables: dict[str, str] = {}
    for name in settings.volumes:
        variable = volume_variable(name)
        other = variables.setdefault(variable, name)
        if other != name:
            message = f"the volumes '{other}' and '{name}' share one variable, {variable}"
            yield Finding(document.place("volumes", name), "volume", message, "rename one of them")
    for position, file in enumerate(settings.ci.workflows):
        if file.startswith("/") or ".." in file.split("/") or file.rpartition("/")[2] != "dvc.yaml":
            message = f"{file!r} is not the path of a dvc.yaml from the repository's root"
            hint = "write it as dvc.yaml or FOLDER/dvc.yaml"
            yield Finding(document.place("ci", "workflows", position), "value", message, hint)


def _bad_names(document: Document) -> Iterator[Finding]:
    """Keys that cannot be names: the walk over the form says nothing of them."""
    for section, (pattern, form) in _NAMES.items():
        entries: Any = document.value
        for key in section:
            entries = entries.get(key) if isinstance(entries, dict) else None
        for name in entries if isinstance(entries, dict) else ():
            if not isinstance(name, str) or not pattern.fullmatch(name):
                yield Finding(document.place(*section, str(name)), "value", f"{name!r} cannot be a name", f"use {form}")
