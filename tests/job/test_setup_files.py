"""`job/setup_files.py`: a foreign CI file gets an include, or stays as it is."""

from __future__ import annotations

import pytest

from swath.job.setup_files import ci_stage_for, with_ignored, with_include

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
    ],
)
def test_one_line_more(text: str, expected: str) -> None:
    assert with_include(text) == expected
    assert with_include(expected) == expected


@pytest.mark.parametrize(
    "text",
    [
        "include: a.yml\njob: 1\n",
        "include: [a.yml]\njob: 1\n",
        "a: [\n",
        "spec: {}\n---\na: 1\n",
        "- a\n",
        "%YAML 1.1\n---\njob: 1\n",
    ],
)
def test_what_cannot_be_changed_with_certainty(text: str) -> None:
    assert with_include(text) is None


@pytest.mark.parametrize(
    ("text", "stage"),
    [("a: 1\n", "test"), ("stages: [x, test, y]\n", "test"), ("stages: [x, y]\n", "y"), ("a: [", "test")],
)
def test_the_ci_stage_that_our_jobs_join(text: str, stage: str) -> None:
    assert ci_stage_for(text) == stage


def test_ignored_lines_are_added_once() -> None:
    once = with_ignored("mine")
    assert once.startswith("mine\n# What")
    assert with_ignored(once) == once
