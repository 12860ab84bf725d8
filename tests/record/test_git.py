"""`record/git.py`: commits made with plumbing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from support.repositories import Bench, make_repository
from swath.record.git import (
    Signature,
    commit_date,
    commit_id,
    commit_message,
    make_commit,
    messages_since,
    open_clone,
    tree_files,
)

WHO = Signature("Swath", "swath@localhost", "2026-11-22T20:00:00+01:00")


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    made = make_repository(tmp_path / "repo", {"a": "1\n", "sub/b": "2\n", "run.sh": "true\n"})
    (made.root / "run.sh").chmod(0o755)
    (made.root / "link").symlink_to("a")
    made.commit("second")
    return made


def made(bench: Bench, files: dict[str, bytes | Path | None], parent: str | None = "HEAD") -> str | None:
    clone = open_clone(bench.root)
    return make_commit(clone, commit_id(clone, parent) if parent else None, files, "message\n", WHO)


def show(bench: Bench, *words: str) -> str:
    return bench.command("git", *words).stdout


def test_only_the_named_files_change(bench: Bench) -> None:
    commit = made(bench, {"a": b"new\n", "sub/b": None, "new/ü ñ": b"3", "run.sh": b"false\n"})
    changed = show(bench, "-c", "core.quotePath=false", "diff", "--raw", "--abbrev=4", "HEAD", str(commit)).splitlines()
    assert [line.split(" ")[:2] + line.split("\t")[1:] for line in changed] == [
        [":100644", "100644", "a"],
        [":000000", "100644", "new/ü ñ"],
        [":100755", "100755", "run.sh"],
        [":100644", "000000", "sub/b"],
    ]
    assert show(bench, "show", f"{commit}:a") == "new\n"
    assert show(bench, "log", "-1", "--format=%an|%ae|%aI|%cI|%s", str(commit)).strip() == (
        "Swath|swath@localhost|2026-11-22T20:00:00+01:00|2026-11-22T20:00:00+01:00|message"
    )


def test_nothing_different_is_no_commit(bench: Bench) -> None:
    assert made(bench, {"a": b"1\n", "run.sh": b"true\n", "gone": None}) is None


def test_equal_results_are_an_equal_commit(bench: Bench) -> None:
    assert made(bench, {"a": b"x"}) == made(bench, {"a": b"x"})


def test_a_link_becomes_a_file(bench: Bench) -> None:
    commit = made(bench, {"link": b"text"})
    assert show(bench, "ls-tree", str(commit), "link").startswith("100644 blob ")


def test_a_file_on_disk_is_taken_as_it_is(bench: Bench, tmp_path: Path) -> None:
    (bench.root / ".gitattributes").write_text("* text=auto eol=lf\n")
    (tmp_path / "big").write_bytes(b"1\r\n\x00")
    commit = made(bench, {"big": tmp_path / "big", "small": b"1\r\n"})
    assert bench.command("git", "cat-file", "-s", f"{commit}:big").stdout.strip() == "4"
    assert bench.command("git", "cat-file", "-s", f"{commit}:small").stdout.strip() == "3"


def test_a_folder_becomes_a_file_and_a_file_a_folder(bench: Bench) -> None:
    commit = made(bench, {"sub/b": None, "sub": b"x", "a": None, "a/b": b"y"})
    assert show(bench, "ls-tree", "-r", "--name-only", str(commit), "a/", "sub").split() == ["a/b", "sub"]


def test_a_first_commit(bench: Bench) -> None:
    commit = made(bench, {"x": b"1"}, None)
    assert show(bench, "ls-tree", "--name-only", str(commit)) == "x\n"


def test_a_folder_of_the_clone(bench: Bench) -> None:
    clone = open_clone(bench.root / "sub")
    assert (clone.top, clone.prefix) == (bench.root, "sub/")
    assert open_clone(bench.root).prefix == ""


def test_what_a_clone_knows(bench: Bench) -> None:
    clone = open_clone(bench.root)
    head = commit_id(clone, "HEAD")
    assert commit_id(clone, "0" * 40) is None
    assert commit_id(clone, "--all") is None
    assert head is not None
    assert commit_message(clone, head).strip() == "second"
    assert messages_since(clone, f"{head}~1", head) == ["second"]
    assert messages_since(replace(clone, prefix="elsewhere/"), f"{head}~1", head) == []
    assert commit_date(clone, head)[:2] == "20"
    assert set(tree_files(clone, head, ["sub", "a"])) == {"a", "sub/b"}
    assert tree_files(clone, head, ["*"]) == {}
    assert tree_files(clone, head, []) == {}
