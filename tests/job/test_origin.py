"""`job/origin.py`: what GitLab's variables say of a pipeline."""

from __future__ import annotations

import pytest

from swath.errors import UserError
from swath.job.origin import read_origin

BRANCH = {"CI_PIPELINE_ID": "7", "CI_COMMIT_SHA": "a" * 40, "CI_COMMIT_BRANCH": "main", "CI_DEFAULT_BRANCH": "main"}
REQUEST = {
    "CI_PIPELINE_ID": "7",
    "CI_COMMIT_SHA": "a" * 40,
    "CI_DEFAULT_BRANCH": "main",
    "CI_MERGE_REQUEST_IID": "12",
    "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME": "topic",
    "CI_MERGE_REQUEST_PROJECT_ID": "1",
    "CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "1",
}


def test_a_branch() -> None:
    origin = read_origin(BRANCH)
    assert (origin.pipeline, origin.level, origin.branch, origin.is_default) == ("7", 1, "main", True)
    assert not read_origin({**BRANCH, "CI_COMMIT_BRANCH": "topic"}).is_default


def test_a_tag_has_no_branch() -> None:
    origin = read_origin({"CI_PIPELINE_ID": "7", "CI_COMMIT_TAG": "v1", "CI_DEFAULT_BRANCH": "main"})
    assert (origin.branch, origin.is_default) == (None, False)


def test_a_merge_request() -> None:
    origin = read_origin(REQUEST)
    assert (origin.merge_request, origin.branch, origin.is_default, origin.from_fork) == ("12", "topic", False, False)
    same_name = read_origin({**REQUEST, "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME": "main"})
    assert not same_name.is_default


def test_a_fork() -> None:
    assert read_origin({**REQUEST, "CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "2"}).from_fork


def test_the_parents_pipeline_and_its_source_count() -> None:
    child = {**BRANCH, "SWATH_PIPELINE": "6", "SWATH_LEVEL": "2", "CI_PIPELINE_SOURCE": "parent_pipeline"}
    origin = read_origin(child)
    assert (origin.pipeline, origin.level, origin.source) == ("6", 2, "")
    assert read_origin({**child, "SWATH_PIPELINE_SOURCE": "schedule"}).source == "schedule"
    assert read_origin({**BRANCH, "CI_PIPELINE_SOURCE": "push"}).source == "push"


def test_where_to_push() -> None:
    server = {"CI_SERVER_URL": "https://git.example", "CI_PROJECT_PATH": "g/p"}
    assert read_origin({**BRANCH, **server}).url == "https://git.example/g/p.git"
    below = {**server, "CI_SERVER_URL": "https://git.example/gitlab/"}
    assert read_origin({**BRANCH, **below}).url == "https://git.example/gitlab/g/p.git"
    assert read_origin({**BRANCH, **server, "SWATH_GIT_URL": "ssh://git@x/p"}).url == "ssh://git@x/p"
    assert read_origin(BRANCH).url == ""


def test_all_levels_have_the_time_of_the_first() -> None:
    first, second = "2026-11-22T20:00:00Z", "2026-11-22T21:00:00Z"
    level_2 = {**BRANCH, "CI_PIPELINE_CREATED_AT": second}
    assert read_origin({**level_2, "SWATH_PIPELINE_CREATED_AT": first}).created == first
    assert read_origin({**level_2, "SWATH_PIPELINE_CREATED_AT": "$CI_PIPELINE_CREATED_AT"}).created == second


@pytest.mark.parametrize(
    ("given", "taken"),
    [("2026-11-22T20:00:00Z", "2026-11-22T20:00:00Z"), ("yesterday", ""), ("", ""), ("2026-11-22T20:00:00Z; id", "")],
)
def test_a_time_that_is_none_does_not_count(given: str, taken: str) -> None:
    assert read_origin({**BRANCH, "CI_PIPELINE_CREATED_AT": given}).created == taken


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({}, "which pipeline?\n  set SWATH_PIPELINE to the id of the pipeline whose results are meant"),
        (
            {"SWATH_PIPELINE": "../7"},
            "'../7' is no pipeline\n  set SWATH_PIPELINE to the id of the pipeline whose results are meant",
        ),
        (
            {"SWATH_PIPELINE": "7", "SWATH_LEVEL": "x"},
            "SWATH_LEVEL is 'x'\n  it is a number that the compiled pipeline sets",
        ),
    ],
)
def test_what_is_wrong_is_told(environ: dict[str, str], message: str) -> None:
    with pytest.raises(UserError) as caught:
        read_origin(environ)
    assert str(caught.value) == message
