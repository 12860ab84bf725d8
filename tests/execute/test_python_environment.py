from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import pytest

from support.service_repositories import never
from swath.errors import InterruptedRunError, PassingFaultError, UserError
from swath.execute.python_environment import PythonEnvironment, cache_folder, make_environment, python_environment

SOURCE = dict(os.environ)


def requirements(folder: Path, text: str, name: str = "requirements.txt") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)
    return folder / name


def wheel(folder: Path, name: str) -> None:
    """A package of one module, with a command of the same name."""
    folder.mkdir(exist_ok=True)
    info = f"{name}-1.0.dist-info"
    with zipfile.ZipFile(folder / f"{name}-1.0-py3-none-any.whl", "w") as archive:
        archive.writestr(f"{name}.py", "def main():\n    print('here')\n")
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/entry_points.txt", f"[console_scripts]\n{name} = {name}:main\n")
        archive.writestr(f"{info}/RECORD", "")


def make(wanted: PythonEnvironment, stop: threading.Event | None = None) -> None:
    make_environment(wanted, SOURCE, None, stop or never())


def test_the_folder_follows_the_content(tmp_path: Path) -> None:
    first = python_environment([requirements(tmp_path / "a", "six")], None, tmp_path)
    same = python_environment([requirements(tmp_path / "b", "six")], None, tmp_path)
    other = python_environment([requirements(tmp_path / "c", "six==1")], None, tmp_path)
    older = python_environment([requirements(tmp_path / "a", "six")], "3.9", tmp_path)
    assert first.folder == same.folder
    assert len({first.folder, other.folder, older.folder}) == 3


def test_included_files_count(tmp_path: Path) -> None:
    file = requirements(tmp_path, "-r more.txt\n--constraint=pins.txt\n")
    requirements(tmp_path, "-r requirements.txt\nsix", "more.txt")
    folders = set()
    for pins in ("six<1", "six<2"):
        requirements(tmp_path, pins, "pins.txt")
        folders.add(python_environment([file], None, tmp_path).folder)
    assert len(folders) == 2


@pytest.mark.parametrize(
    "line", ["-e .", "./package", "../package", "/package", "file:///package", "x @ file:///package"]
)
def test_local_paths_are_refused(tmp_path: Path, line: str) -> None:
    with pytest.raises(UserError) as caught:
        python_environment([requirements(tmp_path, f"six\n{line}\n")], None, tmp_path)
    assert str(caught.value) == (
        f"{tmp_path}/requirements.txt:2: a local path stands in the requirements\n"
        "  name packages of an index, so that the file says all that is in the environment"
    )


def test_an_included_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none\.txt: cannot read the requirements: "):
        python_environment([requirements(tmp_path, "-r none.txt")], None, tmp_path)


def test_an_environment_is_made_once_and_complete(tmp_path: Path) -> None:
    wheel(tmp_path / "wheels", "swathling")
    text = f"--no-index\n--find-links {tmp_path}/wheels\nswathling\n"
    wanted = python_environment([requirements(tmp_path, text)], None, tmp_path / "cache")
    make(wanted)
    made = wanted.folder.stat().st_ino
    os.utime(wanted.folder, (0, 0))
    make(wanted)
    assert wanted.folder.stat().st_ino == made
    assert wanted.folder.stat().st_mtime > 0  # as used just now, for `swath gc`
    assert subprocess.run([wanted.folder / "bin/swathling"], capture_output=True, check=True).stdout == b"here\n"
    assert list(wanted.folder.rglob("__pycache__/swathling*.pyc"))
    assert sorted(path.name for path in wanted.folder.parent.iterdir()) == [
        wanted.folder.name,
        f"{wanted.folder.name}.lock",
    ]


def test_it_is_isolated(tmp_path: Path) -> None:
    wanted = python_environment([requirements(tmp_path, "")], None, tmp_path)
    make(wanted)
    done = subprocess.run([wanted.python, "-c", "import yaml"], env={}, capture_output=True, text=True, check=False)
    assert "No module named 'yaml'" in done.stderr


def test_leftovers_of_a_killed_process_go(tmp_path: Path) -> None:
    wanted = python_environment([requirements(tmp_path, "")], None, tmp_path)
    wanted.folder.with_name(f"{wanted.folder.name}.1.tmp").mkdir(parents=True)
    (wanted.folder / "bin").mkdir(parents=True)
    (wanted.python).symlink_to("/gone/python")
    make(wanted)
    assert wanted.is_made()
    assert len(list(wanted.folder.parent.iterdir())) == 2


def make_in_process(file: Path, cache: Path) -> None:
    make(python_environment([file], None, cache))


def test_processes_at_once_make_it_together(tmp_path: Path) -> None:
    file = requirements(tmp_path, "")
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=make_in_process, args=(file, tmp_path)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 4
    assert python_environment([file], None, tmp_path).is_made()


def test_requirements_that_cannot_be_met(tmp_path: Path) -> None:
    wanted = python_environment([requirements(tmp_path, "--no-index\nsix==99")], None, tmp_path)
    with pytest.raises(UserError) as caught:
        make(wanted)
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    lines = str(caught.value).splitlines()
    assert lines[0] == f"uv could not make an environment with Python {version} from {tmp_path}/requirements.txt:"
    assert "six" in str(caught.value)
    assert lines[-1] == "  correct the requirements, or `process` in service.yaml"
    assert [path.suffix for path in wanted.folder.parent.iterdir()] == [".lock"]


def test_an_index_that_does_not_answer_is_a_passing_fault(tmp_path: Path) -> None:
    wanted = python_environment([requirements(tmp_path, "--index-url http://127.0.0.1:9/simple\nsix")], None, tmp_path)
    with pytest.raises(PassingFaultError, match="uv could not make an environment"):
        make_environment(wanted, SOURCE | {"UV_HTTP_RETRIES": "0", "UV_CACHE_DIR": str(tmp_path / "uv")}, None, never())


def test_a_stop_ends_it(tmp_path: Path) -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(InterruptedRunError, match="stopped while the environment was made"):
        make(python_environment([requirements(tmp_path, "")], None, tmp_path), stop)


@pytest.mark.parametrize(
    ("variables", "folder"),
    [
        ({"SWATH_CACHE_DIR": "/c", "HOME": "/h"}, "/c"),
        ({"XDG_CACHE_HOME": "/x", "HOME": "/h"}, "/x/swath"),
        ({"HOME": "/h"}, "/h/.cache/swath"),
    ],
)
def test_the_cache_folder(variables: dict[str, str], folder: str) -> None:
    assert cache_folder(variables) == Path(folder)
