"""`files/modes.py`: the umask is read, never set."""

from __future__ import annotations

import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from swath.files.modes import make_open_folders

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = "import sys; from swath.files.modes import process_umask; print(oct(process_umask(*sys.argv[1:])))"


@pytest.mark.parametrize("mask", [0o000, 0o002, 0o022, 0o077])
@pytest.mark.parametrize("status", ["/proc/self/status", "/proc/self/cmdline", "/none"])
def test_it_is_what_the_process_was_started_with(mask: int, status: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, status], umask=mask, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == oct(mask)


def test_open_folders_are_open_whatever_the_umask_is(tmp_path: Path) -> None:
    command = f"from swath.files.modes import make_open_folders; make_open_folders('{tmp_path}/a/b')"
    subprocess.run([sys.executable, "-c", command], umask=0o077, check=True)
    assert [oct((tmp_path / name).stat().st_mode & 0o7777) for name in ("a", "a/b")] == ["0o777", "0o777"]
    (tmp_path / "a").chmod(0o700)
    make_open_folders(str(tmp_path / "a/b"))
    assert (tmp_path / "a").stat().st_mode & 0o7777 == 0o700  # only new ones


def test_several_make_one_folder_at_once(tmp_path: Path) -> None:
    threads = [threading.Thread(target=make_open_folders, args=(str(tmp_path / "a/b/c"),)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (tmp_path / "a/b/c").is_dir()
