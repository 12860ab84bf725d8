"""Sessions, and how outputs come into the workspace; no engine needed."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
from pathlib import Path

from support.staged import stage
from swath.execute.staging import STAGING, Session, dead_sessions, remove_tree


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
        "its output y is a symbolic link",
        "it did not write its output z",
    ]


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


def test_remove_tree_removes_what_is_write_protected(tmp_path: Path) -> None:
    (tmp_path / "x/y").mkdir(parents=True)
    (tmp_path / "x/y/z").touch()
    (tmp_path / "x/y/z").chmod(0o400)
    (tmp_path / "x/y").chmod(0o500)
    (tmp_path / "x").chmod(0o500)
    child = os.fork()  # root may remove everything
    if child == 0:
        try:
            os.chdir(tmp_path)
            if os.getuid() == 0:
                subprocess.run(["chown", "-R", "nobody", str(tmp_path)], check=True)
                os.setuid(pwd.getpwnam("nobody").pw_uid)
            remove_tree(Path("x"))
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    assert not (tmp_path / "x").exists()
