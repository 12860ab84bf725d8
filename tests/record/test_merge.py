"""`record/merge.py`: fragments become results."""

from __future__ import annotations

import pytest

from support.gitlab_checkout import file_record
from swath.model.fragment import FileRecord, Fragment, StageRecord
from swath.record.merge import fault_of, merge_fragments

COMMIT = "a" * 40
DONE, OTHER, FAILED = StageRecord({"cmd": "x"}), StageRecord({"cmd": "y"}), StageRecord(None, exit=1)


def fragment(stages: dict[str, StageRecord], files: dict[str, FileRecord] | None = None) -> Fragment:
    return Fragment(COMMIT, "p", "job", 1, stages, files or {})


def test_stages_of_all_fragments_in_their_order() -> None:
    results = merge_fragments(COMMIT, [fragment({"b": DONE}), fragment({"a": DONE, "c": FAILED})])
    assert (list(results.stages), results.failed) == (["b", "a", "c"], ("c",))


@pytest.mark.parametrize(
    ("first", "second", "kept"), [(DONE, OTHER, OTHER), (DONE, FAILED, DONE), (FAILED, DONE, DONE)]
)
def test_the_last_result_counts_and_a_failure_replaces_none(
    first: StageRecord, second: StageRecord, kept: StageRecord
) -> None:
    assert merge_fragments(COMMIT, [fragment({"a": first}), fragment({"a": second})]).stages == {"a": kept}


def test_gitignore_lines_of_all_jobs_count() -> None:
    one = {"d/.gitignore": file_record("/x\n/y\n"), "m.json": file_record("1")}
    two = {"d/.gitignore": file_record("/x\n/z\n"), "m.json": file_record("2")}
    results = merge_fragments(COMMIT, [fragment({}, one), fragment({}, two)])
    assert results.ignores == {"d/.gitignore": frozenset({"/x", "/y", "/z"})}
    assert results.files == {"m.json": file_record("2")}


@pytest.mark.parametrize(
    ("commit", "plan", "fault"),
    [
        (COMMIT, "p", ""),
        (COMMIT, None, ""),
        ("b" * 40, "p", "it is of commit aaaaaaaaaaaa, this pipeline ran bbbbbbbbbbbb"),
        (COMMIT, "q", "it is of the plan p, this pipeline's is q"),
    ],
)
def test_what_belongs_to_something_else_is_told(commit: str, plan: str | None, fault: str) -> None:
    assert fault_of(fragment({"a": DONE}), commit, plan) == fault


def test_a_text_that_is_not_what_its_hash_says_is_told() -> None:
    wrong = fragment({}, {"m.json": FileRecord("0" * 32, "text"), "big": FileRecord("0" * 32, None)})
    assert fault_of(wrong, COMMIT, None) == "the text of m.json is not what its hash says"
