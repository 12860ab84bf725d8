"""`model/bot_commit.py`: whose commit is it?"""

from __future__ import annotations

import subprocess

import pytest

from swath.model.bot_commit import is_bot_commit, is_second_in_a_row, record_message, recorded_pipeline


def test_a_recorded_commit_is_known_again() -> None:
    message = record_message("4711", 3, "https://git.example/p/-/pipelines/4711")
    assert message == (
        "Record pipeline 4711\n\n3 stages, by https://git.example/p/-/pipelines/4711\n\nSwath-Pipeline: 4711\n"
    )
    assert is_bot_commit(message)
    assert recorded_pipeline(message) == "4711"


@pytest.mark.parametrize(
    "message",
    [
        "",
        "change",
        "Swath-Pipeline: 4711",
        "Revert it\n\nSwath-Pipeline: 4711\n\nwas wrong\n",
        "change\n\nswath-pipeline is on 4711\n",
        "change\n\nSwath-Pipeline: $(id)\n",
        "change\n\nx Swath-Pipeline: 4711\n",
    ],
)
def test_a_persons_commit_is_none_of_ours(message: str) -> None:
    assert not is_bot_commit(message)


def test_further_trailers_do_not_hide_ours() -> None:
    assert recorded_pipeline("Record\n\nSwath-Pipeline: 4711\nSigned-off-by: a <b@example.invalid>\n") == "4711"


def test_git_reads_the_trailer_too() -> None:
    result = subprocess.run(
        ["git", "interpret-trailers", "--parse"],
        input=record_message("4711", 1),
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout == "Swath-Pipeline: 4711\n"


@pytest.mark.parametrize(("source", "refused"), [("push", True), ("", True), ("schedule", False), ("web", False)])
def test_only_what_a_push_started_is_a_second_in_a_row(source: str, *, refused: bool) -> None:
    assert is_second_in_a_row(record_message("1", 1), source) is refused
    assert not is_second_in_a_row("change", source)
