"""What a service may leave behind, and that looking at it touches nothing else."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.deep import make_deep
from swath.files.left_behind import LeftBehindError, check_output, folder_of
from swath.files.removal import remove

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """An output folder with a file in a folder, beside something that is none of its business."""
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "tree/data/out/sub").mkdir(parents=True)
    (tmp_path / "tree/data/out/sub/file").write_text("text")
    return tmp_path / "tree/data/out"


def problem(out: Path, *, is_directory: bool = True, seen_at: str | None = None) -> str:
    """What the check says of the output ``data/out`` of `tree`; empty: nothing."""
    try:
        with folder_of(str(out.parent.parent), "data/out") as folder:
            check_output(folder, "out", is_directory=is_directory, seen_at=seen_at)
    except LeftBehindError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    "link",
    [
        ("flink", "sub/file"), ("folder", "sub"), ("sub/up", ".."), ("sub/around", "../sub/./file"), ("dot", "."),
        ("twice", "flink"), ("sub/through", "../folder/file"), ("sub//x", "../sub/../sub/file"),
    ],
)  # fmt: skip
def test_links_that_stay_in_the_output_are_allowed(out: Path, link: tuple[str, str]) -> None:
    (out / "flink").symlink_to("sub/file")
    (out / "folder").symlink_to("sub")
    if not (out / link[0]).is_symlink():
        (out / link[0]).symlink_to(link[1])
    assert problem(out) == ""


@pytest.mark.parametrize(
    ("place", "target"),
    [
        ("link", "/etc/shadow"), ("link", "/proc/self/environ"), ("link", "/"), ("link", "//etc"), ("link", ".."),
        ("link", "../../../secret"), ("link", "../out/sub/file"), ("link", "sub/../../out"), ("link", "./sub/../.."),
        ("link", "/swath/repository/data/out/sub"), ("sub/link", "../.."), ("sub/link", "../../out/sub/file"),
        ("sub/link", "/etc/shadow"),
    ],
)  # fmt: skip
def test_links_that_lead_out_are_named(out: Path, place: str, target: str) -> None:
    (out / place).symlink_to(target)
    (out / "zzz").symlink_to("sub")
    more = "; a link in an output must be relative" if target.startswith("/") else ""
    assert problem(out) == f"has a link that leads out of it: {place!r} -> {os.readlink(out / place)!r}{more}"


@pytest.mark.parametrize("target", ["gone", "sub/gone", "sub/file/x", "gone/../sub"])
def test_links_to_nothing_are_named(out: Path, target: str) -> None:
    (out / "link").symlink_to(target)
    assert problem(out) == f"has a link to nothing: 'link' -> {target!r}"


def test_a_chain_that_leads_out_is_named_by_its_first_link(out: Path) -> None:
    (out / "a").symlink_to("sub/b")
    (out / "sub/b").symlink_to("../c")
    (out / "c").symlink_to("../../../secret")
    assert problem(out) == "has a link that leads out of it: 'a' -> 'sub/b'"


def test_a_way_through_a_link_to_a_folder_is_followed_where_it_leads(out: Path) -> None:
    (out / "sub/inner").mkdir()
    (out / "a").symlink_to("sub/inner")
    (out / "b").symlink_to("a/../file")  # of sub, not of out
    assert problem(out) == ""
    (out / "c").symlink_to("a/../../../secret")
    assert problem(out) == "has a link that leads out of it: 'c' -> 'a/../../../secret'"


@pytest.mark.parametrize("links", [[("a", "a")], [("a", "b"), ("b", "a")], [("a", "sub/x"), ("sub/x", "../a/y")]])
def test_circles_are_named(out: Path, links: list[tuple[str, str]]) -> None:
    for place, target in links:
        (out / place).symlink_to(target)
    assert problem(out) == f"has a link that leads in a circle: 'a' -> {links[0][1]!r}"


def test_absolute_links_to_the_output_itself_are_allowed_where_they_hold(out: Path) -> None:
    (out / "a").symlink_to(out / "sub/file")
    assert problem(out, seen_at=str(out)) == ""
    (out / "b").symlink_to(f"{out}/../../../secret")
    assert problem(out, seen_at=str(out)).startswith("has a link that leads out of it: 'b'")
    (out / "b").unlink()
    (out / "b").symlink_to(f"{out}-other/x")
    assert problem(out, seen_at=str(out)).startswith("has a link that leads out of it: 'b'")


@pytest.mark.parametrize("name", [b"new\nline", b"escape\x1b[31m", b"\xff\xfe latin", "ü".encode()])
def test_names_of_all_kinds_are_shown_in_one_printable_line(out: Path, name: bytes) -> None:
    os.symlink(b"/etc/\xff\n", os.fsencode(out) + b"/" + name)
    found = problem(out)
    assert found.startswith("has a link that leads out of it: '")
    assert found.isprintable()
    found.encode()


def test_a_file_behind_a_parent_that_is_a_link_is_not_looked_at(out: Path, tmp_path: Path) -> None:
    (tmp_path / "host/out").mkdir(parents=True)
    out.parent.rename(tmp_path / "moved")
    (tmp_path / "tree/data").symlink_to(tmp_path / "host")
    assert problem(out) == f"lies behind a link: 'data' -> '{tmp_path}/host'"


def test_an_output_that_is_a_link_says_where_it_leads(out: Path) -> None:
    (out.parent / "other").mkdir()
    out.rename(out.parent / "real")
    out.symlink_to("other")
    assert problem(out) == "is a symbolic link to 'other'"
    assert problem(out, is_directory=False) == "is a symbolic link to 'other'"


def test_the_kind_is_that_of_the_interface(out: Path) -> None:
    assert problem(out, is_directory=False) == "is a directory"
    subprocess.run(["rm", "-r", str(out)], check=True)
    out.touch()
    assert problem(out) == "is not a directory"
    assert problem(out, is_directory=False) == ""


def test_what_is_not_there_is_told_apart(out: Path) -> None:
    with pytest.raises(FileNotFoundError), folder_of(str(out.parent), "out") as folder:
        check_output(folder, "gone", is_directory=True)
    with pytest.raises(FileNotFoundError), folder_of(str(out), "gone/x"):
        pass
    with pytest.raises(FileNotFoundError), folder_of(str(out), "sub/file/x"):
        pass


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))


@pytest.mark.parametrize("make", [os.mkfifo, _socket], ids=["pipe", "socket"])
def test_pipes_and_sockets_are_faults(out: Path, make: Callable[[Path], None]) -> None:
    make(out / "sub/odd")
    assert problem(out) == "holds a pipe, a socket or a device: 'sub/odd'"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_devices_are_faults(out: Path) -> None:
    try:
        os.mknod(out / "null", 0o666 | stat.S_IFCHR, os.makedev(1, 3))
    except PermissionError:
        pytest.skip("this machine lets nobody make devices")
    assert problem(out) == "holds a pipe, a socket or a device: 'null'"


def test_set_uid_goes_and_other_modes_stay(out: Path) -> None:
    (out / "sub/file").chmod(0o6755)
    (out / "plain").touch()
    (out / "plain").chmod(0o600)
    out.chmod(0o2775)  # folders hand their group on: that is how teams share a workspace
    assert problem(out) == ""
    assert stat.S_IMODE((out / "sub/file").stat().st_mode) == 0o755
    assert stat.S_IMODE((out / "plain").stat().st_mode) == 0o600
    assert stat.S_IMODE(out.stat().st_mode) == 0o2775


def test_set_uid_goes_from_a_file_output_too(out: Path) -> None:
    (out.parent / "file").touch()
    (out.parent / "file").chmod(0o4000)
    with folder_of(str(out.parent.parent), "data/file") as folder:
        check_output(folder, "file", is_directory=False)
    assert stat.S_IMODE((out.parent / "file").stat().st_mode) == 0


def test_what_is_deeper_than_any_path_is_a_fault(out: Path) -> None:
    make_deep(out, 3000)
    try:
        assert problem(out) == "has more than 256 folders below each other"
    finally:
        remove(out)  # pytest cannot


NAMES = st.sampled_from(["a", "b", "sub", "sub/c", "sub/deep/d"])
TARGETS = st.lists(st.sampled_from(["a", "b", "c", "d", "sub", "deep", "..", ".", "file", ""]), max_size=5)


@settings(deadline=None)
@given(st.dictionaries(NAMES, st.tuples(st.booleans(), TARGETS), max_size=5))
def test_the_check_agrees_with_the_system(links: dict[str, tuple[bool, list[str]]]) -> None:
    """With random links: what it lets through resolves to something inside, and the rest does not."""
    with tempfile.TemporaryDirectory() as top:
        out = Path(top, "data/out")
        (out / "sub/deep").mkdir(parents=True)
        (out / "file").touch()
        for place, (is_absolute, parts) in links.items():
            if place != "sub":
                said = "/".join(parts).lstrip("/") or "."
                (out / place).symlink_to(f"{out}/{said}" if is_absolute else said)
        made = [path for path in (out / place for place in links) if path.is_symlink()]
        good = all(_is_inside(path, out) for path in made)
        assert (problem(out, seen_at=str(out)) == "") == good


def _is_inside(link: Path, out: Path) -> bool:
    """Whether the system resolves a link to something in `out`, and never leaves it on the way."""
    seen = link.parent
    todo = [*reversed(os.readlink(link).split("/"))]
    if os.readlink(link).startswith("/"):
        seen, todo = out, [*reversed(os.readlink(link)[len(str(out)) + 1 :].split("/"))]
    for _ in range(200):
        if not todo:
            return True
        part = todo.pop()
        if part == "..":
            seen = seen.parent
        elif part not in {"", "."}:
            here = seen / part
            if here.is_symlink():
                text = os.readlink(here)
                seen, text = (out, text[len(str(out)) + 1 :]) if text.startswith("/") else (seen, text)
                todo += reversed(text.split("/"))
            elif here.exists():
                seen = here
            else:
                return False
        if seen != out and out not in seen.parents:
            return False
    return False
