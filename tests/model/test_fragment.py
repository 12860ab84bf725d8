"""`model/fragment.py`: a file of its own for each job, always inside the pipeline's folder."""

from __future__ import annotations

import posixpath
from dataclasses import FrozenInstanceError

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swath.model.fragment import Fragment, StageRecord, fragment_path, fragments_folder, pipeline_folder

NAMES = st.one_of(st.text(max_size=40), st.text(alphabet="a-/ .ü@", max_size=6))


def test_levels_and_pipelines_have_folders_of_their_own() -> None:
    assert fragments_folder("4711", 2) == "swath/4711/2"


@pytest.mark.parametrize(("subfolder", "folder"), [("ml", "at-ml"), ("1", "at-1"), ("a/b", "at-a-b-c14cddc0")])
def test_dvc_repositories_in_folders_have_folders_of_their_own(subfolder: str, folder: str) -> None:
    assert pipeline_folder("4711", subfolder) == f"swath/4711/{folder}"
    assert fragment_path("4711", 1, "train", subfolder) == f"swath/4711/{folder}/1/train.json"


@pytest.mark.parametrize("name", ["train", "tile@a.b", "x_1-2", "a" * 150])
def test_a_harmless_name_stays_as_it_is(name: str) -> None:
    assert fragment_path("4711", 1, name) == f"swath/4711/1/{name}.json"


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("a/b", "a-b-c14cddc0.json"),
        ("a b", "a-b-c8687a08.json"),
        ("../../etc", "..-..-etc-74ccf3c5.json"),
    ],
)
def test_another_name_is_replaced_and_told_apart_by_a_hash(name: str, file: str) -> None:
    assert fragment_path("4711", 1, name) == f"swath/4711/1/{file}"


def test_long_names_are_told_apart_behind_the_cut() -> None:
    one, other = (fragment_path("4711", 1, "a" * 150 + end) for end in "bc")
    assert one != other
    assert one.startswith("swath/4711/1/" + "a" * 150 + "-")


@given(NAMES, NAMES)
def test_paths_are_equal_only_for_equal_jobs(one: str, other: str) -> None:
    assert (fragment_path("1", 1, one) == fragment_path("1", 1, other)) == (one == other)


@given(NAMES)
def test_no_name_leads_out_of_the_folder_or_is_too_long_for_a_file(name: str) -> None:
    path = fragment_path("1", 1, name)
    assert posixpath.dirname(path) == "swath/1/1"
    assert posixpath.normpath(path) == path
    assert len(posixpath.basename(path).encode()) <= 255


def test_a_stage_without_entry_has_failed_and_fragments_share_nothing() -> None:
    assert StageRecord(None).exit == 0
    one, other = Fragment("c", "p", "a", 1), Fragment("c", "p", "a", 1)
    assert one == other
    assert one.stages is not other.stages
    with pytest.raises(FrozenInstanceError):
        one.attempt = 2  # type: ignore[misc]
