from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.service_repositories import UPPER, add_service, make_repository
from swath.errors import FindingsError, UserError
from swath.load.services import load_service, load_services, read_service, service_names
from swath.model.units import Duration, Size

if TYPE_CHECKING:
    from pathlib import Path

FULL = """\
name: split
kind: processing
description: Cut a raster into square tiles.
image: {build: .}
entrypoint: [python, split.py]
process: {python: requirements.txt}
parameters:
  - {name: input, type: file, direction: input, required: true, description: "GeoTIFF to cut"}
  - {name: size, type: integer, default: 256, minimum: 16, description: "edge in pixels"}
  - {name: rate, type: number, default: 1e-3}
  - {name: answer, type: string, choices: [yes, no], default: no}
  - {name: out, type: directory, direction: output, required: true}
resources: {cpus: 2, memory: 4GiB, disk: 20GiB, gpus: 0, shm: 64MiB}
timeout: 2h30m
retries: 2
network: false
secrets: [TOKEN]
"""
FILES = {"split.py": "", "requirements.txt": "", "Dockerfile": ""}


def error(root: Path, name: str) -> str:
    with pytest.raises(UserError) as caught:
        load_service(root, name)
    return str(caught.value)


def test_a_service_is_read(tmp_path: Path) -> None:
    add_service(tmp_path, "split", FULL, FILES)
    service = load_service(tmp_path, "split")
    assert (service.name, service.resources.memory, service.timeout) == ("split", Size(4 * 2**30), Duration(9000))


def test_scalars_are_those_of_yaml_1_2(tmp_path: Path) -> None:
    add_service(tmp_path, "split", FULL, FILES)
    parameters = {parameter.name: parameter for parameter in load_service(tmp_path, "split").parameters}
    assert (parameters["rate"].default, parameters["answer"].default) == (0.001, "no")


def test_all_services_come_sorted(tmp_path: Path) -> None:
    make_repository(tmp_path)
    add_service(tmp_path, "split", FULL, FILES)
    (tmp_path / "services/notes").mkdir()
    assert service_names(tmp_path) == ("split", "upper") == tuple(load_services(tmp_path))


def test_a_repository_without_services_has_none(tmp_path: Path) -> None:
    assert load_services(tmp_path) == {}


def test_an_unknown_service_is_guessed(tmp_path: Path) -> None:
    make_repository(tmp_path)
    assert (
        error(tmp_path, "uper") == "there is no service 'uper' (no services/uper/service.yaml)\n  did you mean 'upper'?"
    )


def test_an_unknown_service_where_there_is_none(tmp_path: Path) -> None:
    expected = "there is no service 'a' (no services/a/service.yaml)\n  make one with `swath service new a`: the repository has none yet"
    assert error(tmp_path, "a") == expected


def test_the_findings_of_all_files_come_together(tmp_path: Path) -> None:
    add_service(tmp_path, "a", UPPER, {"upper.sh": ""})
    add_service(tmp_path, "b", UPPER, {"upper.sh": ""})
    with pytest.raises(FindingsError) as caught:
        load_services(tmp_path)
    assert [finding.place.file for finding in caught.value.findings] == [
        "services/a/service.yaml",
        "services/b/service.yaml",
    ]


def test_a_file_that_is_not_yaml_names_its_line(tmp_path: Path) -> None:
    add_service(tmp_path, "a", "name: a\nkind: ]\n", {})
    _, findings = read_service(tmp_path, "a")
    assert [(finding.rule, finding.place.line) for finding in findings] == [("not-yaml", 2)]


@pytest.mark.parametrize("text", ["", "[]", "5", "name: a\nname: b\n"])
def test_what_is_no_service_at_all_is_a_finding(tmp_path: Path, text: str) -> None:
    add_service(tmp_path, "a", text, {})
    assert error(tmp_path, "a").startswith("services/a/service.yaml")


def test_bytes_that_are_no_text_are_a_finding(tmp_path: Path) -> None:
    (add_service(tmp_path, "a", "", {}) / "service.yaml").write_bytes(b"\xff\xfe")
    assert error(tmp_path, "a").startswith("services/a/service.yaml: cannot be read: ")
