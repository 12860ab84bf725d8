from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.service_repositories import add_service
from swath.load.services import read_service

if TYPE_CHECKING:
    from pathlib import Path

HEAD = "name: a\nkind: processing\ndescription: d\n"
DIGEST = "sha256:" + "0" * 64


def findings(root: Path, text: str) -> list[str]:
    add_service(root, "a", text, {"run.py": "", "requirements.txt": "", "Dockerfile": ""})
    _, found = read_service(root, "a")
    return [str(finding).removeprefix("services/a/service.yaml:") for finding in found]


def parameter(root: Path, text: str) -> list[str]:
    found = findings(root, f"{HEAD}entrypoint: [python, run.py]\nparameters:\n  - {text}\n")
    return [finding.removeprefix("6: parameters[0].") for finding in found]


@pytest.mark.parametrize(
    "text",
    [
        "{name: p, type: file, direction: input, required: true}",
        "{name: p, type: 'list[directory]', direction: output}",
        "{name: p, type: integer, default: 3, choices: [3, 4], minimum: 3, maximum: 4}",
        "{name: p, type: number, default: 3}",
        "{name: p, type: string, default: ab, pattern: 'a.'}",
        "{name: p, type: 'list[boolean]', default: [true]}",
        "{name: p, type: string, default: ''}",
    ],
)
def test_right_parameters(tmp_path: Path, text: str) -> None:
    assert parameter(tmp_path, text) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{name: p, type: file}", "type: a file needs a direction\n  add `direction: input` or `direction: output`"),
        ("{name: p, type: file, direction: input, default: x}", "default: a path has no default: the stage says it, as a dep or an out\n  drop `default`"),
        ("{name: p, type: file, direction: input, choices: [x]}", "choices: a path has no choices\n  drop `choices`"),
        ("{name: p, type: string, direction: input}", "direction: only a file or directory has a direction, and 'string' is none"),
        ("{name: p, type: string, default: x, required: true}", "default: a required parameter has no default\n  drop `required` or `default`"),
        ("{name: p, type: integer, default: x}", "default: 'x' is not of type integer"),
        ("{name: p, type: integer, default: true}", "default: True is not of type integer"),
        ("{name: p, type: string, default: 3}", 'default: 3 is not of type string\n  write it in quotes: "3"'),
        ("{name: p, type: integer, default: 2, minimum: 3}", "default: expected at least 3, got 2"),
        ("{name: p, type: string, default: c, choices: [a, b]}", "default: expected one of a, b, got 'c'"),
        ("{name: p, type: string, choices: [1]}", 'choices: 1 is not of type string\n  write it in quotes: "1"'),
        ("{name: p, type: string, choices: []}", "choices: an empty list leaves no value\n  drop `choices`"),
        ("{name: p, type: 'list[string]', default: a}", "default: the default of 'list[string]' is a list"),
        ("{name: p, type: string, default: [a]}", "default: the default of 'string' is one value"),
        ("{name: p, type: string, pattern: '['}", "pattern: not a regular expression: unterminated character set at position 0"),
        ("{name: p, type: integer, pattern: a}", "pattern: a pattern is for strings, not for 'integer'"),
        ("{name: p, type: string, minimum: 1}", "minimum: a minimum is for numbers, not for 'string'"),
        ("{name: p, type: integer, minimum: 3, maximum: 2}", "minimum: the minimum 3 is above the maximum 2"),
        ("{name: help, type: string}", "name: 'help' cannot be a parameter's name\n  choose another name"),
    ],
)  # fmt: skip
def test_wrong_parameters(tmp_path: Path, text: str, expected: str) -> None:
    assert parameter(tmp_path, text) == [expected]


def test_a_name_twice_is_found_at_both_places(tmp_path: Path) -> None:
    text = f"{HEAD}entrypoint: [x]\nparameters:\n- {{name: p, type: string}}\n- {{name: p, type: number}}\n"
    assert findings(tmp_path, text) == [
        "6: parameters[0].name: the name 'p' stands 2 times",
        "7: parameters[1].name: the name 'p' stands 2 times",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("entrypoint: [python, walk.py]", "4: entrypoint[1]: the service's folder has no file 'walk.py'\n  write the program, or correct the name"),
        ("entrypoint: ['']", "4: entrypoint[0]: an empty word cannot start a program"),
        ("entrypoint: [x]\nprocess: {python: r.txt}", "5: process.python: the service's folder has no file 'r.txt'\n  list the packages it needs there"),
        ("entrypoint: [x]\nprocess: {python: ../a/requirements.txt}", "5: process.python: the service's folder has no file '../a/requirements.txt'\n  list the packages it needs there"),
        ("entrypoint: [x]\nprocess: {python_version: '3.11'}", "5: process.python_version: without `python` no environment is made\n  add `python: requirements.txt`"),
        ("entrypoint: [x]\nprocess: {python: requirements.txt, python_version: '3'}", "5: process.python_version: '3' is not a Python version\n  write it as \"3.11\", in quotes"),
        ("entrypoint: [x]\nimage: {}", "5: image: an image is either built or a public one\n  give `build` or `reference`, and not both"),
        (f"entrypoint: [x]\nimage: {{build: ., reference: 'a@{DIGEST}'}}", "5: image: an image is either built or a public one\n  give `build` or `reference`, and not both"),
        ("entrypoint: [x]\nimage: {reference: 'a:1'}", "5: image.reference: 'a:1' is not pinned: a tag can change under the same name\n  add its digest: NAME:TAG@sha256:… (`docker buildx imagetools inspect NAME:TAG` prints it)"),
        ("entrypoint: [x]\nimage: {build: ..}", "5: image.build: '..' is no folder inside the service's own\n  write `build: .`"),
        ("entrypoint: [x]\nimage: {build: ., dockerfile: D}", "5: image.dockerfile: the service's folder has no file 'D'"),
        ("entrypoint: [x]\nimage: {build: ., variants: {gpu: {dockerfile: D}}}", "5: image.variants.gpu.dockerfile: the service's folder has no file 'D'"),
        (f"entrypoint: [x]\nimage: {{reference: 'a@{DIGEST}', variants: {{gpu: {{reference: 'a:1', gpus: true}}}}}}", "5: image.variants.gpu.reference: 'a:1' is not pinned: a tag can change under the same name\n  add its digest: NAME:TAG@sha256:… (`docker buildx imagetools inspect NAME:TAG` prints it)"),
        (f"entrypoint: [x]\nimage: {{reference: 'a@{DIGEST}', variants: {{gpu: {{gpus: true}}}}}}", "5: image.variants.gpu: a variant is built when the plain image is, and a public one when that is one\n  give it a `reference`"),
        (f"entrypoint: [x]\nimage: {{build: ., dockerfile: requirements.txt, variants: {{gpu: {{dockerfile: requirements.txt, reference: 'a@{DIGEST}'}}}}}}", "5: image.variants.gpu: a variant is built when the plain image is, and a public one when that is one\n  take `reference` out"),
        ("entrypoint: [x]\nsecrets: [SWATH_TOKEN]", "5: secrets[0]: 'SWATH_TOKEN' is Swath's own variable and is given to no service\n  choose another name"),
    ],
)  # fmt: skip
def test_wrong_files_and_images(tmp_path: Path, text: str, expected: str) -> None:
    assert findings(tmp_path, HEAD + text + "\n") == [expected]


def test_the_folder_bears_the_name(tmp_path: Path) -> None:
    text = "name: b\nkind: processing\ndescription: d\nentrypoint: [x]\n"
    assert findings(tmp_path, text) == ["1: name: the name is 'b', but the folder is 'a'\n  give both the same name"]
