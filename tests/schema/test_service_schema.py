from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from swath.schema.service_schema import service_schema
from swath.schema.yaml12 import parse

ROOT = Path(__file__).parents[2]
SERVICES = sorted(ROOT.glob("services/*/service.yaml"))


def check(text: str) -> str | None:
    """The first thing that the schema finds wrong, or None."""
    error = jsonschema.Draft202012Validator(service_schema()).iter_errors(parse(text, "f"))
    return next((problem.json_path for problem in error), None)


def test_the_published_schema_is_that_of_the_code() -> None:
    """To renew it: swath service schema > docs/reference/service.schema.json."""
    published = (ROOT / "docs/reference/service.schema.json").read_text()
    assert json.loads(published) == service_schema()


def test_it_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(service_schema())


@pytest.mark.parametrize("file", SERVICES, ids=lambda file: file.parent.name)
def test_the_services_of_this_repository_fit(file: Path) -> None:
    assert check(file.read_text()) is None


@pytest.mark.parametrize(
    ("line", "path"),
    [
        ("nme: x", "$"),
        ("kind: learning", "$.kind"),
        ("timeout: 5", "$.timeout"),
        ("timeout: 5 minutes", "$.timeout"),
        ("resources: {memory: 4GB}", "$.resources.memory"),
        ("resources: {gpus: 0.5}", "$.resources.gpus"),
        ("parameters: [{name: a, type: int}]", "$.parameters[0].type"),
        ("retries: 11", "$.retries"),
    ],
)
def test_it_refuses_what_the_loader_refuses(line: str, path: str) -> None:
    key = line.partition(":")[0]
    lines = ["name: a", "kind: training", "description: d", "entrypoint: [x]"]
    assert check("\n".join(old for old in lines if not old.startswith(f"{key}:"))) in (None, "$")
    assert check("\n".join([*(old for old in lines if not old.startswith(f"{key}:")), line])) == path


def test_every_key_has_its_sentence() -> None:
    parameter = service_schema()["$defs"]["Parameter"]
    assert parameter["description"] == "One argument of a service."
    assert parameter["properties"]["pattern"]["description"] == "a regular expression that a whole string must match."
