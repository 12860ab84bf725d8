"""The JSON Schema of service.yaml, made from the structs that read it.

`swath service schema` prints it, docs/reference/service.schema.json is a copy (a test holds them equal), and editors
with a YAML language server complete and check with it.
"""

from __future__ import annotations

import inspect
import re
from typing import Any, Final

import msgspec

from swath.model.service import Service
from swath.model.units import quantity_schema

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_ATTRIBUTE: Final = re.compile(r"^    (\w+): (.*(?:\n        .*)*)", re.MULTILINE)


def service_schema() -> dict[str, Any]:
    """The schema as plain data, always in the same order."""
    return documented_schema(Service, "service.yaml")


def documented_schema(kind: type[msgspec.Struct], title: str) -> dict[str, Any]:
    """The schema of a struct with quantities, in which each key has the sentence that its docstring says.

    Args:
        kind: the struct; its docstring and those of structs inside it may have an `Attributes` section.
        title: the file's name.
    """
    schema = msgspec.json.schema(kind, schema_hook=quantity_schema)
    definitions = schema["$defs"]
    for definition in definitions.values():
        _describe(definition)
    own = definitions.pop(kind.__name__)
    inner = {name: definitions[name] for name in sorted(definitions)}
    return {"$schema": DIALECT, **own, "title": title, "$defs": inner}


def _describe(definition: dict[str, Any]) -> None:
    """Put the attributes' sentences of a struct's docstring to its keys."""
    text = inspect.cleandoc(definition.get("description", ""))
    definition["description"] = text.partition("\n")[0]
    for name, sentence in _ATTRIBUTE.findall(text):
        if name in definition.get("properties", {}):
            definition["properties"][name] |= {"description": re.sub(r"\s+", " ", sentence).replace("``", "`")}
