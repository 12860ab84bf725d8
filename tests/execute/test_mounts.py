"""What a container sees of the repository: inputs, links, volumes; no engine needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.staged import shown, stage
from swath.errors import UserError
from swath.execute.mounts import REPOSITORY, VOLUMES
from swath.model.invocation import Origins, Volume

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


@pytest.mark.parametrize("target", ["/etc/passwd", "/var/run", "..", "nowhere", "a.txt", ".", "link"])
def test_links_that_show_nothing_new_mount_nothing(small_root: Path, target: str) -> None:
    (small_root / "data/link").symlink_to(target)
    assert list(shown(stage(small_root, ("input-folder", "data")))) == [f"{REPOSITORY}/data"]


def in_cache(folder: Path, name: str = "ab") -> Path:
    """An object of a cache."""
    stored = folder / "files/md5" / name / ("0" * 30)
    stored.parent.mkdir(parents=True)
    stored.touch()
    return stored


def test_what_has_the_form_of_a_cache_is_no_reason_to_show_its_folder(small_root: Path, tmp_path: Path) -> None:
    (tmp_path / "home/ab").mkdir(parents=True)
    (tmp_path / "home/secret").touch()
    (small_root / "data/link").symlink_to(tmp_path / "home/ab" / ("0" * 30))
    assert list(shown(stage(small_root, ("input-folder", "data")))) == [f"{REPOSITORY}/data"]


def test_another_cache_than_ours_is_shown_file_by_file(small_root: Path, tmp_path: Path) -> None:
    """Where the user links to it; in what a stage makes it is an error."""
    other = in_cache(tmp_path / "other")
    (small_root / "data/link").symlink_to(other)
    known = Origins(cache=str(tmp_path / "cache"))
    assert shown(stage(small_root, ("input-folder", "data"), origins=known))[str(other)] == str(other)


MADE = frozenset({"data"})
REFUSED = "{place!r} is a link to {text!r}: what a stage makes may lead only to itself and to DVC's cache"


@pytest.mark.parametrize("relative", [False, True])
def test_a_link_in_what_a_stage_makes_mounts_nothing_of_the_host(
    small_root: Path, tmp_path: Path, *, relative: bool
) -> None:
    (tmp_path / "host").mkdir()
    text = "../../../host" if relative else str(tmp_path / "host")
    (small_root / "data/deep/link").symlink_to(text)
    with pytest.raises(UserError) as caught:
        stage(small_root, ("input-folder", "data"), origins=Origins(MADE))
    assert caught.value.message == REFUSED.format(place="data/deep/link", text=text)
    assert caught.value.hint == "remove it, then restore what the stage made: dvc checkout --force data/deep/link"


def test_a_link_in_what_a_stage_makes_leads_to_no_other_cache(small_root: Path, tmp_path: Path) -> None:
    other = in_cache(tmp_path / "other")
    (small_root / "data/link").symlink_to(other)
    with pytest.raises(UserError) as caught:
        stage(small_root, ("input-folder", "data"), origins=Origins(MADE, str(tmp_path / "cache")))
    assert caught.value.message == REFUSED.format(place="data/link", text=str(other))


def test_what_a_stage_makes_may_be_links_into_the_cache_and_into_itself(small_root: Path, tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "cache").symlink_to("disk")  # the cache may lie behind a link of the user's
    one, two = in_cache(tmp_path / "cache"), in_cache(tmp_path / "cache", "cd")
    (small_root / "data/link").symlink_to(one)
    (small_root / "data/inner").symlink_to("deep")
    (small_root / "file").symlink_to(two)
    origins = Origins(MADE | {"file"}, str(tmp_path / "cache"))
    arguments = [("input-files", ("data/inner/b.txt", "file")), ("input-folder", "data/deep"), ("input-folder", "data")]
    found = shown(stage(small_root, *arguments, origins=origins))
    assert found == {
        f"{REPOSITORY}/data": str(small_root / "data"),
        f"{REPOSITORY}/file": str(tmp_path / "disk/files/md5/cd" / ("0" * 30)),
        str(tmp_path / "cache/files/md5"): str(tmp_path / "disk/files/md5"),
    }


@pytest.mark.parametrize("place", ["data", "data/deep"])
def test_an_input_that_a_stage_makes_is_no_link_to_the_host(small_root: Path, tmp_path: Path, place: str) -> None:
    (tmp_path / "host").mkdir()
    (tmp_path / "host/b.txt").touch()
    (small_root / "data").rename(tmp_path / "old")
    if place == "data":
        (small_root / "data").symlink_to(tmp_path / "host")
    else:
        (small_root / "data").mkdir()
        (small_root / "data/deep").symlink_to(tmp_path / "host")
    for value in (place, f"{place}/b.txt"):
        with pytest.raises(UserError) as caught:
            stage(small_root, ("input-file", value), origins=Origins(MADE))
        assert caught.value.message == REFUSED.format(place=place, text=f"{tmp_path}/host")
        (tmp_path / "attempt").rmdir()


def test_a_folder_that_the_user_links_to_another_disk_is_mounted(small_root: Path, tmp_path: Path) -> None:
    (tmp_path / "disk/made").mkdir(parents=True)
    (tmp_path / "disk/made/x").touch()
    (small_root / "big").symlink_to(tmp_path / "disk")
    origins = Origins(frozenset({"big/made"}))
    found = shown(stage(small_root, ("input-file", "big/made/x"), ("input-folder", "data"), origins=origins))
    assert found[f"{REPOSITORY}/big/made/x"] == str(tmp_path / "disk/made/x")


@pytest.mark.parametrize("target", ["/etc", "/proc/self", "/var/run"])
def test_no_input_is_a_link_into_the_system(small_root: Path, target: str) -> None:
    (small_root / "link").symlink_to(target)
    with pytest.raises(UserError, match=r"the input link is a link into /.*, which no service sees"):
        stage(small_root, ("input-folder", "link"))


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
