"""Sessions, the layout of an attempt, and how outputs come into the workspace; no engine needed."""

from __future__ import annotations

import dataclasses
import os
import pwd
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from swath.errors import UserError
from swath.execute.mounts import HOME, REPOSITORY, VOLUMES
from swath.execute.staging import STAGING, Session, dead_sessions, remove_tree, stage_invocation
from swath.model.invocation import Invocation, Volume
from swath.model.service import Parameter, Service

if TYPE_CHECKING:
    from swath.execute.staging import Staging

OWN = {REPOSITORY, HOME, "/tmp", "/var/tmp", "/run", f"{REPOSITORY}/services/task"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository with a service and two files."""
    for name in ("services/task/program.sh", "data/a.txt", "data/deep/b.txt"):
        path = tmp_path / "repository" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return tmp_path / "repository"


def stage(root: Path, *arguments: tuple[str, str | tuple[str, ...]], **changes: object) -> Staging:
    """Lay out an attempt; a parameter's type and direction are those of its name."""
    kinds = {"file": "file", "folder": "directory", "files": "list[file]"}
    parameters = [
        Parameter(name=f"{direction}-{kind}", type=type_, direction=direction)  # type: ignore[arg-type]
        for kind, type_ in kinds.items()
        for direction in ("input", "output")
    ]
    service = Service(
        name="task", kind="processing", description="", entrypoint=["sh"], parameters=[*parameters, Parameter(
            name="text", type="string")]
    )  # fmt: skip
    invocation = Invocation(service, root / "services/task", arguments, root, ".", root / "scratch")
    invocation = dataclasses.replace(invocation, **changes)  # type: ignore[arg-type] # a test's free choice
    folder = root.parent / "attempt"
    folder.mkdir()
    return stage_invocation(invocation, folder)


def shown(staging: Staging) -> dict[str, str]:
    """What the container sees beside its own folders: target and source."""
    return {bind.target: bind.source for bind in staging.layout.binds if bind.target not in OWN}


def test_inputs_appear_at_their_repository_paths(root: Path) -> None:
    staging = stage(root, ("input-file", "data/a.txt"), ("input-folder", "data/deep"))
    assert shown(staging) == {
        f"{REPOSITORY}/data/a.txt": str(root / "data/a.txt"),
        f"{REPOSITORY}/data/deep": str(root / "data/deep"),
    }
    assert all(bind.read_only for bind in staging.layout.binds if bind.target in shown(staging))


def test_an_input_inside_another_one_is_not_mounted_twice(root: Path) -> None:
    staging = stage(root, ("input-files", ("data/a.txt", "data/deep/b.txt")), ("input-folder", "data"))
    assert shown(staging) == {f"{REPOSITORY}/data": str(root / "data")}


def test_parents_come_before_children(root: Path) -> None:
    staging = stage(root, ("input-folder", "data"))
    targets = [bind.target for bind in staging.layout.binds]
    assert targets.index(REPOSITORY) < targets.index(f"{REPOSITORY}/data")


def test_mount_points_are_made_by_the_caller(root: Path) -> None:
    staging = stage(root, ("input-file", "data/a.txt"), ("input-folder", "data/deep"))
    tree = staging.folder / "tree"
    assert (tree / "data/a.txt").is_file()
    assert (tree / "data/deep").is_dir()
    assert (tree / "services/task").is_dir()


def test_paths_with_a_leading_dash_are_no_options(root: Path) -> None:
    (root / "-rf").touch()
    staging = stage(root, ("input-file", "-rf"), ("text", "-rf"), ("output-file", "-o"))
    assert dict(staging.layout.arguments) == {"input-file": "./-rf", "text": "-rf", "output-file": "./-o"}


def test_absolute_paths_of_the_repository_become_those_of_the_container(root: Path) -> None:
    staging = stage(root, ("input-file", str(root / "data/a.txt")))
    assert dict(staging.layout.arguments) == {"input-file": f"{REPOSITORY}/data/a.txt"}


def test_stale_outputs_go_and_parents_come(root: Path) -> None:
    (root / "old").mkdir()
    (root / "old/x").touch()
    stage(root, ("output-folder", "old"), ("output-file", "new/deep/y"))
    assert not (root / "old").exists()
    assert (root / "new/deep").is_dir()


def test_a_stale_output_that_is_a_link_goes_but_not_its_target(root: Path) -> None:
    (root / "link").symlink_to(root / "data")
    stage(root, ("output-folder", "link"))
    assert not (root / "link").is_symlink()
    assert (root / "data/a.txt").exists()


def test_publish_replaces_what_is_there(root: Path) -> None:
    staging = stage(root, ("output-folder", "out"), ("output-file", "x"))
    (staging.folder / "tree/out").mkdir()
    (staging.folder / "tree/out/new").touch()
    (staging.folder / "tree/x").write_text("new")
    (root / "out").mkdir()
    (root / "out/old").touch()
    (root / "x").write_text("old")
    assert staging.problems() == []
    staging.publish()
    assert [path.name for path in (root / "out").iterdir()] == ["new"]
    assert (root / "x").read_text() == "new"


def test_problems_name_each_output(root: Path) -> None:
    staging = stage(root, ("output-folder", "out"), ("output-files", ("x", "y", "z")))
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


def test_strays_are_all_but_mount_points_and_outputs(root: Path) -> None:
    staging = stage(root, ("input-file", "data/a.txt"), ("output-folder", "out"))
    tree = staging.folder / "tree"
    for name in ("out/x", "data/stray", "tmp/y", "top"):
        (tree / name).parent.mkdir(exist_ok=True)
        (tree / name).touch()
    assert staging.strays() == ["data/stray", "tmp/y", "top"]


@pytest.mark.parametrize("link", ["relative", "absolute"])
def test_links_inside_a_folder_are_followed(root: Path, tmp_path: Path, link: str) -> None:
    (tmp_path / "elsewhere").mkdir()
    said = {"relative": "../../elsewhere", "absolute": str(tmp_path / "elsewhere")}[link]
    (root / "data/link").symlink_to(said)
    seen = {"relative": "/swath/elsewhere", "absolute": said}[link]
    staging = stage(root, ("input-folder", "data"))
    assert shown(staging) == {f"{REPOSITORY}/data": str(root / "data"), seen: str(tmp_path / "elsewhere")}


def test_links_into_a_cache_show_the_cache_once(root: Path, tmp_path: Path) -> None:
    for number in range(20):
        stored = tmp_path / "cache/files/md5" / f"{number:02x}" / ("0" * 30)
        stored.parent.mkdir(parents=True)
        stored.touch()
        (root / "data" / str(number)).symlink_to(stored)
    cache = str(tmp_path / "cache/files/md5")
    assert shown(stage(root, ("input-folder", "data")))[cache] == cache


@pytest.mark.parametrize("target", ["/etc/passwd", "..", "nowhere", "a.txt", "."])
def test_links_that_show_nothing_new_mount_nothing(root: Path, target: str) -> None:
    (root / "data/link").symlink_to(target)
    assert list(shown(stage(root, ("input-folder", "data")))) == [f"{REPOSITORY}/data"]


def test_a_volume_is_mounted_whole(root: Path, tmp_path: Path) -> None:
    staging = stage(root, ("input-folder", "volume:v/a b/c"), volumes={"v": Volume("v", str(tmp_path))})
    assert shown(staging) == {f"{VOLUMES}/v": str(tmp_path)}
    assert dict(staging.layout.arguments) == {"input-folder": f"{VOLUMES}/v/a b/c"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([("input-file", "gone")], "the input 'gone' of TASK is not there"),
        ([("input-folder", ".")], "the input '.' of TASK is the whole repository, or more"),
        ([("output-file", "../x")], "the output '../x' of TASK is not inside the repository"),
        ([("output-folder", ".")], "the output '.' of TASK is not inside the repository"),
        ([("input-folder", "data"), ("output-file", "data/x")],
         "the output 'data/x' of TASK and the input 'data' lie one inside the other"),
        ([("input-file", "data/a.txt"), ("output-folder", "data")],
         "the output 'data' of TASK and the input 'data/a.txt' lie one inside the other"),
        ([("output-file", "services/task/x")],
         "the output 'services/task/x' of TASK and the input 'services/task' lie one inside the other"),
        ([("input-folder", "volume:none")], "the volume 'none' is not known"),
        ([("input-folder", "volume:v/../x")], "'volume:v/../x' leaves the volume v"),
    ],
)  # fmt: skip
def test_what_cannot_be_staged(root: Path, arguments: list[tuple[str, str]], message: str) -> None:
    with pytest.raises(UserError) as caught:
        stage(root, *arguments, volumes={"v": Volume("v", str(root))})
    assert caught.value.message.replace("the service task", "TASK") == message
    assert (root / "data/a.txt").exists()


def test_a_session_is_alive_until_its_process_ends(root: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from swath.execute.staging import Session;"
        "s = Session(Path(sys.argv[1])); s.new_folder(); print(s.identifier, flush=True); sys.stdin.read()"
    )
    words = [sys.executable, "-c", code, str(root)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        identifier = process.stdout.readline().strip()
        assert list(dead_sessions(root)) == []
        process.kill()
    assert list(dead_sessions(root)) == [(identifier, root / STAGING / identifier)]


def test_a_closed_session_leaves_nothing(root: Path) -> None:
    session = Session(root)
    assert [session.new_folder().name, session.new_folder().name] == ["1", "2"]
    session.close()
    assert list((root / STAGING).iterdir()) == []


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
