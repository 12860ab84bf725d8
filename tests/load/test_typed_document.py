from __future__ import annotations

from swath.load.typed_document import decode
from swath.model.service import Service
from swath.schema.yaml12 import Document

WRONG = """\
name: Splat
kind: procesing
descripton: x
entrypoint: []
image: {build: ., variants: {gpu: {dockerfle: x}}}
parameters:
  - {name: input, type: file}
  - {nam: size, type: intger, minimum: low}
  - just text
resources: {memory: 4GB, cpus: zwei, disk: 5, gpus: -1}
secrets: [a-b, "ok"]
timeout: 5
retries: 99
network: "true"
"""


def findings(text: str) -> list[str]:
    value, found = decode(Document(text, "f.yaml"), Service)
    assert (value is None) == bool(found)
    return [str(finding) for finding in found]


def test_everything_wrong_is_found_at_once_with_its_line() -> None:
    assert findings(WRONG) == [
        "f.yaml:1: the key 'description' is missing",
        "f.yaml:1: name: expected text that matches '^[a-z][a-z0-9_-]*$'",
        "f.yaml:2: kind: 'procesing' is not allowed here\n  did you mean 'processing'?",
        "f.yaml:3: descripton: unknown key 'descripton'\n  did you mean 'description'?",
        "f.yaml:4: entrypoint: expected a list with at least 1 item(s)",
        "f.yaml:5: image.variants.gpu.dockerfle: unknown key 'dockerfle'\n  did you mean 'dockerfile'?",
        "f.yaml:8: parameters[1]: the key 'name' is missing",
        "f.yaml:8: parameters[1].minimum: expected a number, got text",
        "f.yaml:8: parameters[1].nam: unknown key 'nam'\n  did you mean 'name'?",
        "f.yaml:8: parameters[1].type: 'intger' is not allowed here\n  did you mean 'integer'?",
        "f.yaml:9: parameters[2]: expected a mapping, got text",
        "f.yaml:10: resources.cpus: expected a number, got text",
        "f.yaml:10: resources.disk: 5 has no unit: write it as 512MiB or 4GiB",
        "f.yaml:10: resources.gpus: expected a whole number >= 0",
        "f.yaml:10: resources.memory: '4GB' is not a size: write a number and a binary unit, such as 512MiB or 4GiB",
        "f.yaml:11: secrets[0]: expected text that matches '^[A-Za-z_][A-Za-z0-9_]*$'",
        "f.yaml:12: timeout: 5 has no unit: write it as 45s, 30m or 2h30m",
        "f.yaml:13: retries: expected a whole number <= 10",
        "f.yaml:14: network: expected true or false, got text",
    ]


def test_a_document_of_another_form_is_one_finding() -> None:
    assert findings("[1]") == ["f.yaml:1: expected a mapping, got a list"]


def test_a_right_document_has_none() -> None:
    assert findings("{name: a, kind: training, description: d, entrypoint: [x]}") == []
