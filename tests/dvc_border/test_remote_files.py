"""`dvc_border/remote_files.py`: a remote in a local folder, and faults that work on it raises on purpose."""

from __future__ import annotations

import errno
import threading
from pathlib import Path
from typing import Any

import pytest

from support.repositories import make_repository
from swath.dvc_border.patience import Patience
from swath.dvc_border.remote_files import RemoteFiles
from swath.dvc_border.repository import Repository
from swath.errors import PassingFaultError, UserError

QUICK = Patience(stall_s=30, pauses_s=(0.0, 0.0))


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository whose default remote is the folder `far` beside it."""
    folder = tmp_path_factory.mktemp("remote-files")
    config = f"[core]\n    remote = far\n['remote \"far\"']\n    url = {folder}/far\n"
    make_repository(folder / "repo", {".dvc/config": config})
    return folder


@pytest.fixture
def far(root: Path) -> RemoteFiles:
    return RemoteFiles(Repository(root / "repo"), patience=QUICK)


def test_what_is_written_is_read_and_replaced_whole(far: RemoteFiles, root: Path) -> None:
    far.write("swath/1/a.json", b"one")
    assert far.read("swath/1/a.json") == b"one"
    far.write("swath/1/a.json", b"2")
    assert far.read("swath/1/a.json") == b"2"
    assert list((root / "far/swath/tmp").iterdir()) == []


def test_what_is_not_there_reads_as_none(far: RemoteFiles) -> None:
    far.write("read/a", b"")
    assert far.read_all(["read/a", "read/b", "read", "no/such/folder"]) == [b"", None, None, None]
    assert far.read_all([]) == []


def test_files_come_and_go(far: RemoteFiles, tmp_path: Path, root: Path) -> None:
    (tmp_path / "here").write_bytes(b"data")
    far.put([(str(tmp_path / "here"), "put/x/file")])
    assert far.exist(["put/x/file", "put/x/other"]) == [True, False]
    assert far.get([("put/x/file", str(tmp_path / "back")), ("put/x/none", str(tmp_path / "none"))]) == [True, False]
    assert (tmp_path / "back").read_bytes() == b"data"
    assert [path.name for path in (root / "far/put/x").iterdir()] == ["file"]
    far.remove(["put/x/file", "put/x/file2"])
    assert far.exist(["put/x/file"]) == [False]


def test_holes_stay_holes_in_a_folder(far: RemoteFiles, tmp_path: Path, root: Path) -> None:
    with (tmp_path / "sparse").open("wb") as file:
        file.write(b"begin")
        file.truncate(64 * 2**20)
    far.put([(str(tmp_path / "sparse"), "put/sparse")])
    assert far.get([("put/sparse", str(tmp_path / "back"))]) == [True]
    for path in (root / "far/put/sparse", tmp_path / "back"):
        assert (path.stat().st_size, path.stat().st_blocks < 100) == (64 * 2**20, True)


def test_listings_are_sorted_and_of_this_folder_alone(far: RemoteFiles) -> None:
    for path in ("list/b/2", "list/b/1", "list/a", "listing/z"):
        far.write(path, b"")
    assert far.names(["list", "list/b", "list/none", "list/a"]) == [["a", "b"], ["1", "2"], [], ["a"]]
    assert far.files("list") == ("list/a", "list/b/1", "list/b/2")
    assert far.files("list/") == far.files("list")
    assert far.files("none") == ()


def failing(far: RemoteFiles, error: Exception, calls: list[str]) -> Exception:
    """What becomes of an error of the file system."""

    def work(_fs: Any, item: str, _pulse: Any) -> None:
        calls.append(item)
        raise error

    with pytest.raises((PassingFaultError, UserError)) as caught:
        far.each(["a"], work, "read from")
    assert caught.value.__cause__ is error
    return caught.value


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ConnectionError("down"), "ConnectionError: down"),
        (TimeoutError(), "TimeoutError"),
        (OSError("ssh://me:pw@host/x is down"), "OSError: ssh://host/x is down"),
        (OSError("ssh://me:p@w@host/x@y is down"), "OSError: ssh://host/x@y is down"),
    ],
)
def test_a_remote_that_is_down_is_a_fault_that_passes_without_credentials(
    far: RemoteFiles, error: Exception, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    calls: list[str] = []
    found = failing(far, error, calls)
    said = f"swath: the DVC remote 'far' cannot be read from: {text}; it is tried again in 0 s"
    assert caplog.messages == [said, said]
    assert (type(found), str(found)) == (
        PassingFaultError,
        f"the DVC remote 'far' cannot be read from: {text}; it was tried 3 times: see whether it is up, then try again",
    )
    assert calls == ["a"] * 3


class _Answer:
    def __init__(self, status_code: int) -> None:
        self.status_code = status_code


def answered(status: int) -> Exception:
    """An error as `requests` raises it."""
    error = OSError(f"status {status}")
    error.response = _Answer(status)  # type: ignore[attr-defined]
    return error


def caused(cause: Exception) -> Exception:
    """An error that another one caused."""
    error = OSError("cannot")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (PermissionError("no"), "PermissionError: no"),
        (answered(401), "OSError: status 401"),
        (answered(403), "OSError: status 403"),
        (caused(PermissionError("no")), "OSError: cannot"),
    ],
)
def test_a_refusal_is_the_users_and_tried_once(far: RemoteFiles, error: Exception, text: str) -> None:
    calls: list[str] = []
    found = failing(far, error, calls)
    assert (type(found), str(found)) == (
        UserError,
        (
            f"the DVC remote 'far' refuses to be read from: {text}\n"
            "  renew its credentials: .dvc/config.local, in CI the file variable SWATH_DVC_CONFIG"
        ),
    )
    assert calls == ["a"]


def test_another_answer_is_tried_again(far: RemoteFiles) -> None:
    calls: list[str] = []
    assert isinstance(failing(far, answered(503), calls), PassingFaultError)
    assert len(calls) == 3


def test_a_full_disk_is_told_and_tried_once(far: RemoteFiles) -> None:
    calls: list[str] = []
    found = failing(far, OSError(errno.ENOSPC, "No space left on device"), calls)
    assert str(found) == (
        "no space left on this machine: OSError: [Errno 28] No space left on device; free some, or move the cache"
    )
    assert calls == ["a"]


def test_what_dvc_lacks_is_said_by_its_extra(far: RemoteFiles) -> None:
    found = failing(far, ImportError("no module"), [])
    assert str(found) == ("DVC cannot reach the remote 'far' (local): ImportError: no module\n  install dvc[local]")


def test_without_a_default_remote_one_must_be_named(tmp_path: Path) -> None:
    make_repository(tmp_path, {})
    with pytest.raises(UserError) as caught:
        RemoteFiles(Repository(tmp_path))
    assert str(caught.value) == "no DVC remote is specified\n  set a default remote: dvc remote add -d NAME URL"


def test_a_remote_that_is_not_there_is_the_users(root: Path) -> None:
    with pytest.raises(UserError) as caught:
        RemoteFiles(Repository(root / "repo"), "near")
    assert str(caught.value) == (
        "config file error: remote 'near' doesn't exist\n  see: dvc remote list; correct the remote 'near' in .dvc/config"
    )


def test_a_folder_is_no_store_of_objects(far: RemoteFiles) -> None:
    assert (far.name, far.protocol, far.is_flat, 1 <= far.jobs <= 32) == ("far", "local", False, True)


@pytest.mark.parametrize("flat", [False, True])
def test_a_write_that_stalled_never_overwrites_a_later_one(
    root: Path, monkeypatch: pytest.MonkeyPatch, *, flat: bool
) -> None:
    far = RemoteFiles(Repository(root / "repo"), patience=Patience(stall_s=0.2, pauses_s=(0.01,)))
    if flat:
        monkeypatch.setattr(far, "protocol", "s3")  # files are shown when they are whole
        (root / "far").mkdir(exist_ok=True)
    kind, released, tries = type(far._file_system), threading.Event(), []
    real = kind.pipe_file

    def pipe_file(fs: object, path: str, data: bytes, **options: object) -> None:
        tries.append(threading.current_thread())
        if len(tries) == 1:
            released.wait(20)
        real(fs, path, data, **options)

    monkeypatch.setattr(kind, "pipe_file", pipe_file)
    far.write("late.json", b"first")
    far.write("late.json", b"second")
    released.set()
    tries[0].join(10)
    assert far.read("late.json") == b"second"
    far.remove(["late.json"])


def test_a_file_that_was_removed_is_not_brought_back_by_a_write_that_stalled(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    far = RemoteFiles(Repository(root / "repo"), patience=Patience(stall_s=0.2, pauses_s=(0.01,)))
    monkeypatch.setattr(far, "protocol", "s3")
    kind, released, tries = type(far._file_system), threading.Event(), []
    real = kind.pipe_file
    (root / "far").mkdir(exist_ok=True)

    def pipe_file(fs: object, path: str, data: bytes, **options: object) -> None:
        tries.append(threading.current_thread())
        if len(tries) == 1:
            released.wait(20)
        real(fs, path, data, **options)

    monkeypatch.setattr(kind, "pipe_file", pipe_file)
    far.write("gone.json", b"first")
    far.remove(["gone.json"])
    released.set()
    tries[0].join(10)
    assert far.read("gone.json") is None


def test_a_try_to_send_that_stalled_leaves_no_half_file(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    far = RemoteFiles(Repository(root / "repo"), patience=Patience(stall_s=0.2, pauses_s=(0.01,)))
    (root / "here").write_bytes(b"data")
    kind, released, tries = type(far._file_system), threading.Event(), []
    real = kind.put_file

    def put_file(fs: object, source: str, target: str, **options: object) -> None:
        tries.append(threading.current_thread())
        real(fs, source, target, **options)
        if len(tries) == 1:
            released.wait(20)

    monkeypatch.setattr(kind, "put_file", put_file)
    far.put([(str(root / "here"), "stalled/file")])
    released.set()
    tries[0].join(10)
    assert far.files("stalled") == ("stalled/file",)
