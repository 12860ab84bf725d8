"""What a container sees of the repository: inputs, links, volumes; no engine needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.staged import shown, stage
from swath.errors import UserError
from swath.execute.mounts import REPOSITORY, VOLUMES
from swath.model.invocation import Volume

if TYPE_CHECKING:
    from pathlib import Path


def test_inputs_appear_at_their_repository_paths(small_root: Path) -> None:
    staging = stage(small_root, ("input-file", "data/a.txt"), ("input-folder", "data/deep"))
    assert shown(staging) == {
        f"{REPOSITORY}/data/a.txt": str(small_root / "data/a.txt"),
        f"{REPOSITORY}/data/deep": str(small_root / "data/deep"),
    }
    assert all(bind.read_only for bind in staging.layout.binds if bind.target in shown(staging))


def test_an_input_inside_another_one_is_not_mounted_twice(small_root: Path) -> None:
    staging = stage(small_root, ("input-files", ("data/a.txt", "data/deep/b.txt")), ("input-folder", "data"))
    assert shown(staging) == {f"{REPOSITORY}/data": str(small_root / "data")}


def test_parents_come_before_children(small_root: Path) -> None:
    staging = stage(small_root, ("input-folder", "data"))
    targets = [bind.target for bind in staging.layout.binds]
    assert targets.index(REPOSITORY) < targets.index(f"{REPOSITORY}/data")


def test_mount_points_are_made_by_the_caller(small_root: Path) -> None:
    staging = stage(small_root, ("input-file", "data/a.txt"), ("input-folder", "data/deep"))
    tree = staging.folder / "tree"
    assert (tree / "data/a.txt").is_file()
    assert (tree / "data/deep").is_dir()
    assert (tree / "services/task").is_dir()


def test_paths_with_a_leading_dash_are_no_options(small_root: Path) -> None:
    (small_root / "-rf").touch()
    staging = stage(small_root, ("input-file", "-rf"), ("text", "-rf"), ("output-file", "-o"))
    assert dict(staging.layout.arguments) == {"input-file": "./-rf", "text": "-rf", "output-file": "./-o"}


def test_absolute_paths_of_the_repository_become_those_of_the_container(small_root: Path) -> None:
    staging = stage(small_root, ("input-file", str(small_root / "data/a.txt")))
    assert dict(staging.layout.arguments) == {"input-file": f"{REPOSITORY}/data/a.txt"}


@pytest.mark.parametrize("link", ["relative", "absolute"])
def test_links_inside_a_folder_are_followed(small_root: Path, tmp_path: Path, link: str) -> None:
    (tmp_path / "elsewhere").mkdir()
    said = {"relative": "../../elsewhere", "absolute": str(tmp_path / "elsewhere")}[link]
    (small_root / "data/link").symlink_to(said)
    seen = {"relative": "/swath/elsewhere", "absolute": said}[link]
    staging = stage(small_root, ("input-folder", "data"))
    assert shown(staging) == {f"{REPOSITORY}/data": str(small_root / "data"), seen: str(tmp_path / "elsewhere")}


def test_links_into_a_cache_show_the_cache_once(small_root: Path, tmp_path: Path) -> None:
    for number in range(20):
        stored = tmp_path / "cache/files/md5" / f"{number:02x}" / ("0" * 30)
        stored.parent.mkdir(parents=True)
        stored.touch()
        (small_root / "data" / str(number)).symlink_to(stored)
    cache = str(tmp_path / "cache/files/md5")
    assert shown(stage(small_root, ("input-folder", "data")))[cache] == cache


@pytest.mark.parametrize("target", ["/etc/passwd", "..", "nowhere", "a.txt", "."])
def test_links_that_show_nothing_new_mount_nothing(small_root: Path, target: str) -> None:
    (small_root / "data/link").symlink_to(target)
    assert list(shown(stage(small_root, ("input-folder", "data")))) == [f"{REPOSITORY}/data"]


def test_a_volume_is_mounted_whole(small_root: Path, tmp_path: Path) -> None:
    staging = stage(small_root, ("input-folder", "volume:v/a b/c"), volumes={"v": Volume("v", str(tmp_path))})
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
def test_what_cannot_be_staged(small_root: Path, arguments: list[tuple[str, str]], message: str) -> None:
    with pytest.raises(UserError) as caught:
        stage(small_root, *arguments, volumes={"v": Volume("v", str(small_root))})
    assert caught.value.message.replace("the service task", "TASK") == message
    assert (small_root / "data/a.txt").exists()
