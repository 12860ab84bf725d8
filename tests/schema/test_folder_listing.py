"""`schema/folder_listing.py`: what DVC writes is read back; what could leave the folder is refused."""

from __future__ import annotations

import json

import pytest

from swath.schema.folder_listing import DamagedListingError, FileHash, is_path_inside, listing_bytes, read_listing

A, B = "a" * 32, "b" * 32


def text(*paths: str) -> bytes:
    return json.dumps([{"md5": A, "relpath": path} for path in paths]).encode()


def test_the_listing_is_in_the_form_of_dvc_and_comes_back() -> None:
    files = (FileHash("a", B), FileHash("sub/ä", A))
    data = listing_bytes(reversed(files))
    assert data == f'[{{"md5": "{B}", "relpath": "a"}}, {{"md5": "{A}", "relpath": "sub/\\u00e4"}}]'.encode()
    assert read_listing(data) == files


@pytest.mark.parametrize("paths", [(), ("a/b", "a/c", "ab"), ("a b", ".hidden", "..x", "x..", "a\\b", "-", "a:b")])
def test_what_folders_may_hold_is_taken(paths: tuple[str, ...]) -> None:
    assert tuple(file.relpath for file in read_listing(text(*paths))) == paths


@pytest.mark.parametrize(
    "path",
    ["../x", "a/../../x", "a/..", "..", "/etc/passwd", "/", "//x", "", ".", "./a", "a/.", "a//b", "a/", "a\0b",
     "\ud800", "b\udcffd"],
)  # fmt: skip
def test_a_path_that_is_none_inside_the_folder_is_refused(path: str) -> None:
    with pytest.raises(DamagedListingError) as caught:
        read_listing(text("fine", path))
    assert str(caught.value) == f"it names the file {path!r}, which is no path inside the folder"


@pytest.mark.parametrize(
    ("paths", "reason"),
    [
        (("a", "b", "a"), "it names the file 'a' twice"),
        (("a", "a/b"), "it names 'a' both as a file and as a folder"),
        (("x/y/z", "x/y/w", "x/y"), "it names 'x/y' both as a file and as a folder"),
    ],
)
def test_a_name_that_means_two_things_is_refused(paths: tuple[str, ...], reason: str) -> None:
    with pytest.raises(DamagedListingError) as caught:
        read_listing(text(*paths))
    assert str(caught.value) == reason


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "it is not JSON"),
        (b'[{"md5": "aa", "rel', "it is not JSON"),
        (b'[{"md5": "' + A.encode() + b'", "relpath": "\xff"}]', "it is not JSON"),
        (b"[" * 100_000, "it is not JSON"),
        (b"{}", "it is not a list of files"),
        (b"null", "it is not a list of files"),
        (b'["a"]', "an entry of it is not a file with `md5` and `relpath`"),
        (b'[{"md5": "' + A.encode() + b'"}]', "an entry of it is not a file with `md5` and `relpath`"),
        (b'[{"relpath": "a"}]', "an entry of it is not a file with `md5` and `relpath`"),
        (b'[{"md5": 1, "relpath": "a"}]', "an entry of it is not a file with `md5` and `relpath`"),
        (b'[{"md5": "../../../etc/shadow", "relpath": "a"}]',
         "the hash '../../../etc/shadow' of the file 'a' is no MD5"),
        (b'[{"md5": "' + A.upper().encode() + b'", "relpath": "a"}]', f"the hash {A.upper()!r} of the file 'a' is no MD5"),
    ],
)  # fmt: skip
def test_what_is_no_listing_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(DamagedListingError) as caught:
        read_listing(data)
    assert str(caught.value) == reason


def test_a_long_listing_is_read_at_once() -> None:
    assert len(read_listing(text(*(f"{n % 100}/{n % 1000}/{n}" for n in range(20_000))))) == 20_000


@pytest.mark.parametrize(
    ("path", "inside"),
    [("a/b", True), ("a", True), ("../a", False), ("/a", False), ("", False), ("\ud800", False), ("b\udcff", True)],
)
def test_a_path_inside(path: str, inside: bool) -> None:  # noqa: FBT001
    assert is_path_inside(path) is inside
