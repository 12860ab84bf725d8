"""swath.yaml: defaults, all findings at once, and the published JSON Schema."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from swath.errors import FindingsError
from swath.load.settings import known_registry, load_settings, settings_schema_text
from swath.model.runner import Runner
from swath.model.service import Resources
from swath.model.settings import Settings
from swath.model.units import Size

ROOT = Path(__file__).parents[2]
DESIGN = """\
registry: $CI_REGISTRY_IMAGE
default_image: null
builder: buildkit
execution: image
runners:
  - {tags: [docker], cpus: 4, memory: 16GiB, disk: 50GiB, gpus: 0, concurrency: 4, cache: null, price_per_hour: 0}
services: {}
volumes: {}
ci: {workflows: [dvc.yaml], gitlab_version: "17.0", project: null, max_jobs: 500, needs: 50}
record: {merge_request: experiment, default_branch: commit}
report: {}
"""


def _message(root: Path, text: str) -> str:
    (root / "swath.yaml").write_text(text)
    with pytest.raises(FindingsError) as caught:
        load_settings(root)
    return str(caught.value)


def test_no_file_gives_the_defaults(tmp_path: Path) -> None:
    assert load_settings(tmp_path) == Settings()


def test_the_documented_defaults_are_the_defaults(tmp_path: Path) -> None:
    (tmp_path / "swath.yaml").write_text(DESIGN)

    assert load_settings(tmp_path) == Settings()


@pytest.mark.parametrize("text", ["", "# nothing\n", "services:\nvolumes:\nrunners:\n  # - {tags: [gpu]}\n"])
def test_empty_sections_count_as_absent(tmp_path: Path, text: str) -> None:
    (tmp_path / "swath.yaml").write_text(text)

    assert load_settings(tmp_path) == Settings()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ci: {needs: 5}\nrunners: []\n", "swath.yaml:2: runners: expected a list with at least 1 item(s)"),
        ("default_image: ''\n", r"swath.yaml:1: default_image: expected text that matches '^\\S+$'"),
        ("registry: a b\n", r"swath.yaml:1: registry: expected text that matches '^\\S+$'"),
    ],
)
def test_what_cannot_be_empty(tmp_path: Path, text: str, message: str) -> None:
    assert _message(tmp_path, text) == message


def test_all_findings_come_at_once(tmp_path: Path) -> None:
    text = """\
runers: []
runners:
  - {tags: [a], cpu: 3, memory: 4GB, gpus: -1}
ci: {needs: 0, gitlab_version: 17}
services:
  train: {timout: 3h, retries: 99, resources: {memory: 4}}
