"""Advice from the end of a log."""

from __future__ import annotations

import pytest

from swath.execute.diagnose import advice, has_no_space, undeclared_paths, why_not_started

HIDDEN = {"data/x.tif", "data/with space.txt", "sub/local.json", "python", "data"}


@pytest.mark.parametrize(
    ("line", "path"),
    [
        ("FileNotFoundError: [Errno 2] No such file or directory: 'data/x.tif'", "data/x.tif"),
        ("cat: data/with space.txt: No such file or directory", "data/with space.txt"),
        ("cat: can't open 'data/x.tif': No such file or directory", "data/x.tif"),
        ("ls: cannot access \u2018data/with space.txt\u2019: No such file or directory", "data/with space.txt"),
        ("Error: ENOENT: no such file or directory, open 'data/x.tif'", "data/x.tif"),
        ("rasterio.errors.RasterioIOError: data/x.tif: No such file or directory", "data/x.tif"),
        ("ERROR 4: /swath/repository/data/x.tif: No such file or directory", "data/x.tif"),
        ("cannot open file data/x.tif", "data/x.tif"),
        ("open data/x.tif: no such file or directory", "data/x.tif"),
        ('could not open "data/x.tif".', "data/x.tif"),
    ],
)
def test_a_hidden_path_is_found(line: str, path: str) -> None:
    tail = f"reading data/x.json\n{line}\nbye"
    assert undeclared_paths(tail, ".", HIDDEN.__contains__) == (path,)


def test_paths_lead_from_the_working_directory() -> None:
    tail = "No such file: 'local.json'\nNo such file: '../data/x.tif'\nNo such file: '../../data'"
    assert undeclared_paths(tail, "sub", HIDDEN.__contains__) == ("sub/local.json", "data/x.tif")


@pytest.mark.parametrize(
    "line",
    [
        "reading data/x.tif",
        "python: can't open file 'none.py': [Errno 2] No such file or directory",
        "No such file: 'none'",
        "No such file: '/data/x.tif'",
        "command not found: python",
        "not found: ''",
    ],
)
def test_nothing_hidden_is_found(line: str) -> None:
    assert undeclared_paths(line, ".", (HIDDEN - {"python"}).__contains__) == ()


def test_each_path_is_named_once() -> None:
    assert undeclared_paths("not found: 'data/x.tif'\n" * 3, ".", HIDDEN.__contains__) == ("data/x.tif",)


@pytest.mark.parametrize(
    ("tail", "start"),
    [
        ("OSError: [Errno 28] No space left on device", "no space is left"),
        ("sh: can't create x: Read-only file system", "it tried to write where it may not"),
        ("socket.gaierror: [Errno -3] Temporary failure in name resolution", "it has no network"),
        ("sh: can't fork: Resource temporarily unavailable", "it may have 20 processes and threads at a time; raise"),
        ("bash: fork: retry: Resource temporarily unavailable", "it may have 20 processes"),
        ("RuntimeError: can't start new thread", "it may have 20 processes"),
        ("BlockingIOError: [Errno 11] Resource temporarily unavailable", "it may have 20 processes"),
        ("java.lang.OutOfMemoryError: unable to create native thread", "it may have 20 processes"),
        ("Error: spawn sh EAGAIN", "it may have 20 processes"),
        ("OpenBLAS: pthread_create failed for thread 7 of 8: Resource temporarily unavailable", "it may have 20"),
        ("socket: Resource temporarily unavailable", "these variables"),
        ("something else", "these variables that it names as secrets are not set: A, B"),
    ],
)
def test_advice(tail: str, start: str) -> None:
    assert advice(tail, network=False, pids=20, absent_secrets=("A", "B")).startswith(start)


def test_no_advice_about_the_network_for_a_service_that_has_it() -> None:
    assert advice("Temporary failure in name resolution", network=True, pids=20) == ""


def test_no_space() -> None:
    assert has_no_space("write error: No space left on device")
    assert not has_no_space("plenty")


def test_why_not_started() -> None:
    said = "[FATAL tini (7)] exec /nowhere failed: No such file or directory\n"
    assert why_not_started(said) == "exec /nowhere failed: No such file or directory"
    assert why_not_started("exec failed") == ""
