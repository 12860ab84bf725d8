"""`job/setup_files.py`: a foreign CI file gets an include, or stays as it is."""

from __future__ import annotations

import pytest

from swath.job.setup_files import ci_stage_for, with_include

OURS = "- local: .gitlab/swath.yml\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("job: {script: x}\n", f"include:\n  {OURS}\njob: {{script: x}}\n"),
        ("include:\n  - local: a.yml\njob: 1\n", f"include:\n  {OURS}  - local: a.yml\njob: 1\n"),
        ("include:\n- a.yml # x\n", f"include:\n{OURS}- a.yml # x\n"),
        (
            "include: # why\n  # because\n  - project: p\n    file: f\n",
            f"include: # why\n  # because\n  {OURS}  - project: p\n    file: f\n",
        ),
        ("include:\n  - /.gitlab/swath.yml\n", "include:\n  - /.gitlab/swath.yml\n"),
        ("include: .gitlab/swath.yml\n", "include: .gitlab/swath.yml\n"),
        ("include: a.yml # x\njob: 1\n", f"include:\n  {OURS}  - a.yml # x\njob: 1\n"),
        ("include: 'https://a/b.yml'\n", f"include:\n  {OURS}  - 'https://a/b.yml'\n"),
        ("include: {local: a.yml}\n", f"include:\n  {OURS}  - {{local: a.yml}}\n"),
        ("job: 1\ninclude: [a.yml]\n", "job: 1\ninclude: [{local: .gitlab/swath.yml}, a.yml]\n"),
        ("include: []\n", "include: [{local: .gitlab/swath.yml}]\n"),
        ("include: [\n  a.yml,\n]\n", "include: [{local: .gitlab/swath.yml}, \n  a.yml,\n]\n"),
        (
            "include:\n  project: p # x\n\n  file:\n    - a.yml\n    - b.yml\n\njob: 1\n",
            f"include:\n  {OURS}  - project: p # x\n\n    file:\n      - a.yml\n      - b.yml\n\njob: 1\n",
        ),
        (
            "include:\n    # why\n    template: T.yml\n    inputs:\n        a: |\n            x\njob: 1\n",
            f"include:\n    # why\n  {OURS}  - template: T.yml\n    inputs:\n        a: |\n            x\njob: 1\n",
        ),
        ("%YAML 1.1\n---\njob: 1\n", f"%YAML 1.1\n---\ninclude:\n  {OURS}\njob: 1\n"),
        ("---\njob: 1\n", f"---\ninclude:\n  {OURS}\njob: 1\n"),
        ("# x\n--- # y\ninclude: a.yml\n", f"# x\n--- # y\ninclude:\n  {OURS}  - a.yml\n"),
        ("spec: {inputs: {x: {}}}\n---\njob: 1\n", f"spec: {{inputs: {{x: {{}}}}}}\n---\ninclude:\n  {OURS}\njob: 1\n"),
        ("job: 1\r\ninclude: a.yml\r\n", "job: 1\r\ninclude:\r\n  - local: .gitlab/swath.yml\r\n  - a.yml\r\n"),
        ("include: *x\njob: 1\n", None),
    ][:-1],
)
def test_one_line_more(text: str, expected: str) -> None:
    assert with_include(text) == expected
    assert with_include(expected) == expected


@pytest.mark.parametrize(
    "text",
    [
        "a: [\n",
        "",
        "a: 1\n---\nb: 1\n",
        ".x: &x a.yml\ninclude: *x\n",
        "include: >-\n  a.yml\n",
        '"include": a.yml\n',
        "- a\n",
    ],
)
def test_what_cannot_be_changed_with_certainty(text: str) -> None:
    assert with_include(text) is None


@pytest.mark.parametrize(
    ("text", "stage"),
    [
        ("a: 1\n", "deploy"),
        ("include: a.yml\n", "test"),
        ("stages: [x, test, y]\n", "y"),
        ("stages: [x, y]\n", "y"),
        ("a: [", "test"),
        ("spec: {}\n---\nstages: [x, y]\n", "y"),
        ("include: {local: .gitlab/swath.yml}\n", "deploy"),
        ("include: [{local: .gitlab/swath/a.yml}, other.yml]\n", "test"),
    ],
)
def test_the_ci_stage_that_our_jobs_join(text: str, stage: str) -> None:
    assert ci_stage_for(text) == stage
