"""`schema/fragment_text.py`: fragments to text and back."""

from __future__ import annotations

import datetime as dt
import json
import math
from dataclasses import replace

import pytest

from swath.errors import UserError
from swath.model.fragment import FileRecord, Fragment, StageRecord, fragment_path
from swath.schema.fragment_text import read_fragment, write_fragment

FRAGMENT = Fragment(
    commit="a" * 40,
    plan="0123456789abcdef",
    job="train @ü",
    attempt=2,
    stages={
        "train@ü": StageRecord({"cmd": "x", "outs": [{"path": "ö", "md5": "b" * 32}]}, 1.5, 2.25, 3, 4, 5, 0),
        "eval": StageRecord(None, 1.0, exit=3),
    },
    files={"m.json": FileRecord("c" * 32, '{"a": 1}\n'), "big": FileRecord("d" * 32, None)},
)
STAGE = {
    "lock": None, "wall_s": 0, "cpu_s": 0, "peak_memory_bytes": 0, "pulled_bytes": 0, "pushed_bytes": 0, "exit": 0,
}  # fmt: skip
HINT = "\n  retry the job that wrote it: it writes its fragment again"


def test_a_fragment_comes_back_with_its_order() -> None:
    again = read_fragment(write_fragment(FRAGMENT), "f")
    assert again == FRAGMENT
    assert list(again.stages) == ["train@ü", "eval"]


def test_parameters_come_back_with_their_keys_and_kinds() -> None:
    params = {
        "p": {
            "names": {0: "cat", 1.5: "x", None: True, "1": math.nan},
            "n": [2**70, -math.inf, dt.date(2020, 1, 2)],
        }
    }
    fragment = replace(FRAGMENT, stages={"s": StageRecord({"cmd": "x", "params": params})})

    text = write_fragment(fragment)

    assert read_fragment(text, "f") == fragment
    json.loads(text, parse_constant=pytest.fail)  # strict JSON: no NaN, no Infinity


def test_a_lock_entry_that_is_no_mapping_of_text_is_refused() -> None:
    for lock in ({"$int": "5"}, {"$map": [[1, 2]]}, {"$map": 1}):
        document = json.loads(write_fragment(FRAGMENT))
        document["stages"]["eval"]["lock"] = lock
        with pytest.raises(UserError, match="is cut off or damaged"):
            read_fragment(json.dumps(document), "f")


@pytest.mark.parametrize(
    "lock", [{"cmd": {}}, {"deps": []}, {"cmd": "x", "outs": [{"md5": "a"}]}, {"cmd": "x", "params": {"p": 1}}]
)
def test_what_is_no_lock_entry_is_refused(lock: object) -> None:
    document = json.loads(write_fragment(FRAGMENT))
    document["stages"]["eval"]["lock"] = lock
    with pytest.raises(UserError, match="is cut off or damaged: not a lock entry: "):
        read_fragment(json.dumps(document), "f")


@pytest.mark.parametrize(
    "change",
    [
        {"files": {"m.json": {"md5": "c" * 32, "text": "\ud800"}}},
        {"files": {"m\udc80": {"md5": "c" * 32, "text": ""}}},
        {"job": "\udfff"},
        {"stages": {"\ud800": {**STAGE, "wall_s": 1.0}}},
        {"stages": {"a": {**STAGE, "lock": {"cmd": "\ud800"}}}},
        {"stages": {"a": {**STAGE, "wall_s": math.nan}}},
        {"stages": {"a": {**STAGE, "cpu_s": math.inf}}},
    ],
)
def test_half_characters_and_figures_without_end_are_refused(change: dict[str, object]) -> None:
    document = json.loads(write_fragment(FRAGMENT)) | change
    with pytest.raises(UserError, match="is cut off or damaged: "):
        read_fragment(json.dumps(document), "f")


def test_the_document_is_as_described() -> None:
    document = json.loads(write_fragment(FRAGMENT))
    assert list(document) == ["version", "commit", "plan", "job", "attempt", "stages", "files"]
    assert document["version"] == 1
    assert list(document["stages"]["eval"]) == [
        "lock", "wall_s", "cpu_s", "peak_memory_bytes", "pulled_bytes", "pushed_bytes", "exit",
    ]  # fmt: skip
    assert document["files"]["big"] == {"md5": "d" * 32, "text": None}


def test_text_that_was_cut_off_is_refused() -> None:
    with pytest.raises(UserError) as caught:
        read_fragment(write_fragment(FRAGMENT)[:200], "swath/1/1/train.json")
    message = str(caught.value)
    assert message.startswith("the fragment swath/1/1/train.json is cut off or damaged: ")
    assert message.endswith(HINT)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"version": 1}', "\x00"])
def test_what_is_no_fragment_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="is cut off or damaged"):
        read_fragment(text, "f")


def test_another_version_is_refused() -> None:
    with pytest.raises(UserError) as caught:
        read_fragment(write_fragment(FRAGMENT).replace('"version": 1', '"version": 2'), "f")
    assert str(caught.value) == (
        "the fragment f is of version 2; this Swath reads version 1\n  use one version of Swath in all jobs of a pipeline"
    )


def test_jobs_with_like_names_have_a_file_each() -> None:
    assert fragment_path("7", 1, "train") == "swath/7/1/train.json"
    assert fragment_path("7", 1, "a/b") != fragment_path("7", 1, "a b")


@pytest.mark.parametrize(
    "path", ["../out", "/etc/x", "a/../../x", "", "a//b", ".git/hooks/post-checkout", ".dvc/config", "x/.dvc/config"]
)
def test_a_file_that_no_stage_may_write_is_refused(path: str) -> None:
    text = write_fragment(replace(FRAGMENT, files={path: FileRecord("c" * 32, "text")}))
    with pytest.raises(UserError) as caught:
        read_fragment(text, "swath/1/1/train.json")
    assert str(caught.value) == (
        f"the fragment swath/1/1/train.json names the file {path!r}, which no stage may write\n"
        "  see who can write into the DVC remote, then start a new pipeline"
    )


def test_a_file_without_text_is_an_object() -> None:
    text = write_fragment(replace(FRAGMENT, files={"big": FileRecord("../../etc/passwd", None)}))
    with pytest.raises(UserError) as caught:
        read_fragment(text, "f")
    assert str(caught.value) == (
        "the fragment f names no object for the file 'big': its MD5 is '../../etc/passwd'\n"
        "  see who can write into the DVC remote, then start a new pipeline"
    )