volumes: {"a b": {path: x}}
builder: docke
"""

    assert _message(tmp_path, text) == (
        "swath.yaml:1: runers: unknown key 'runers'\n"
        "  did you mean 'runners'?\n"
        "swath.yaml:3: runners[0].cpu: unknown key 'cpu'\n"
        "  did you mean 'cpus'?\n"
        "swath.yaml:3: runners[0].gpus: expected a whole number >= 0\n"
        "swath.yaml:3: runners[0].memory: '4GB' is not a size: "
        "write a number and a binary unit, such as 512MiB or 4GiB\n"
        "swath.yaml:4: ci.gitlab_version: expected text, got a whole number\n"
        "  put it in quotes: YAML reads it as something else without\n"
        "swath.yaml:4: ci.needs: expected a whole number >= 1\n"
        "swath.yaml:6: services.train.resources.memory: 4 has no unit: write it as 512MiB or 4GiB\n"
        "swath.yaml:6: services.train.retries: expected a whole number <= 10\n"
        "swath.yaml:6: services.train.timout: unknown key 'timout'\n"
        "  did you mean 'timeout'?\n"
        "swath.yaml:7: volumes.a b: 'a b' cannot be a name\n"
        "  use letters, digits, - and _\n"
        "swath.yaml:8: builder: 'docke' is not allowed here\n"
        "  did you mean 'docker'?"
    )


def test_a_name_alone_that_is_wrong(tmp_path: Path) -> None:
    assert _message(tmp_path, "services: {Train: {}}") == (
        "swath.yaml:1: services.Train: 'Train' cannot be a name\n  use lower-case letters, digits, - and _"
    )


def test_volumes_that_share_a_variable(tmp_path: Path) -> None:
    assert _message(tmp_path, "volumes:\n  a-b: {}\n  a_b: {}\n") == (
        "swath.yaml:3: volumes.a_b: the volumes 'a-b' and 'a_b' share one variable, SWATH_VOLUME_A_B\n"
        "  rename one of them"
    )


@pytest.mark.parametrize("file", ["/x/dvc.yaml", "../dvc.yaml", "a/b.yaml", ""])
def test_workflows_are_paths_of_the_repository(tmp_path: Path, file: str) -> None:
    assert _message(tmp_path, f"ci: {{workflows: ['{file}']}}") == (
        f"swath.yaml:1: ci.workflows[0]: {file!r} is not the path of a dvc.yaml from the repository's root\n"
        "  write it as dvc.yaml or FOLDER/dvc.yaml"
    )


def test_a_list_is_no_settings(tmp_path: Path) -> None:
    assert _message(tmp_path, "- a\n") == "swath.yaml:1: expected a mapping, got a list"


def test_not_yaml(tmp_path: Path) -> None:
    assert _message(tmp_path, "a: [b\nc: d\n") == (
        "swath.yaml:2: not YAML: while parsing a flow sequence did not find expected ',' or ']'\n"
        "  correct the line, or the one before it"
    )


def test_not_text(tmp_path: Path) -> None:
    (tmp_path / "swath.yaml").write_bytes(b"\xff\xfe\x00")

    with pytest.raises(FindingsError, match=r"swath\.yaml: cannot be read: 'utf-8' codec can't decode"):
        load_settings(tmp_path)


def test_the_published_schema_is_the_structs() -> None:
    assert (ROOT / "docs/reference/swath.schema.json").read_text() == settings_schema_text()


def test_the_published_schema_knows_every_key() -> None:
    schema = json.loads(settings_schema_text())

    assert set(schema["properties"]) == set(Settings.__struct_fields__)


@pytest.mark.parametrize(
    ("demand", "lacking"),
    [
        (Resources(), ()),
        (Resources(cpus=4, memory=Size(16 * 2**30), disk=Size(50 * 2**30), gpus=0), ()),
        (Resources(cpus=4.5), ("cpus",)),
        (Resources(memory=Size(16 * 2**30 + 1), gpus=1), ("memory", "gpus")),
    ],
)
def test_what_a_runner_lacks(demand: Resources, lacking: tuple[str, ...]) -> None:
    assert Runner().lacking(demand) == lacking


def test_a_version_without_quotes_is_a_number_and_another_version(tmp_path: Path) -> None:
    """18.10 would be 18.1."""
    assert _message(tmp_path, "ci: {gitlab_version: 18.10}\n") == (
        "swath.yaml:1: ci.gitlab_version: expected text, got a number\n"
        "  put it in quotes: YAML reads it as something else without"
    )


@pytest.mark.parametrize(
    ("text", "variables", "known"),
    [
        ("", {"CI_REGISTRY_IMAGE": "r.example.com/a"}, "r.example.com/a"),
        ("", {}, None),
        ("", {"CI_REGISTRY_IMAGE": ""}, None),
        ("registry: ${CI_REGISTRY}/x\n", {"CI_REGISTRY": "r", "CI_REGISTRY_IMAGE": "no"}, "r/x"),
        ("registry: r.example.com/b\n", {"CI_REGISTRY_IMAGE": "no"}, "r.example.com/b"),
    ],
)
def test_the_registry_of_the_images(tmp_path: Path, text: str, variables: dict[str, str], known: str | None) -> None:
    (tmp_path / "swath.yaml").write_text(text)
    assert known_registry(tmp_path, variables) == known
