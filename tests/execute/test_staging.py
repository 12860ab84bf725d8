"""Sessions, and how outputs come into the workspace; no engine needed."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from support.deep import make_deep
from support.staged import stage
from swath.errors import InterruptedRunError, UserError
from swath.execute.staging import STAGING, Session, dead_sessions, discard
from swath.files.left_behind import LeftBehindError


def test_stale_outputs_go_and_parents_come(small_root: Path) -> None:
    (small_root / "old").mkdir()
    (small_root / "old/x").touch()
    stage(small_root, ("output-folder", "old"), ("output-file", "new/deep/y"))
    assert not (small_root / "old").exists()
    assert (small_root / "new/deep").is_dir()


def test_a_stale_output_that_is_a_link_goes_but_not_its_target(small_root: Path) -> None:
    (small_root / "link").symlink_to(small_root / "data")
    stage(small_root, ("output-folder", "link"))
    assert not (small_root / "link").is_symlink()
    assert (small_root / "data/a.txt").exists()


def test_publish_replaces_what_is_there(small_root: Path) -> None:
    staging = stage(small_root, ("output-folder", "out"), ("output-file", "x"))
    (staging.folder / "tree/out").mkdir()
    (staging.folder / "tree/out/new").touch()
    (staging.folder / "tree/x").write_text("new")
    (small_root / "out").mkdir()
    (small_root / "out/old").touch()
    (small_root / "x").write_text("old")
    assert staging.problems() == []
    staging.publish()
    assert [path.name for path in (small_root / "out").iterdir()] == ["new"]
    assert (small_root / "x").read_text() == "new"


def test_problems_name_each_output(small_root: Path) -> None:
    staging = stage(small_root, ("output-folder", "out"), ("output-files", ("x", "y", "z")))
    tree = staging.folder / "tree"
    (tree / "out").touch()
    (tree / "x").mkdir()
    (tree / "y").symlink_to("/etc/passwd")
    assert staging.problems() == [
        "its output out is not a directory",
        "its output x is a directory",
        "its output y is a symbolic link to '/etc/passwd'",
        "it did not write its output z",
    ]


def test_a_link_in_an_output_that_leads_out_is_named_with_its_target(small_root: Path) -> None:
    staging = stage(small_root, ("output-folder", "deep/out"))
    (staging.folder / "tree/deep/out/sub").mkdir(parents=True)
    (staging.folder / "tree/deep/out/sub/link").symlink_to("../../../x")
    message = "its output deep/out has a link that leads out of it: 'sub/link' -> '../../../x'"
    assert staging.problems() == [message]


def test_links_in_an_output_that_stay_in_it_are_published_as_they_are(small_root: Path) -> None:
    staging = stage(small_root, ("output-folder", "out"))
    (staging.folder / "tree/out").mkdir()
    (staging.folder / "tree/out/a").write_text("text")
    (staging.folder / "tree/out/b").symlink_to("a")
    assert staging.problems() == []
    staging.publish()
    assert os.readlink(small_root / "out/b") == "a"


def test_a_parent_that_became_a_link_moves_nothing_of_the_host(small_root: Path, tmp_path: Path) -> None:
    (tmp_path / "host").mkdir()
    (tmp_path / "host/out").write_text("the host's")
    staging = stage(small_root, ("output-file", "made/out"))
    (staging.folder / "tree/made").rmdir()
    (staging.folder / "tree/made").symlink_to(tmp_path / "host")
    assert staging.problems() == [f"its output made/out lies behind a link: 'made' -> '{tmp_path}/host'"]
    with pytest.raises(LeftBehindError):  # and if nobody asked
        staging.publish()
    assert (tmp_path / "host/out").read_text() == "the host's"
    assert list((small_root / "made").iterdir()) == []


def test_a_set_uid_file_is_published_without_it(small_root: Path) -> None:
    staging = stage(small_root, ("output-file", "x"))
    (staging.folder / "tree/x").touch()
    (staging.folder / "tree/x").chmod(0o6755)
    assert staging.problems() == []
    staging.publish()
    assert stat.S_IMODE((small_root / "x").stat().st_mode) == 0o755


def test_what_is_kept_comes_with_its_own_links(small_root: Path) -> None:
    (small_root / "out/sub").mkdir(parents=True)
    (small_root / "out/sub/file").write_text("one")
    (small_root / "out/link").symlink_to("sub/file")
    (small_root / "out/folder").symlink_to("sub")
    staged = stage(small_root, ("output-folder", "out"), keep_outputs=True).folder / "tree/out"
    assert (staged / "sub/file").read_text() == "one"
    assert (os.readlink(staged / "link"), os.readlink(staged / "folder")) == ("sub/file", "sub")


@pytest.mark.parametrize("target", ["/etc/shadow", "link", "../data"])
def test_what_is_kept_may_not_lead_out(small_root: Path, target: str) -> None:
    (small_root / "out").mkdir()
    (small_root / "out/link").symlink_to(target)
    with pytest.raises(UserError) as caught:
        stage(small_root, ("output-folder", "out"), keep_outputs=True)
    kinds = {"link": "leads in a circle", "/etc/shadow": "leads out of it", "../data": "leads out of it"}
    start = (
        f"the output out, which the stage goes on from (persist), has a link that {kinds[target]}: 'link' -> '{target}'"
    )
    assert caught.value.message.startswith(start)
    assert caught.value.hint == "remove the link, or the whole output to begin anew"
    assert (small_root / "out/link").is_symlink()


def test_the_copy_of_what_is_kept_can_be_stopped(small_root: Path) -> None:
    (small_root / "out").mkdir()
    (small_root / "out/file").write_text("one")
    stop = threading.Event()
    stop.set()
    with pytest.raises(InterruptedRunError):
        stage(small_root, ("output-folder", "out"), keep_outputs=True, stop=stop)
    assert (small_root / "out/file").read_text() == "one"


def test_to_another_disk_outputs_are_copied_and_a_stop_ends_it(
    small_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = os.rename

    def other_disk(source: Path, target: Path, *, src_dir_fd: int | None = None) -> None:
        if src_dir_fd is not None:
            raise OSError(errno.EXDEV, "other disk")
        rename(source, target)

    staging = stage(small_root, ("output-folder", "out"))
    (staging.folder / "tree/out").mkdir()
    (staging.folder / "tree/out/a").write_text("text")
    (staging.folder / "tree/out/b").symlink_to("a")
    monkeypatch.setattr(os, "rename", other_disk)
    stop = threading.Event()
    stop.set()
    with pytest.raises(InterruptedRunError):
        staging.publish(stop)
    assert not (small_root / "out").exists()
    staging.publish()
    assert (small_root / "out/a").read_text() == "text"
    assert os.readlink(small_root / "out/b") == "a"
    assert [path.name for path in small_root.iterdir() if path.name.startswith(".swath")] == []


def test_strays_of_all_kinds_are_listed_and_followed_nowhere(small_root: Path) -> None:
    staging = stage(small_root, ("output-folder", "out"))
    tree = staging.folder / "tree"
    (tree / "etc").symlink_to("/etc")
    (tree / "closed").mkdir(mode=0)
    make_deep(tree, 1200)
    try:
        assert staging.strays(limit=2000)[-2:] == ["etc", "f"]
    finally:
        discard(staging.folder)
    assert not staging.folder.exists()


def test_strays_are_all_but_mount_points_and_outputs(small_root: Path) -> None:
    staging = stage(small_root, ("input-file", "data/a.txt"), ("output-folder", "out"))
    tree = staging.folder / "tree"
    for name in ("out/x", "data/stray", "tmp/y", "top"):
        (tree / name).parent.mkdir(exist_ok=True)
        (tree / name).touch()
    assert staging.strays() == ["data/stray", "tmp/y", "top"]


def test_a_session_is_alive_until_its_process_ends(small_root: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from swath.execute.staging import Session;"
        "s = Session(Path(sys.argv[1])); s.new_folder(); print(s.identifier, flush=True); sys.stdin.read()"
    )
    words = [sys.executable, "-c", code, str(small_root)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        identifier = process.stdout.readline().strip()
        assert list(dead_sessions(small_root)) == []
        process.kill()
    assert list(dead_sessions(small_root)) == [(identifier, small_root / STAGING / identifier)]


def test_a_closed_session_leaves_nothing(small_root: Path) -> None:
    session = Session(small_root)
    assert [session.new_folder().name, session.new_folder().name] == ["1", "2"]
    session.close()
    assert list((small_root / STAGING).iterdir()) == []
