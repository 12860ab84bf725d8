"""A hostile service in a real container: nothing of the host is read, written, moved or mounted because of it."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from support.docker_engine import BUSYBOX_IMAGE
from support.plain_repository import make_repository
from swath.errors import UserError

if TYPE_CHECKING:
    from pathlib import Path

    from support.service_bench import Bench

pytestmark = pytest.mark.docker

# What one service tries, each in an output of its own, with HOST for a folder of the host.
ATTEMPTS = {
    "shadow": ("ln -s /etc/shadow shadow/link", "has a link that leads out of it: 'link' -> '/etc/shadow'ABSOLUTE"),
    "own": ("ln -s HOST/secret own/link", "has a link that leads out of it: 'link' -> 'HOST/secret'ABSOLUTE"),
    "environ": (
        "ln -s /proc/self/environ environ/link",
        "has a link that leads out of it: 'link' -> '/proc/self/environ'ABSOLUTE",
    ),
    "engine": ("ln -s /var/run engine/link", "has a link that leads out of it: 'link' -> '/var/run'ABSOLUTE"),
    "folder": ("mkdir folder/sub; ln -s ../../../.. folder/sub/link",
               "has a link that leads out of it: 'sub/link' -> '../../../..'"),
    "chain": ("ln -s a chain/b; ln -s ../folder chain/a", "has a link that leads out of it: 'a' -> '../folder'"),
    "loop": ("ln -s loop loop/loop", "has a link that leads in a circle: 'loop' -> 'loop'"),
    "deep/parent": ("rm -r deep; ln -s HOST deep", "lies behind a link: 'deep' -> 'HOST'"),
    "itself": ("rmdir itself; ln -s HOST itself", "is a symbolic link to 'HOST'"),
    "pipe": ("mkfifo pipe/pipe", "holds a pipe, a socket or a device: 'pipe'"),
    "odd": ("ln -s /etc/shadow \"$(printf 'odd/a\\nb\\033[31m\\377')\"",
            "has a link that leads out of it: 'a\\nb\\x1b[31m\\udcff' -> '/etc/shadow'ABSOLUTE"),
}  # fmt: skip
# Beside the outputs: a write-protected folder with links, which is cleared up.
STRAYS = """
mkdir -p stray/closed; ln -s HOST/secret stray/closed/link; ln -s HOST stray/closed/folder; chmod 500 stray/closed stray
"""


@pytest.fixture
def host(tmp_path: Path) -> Path:
    """A folder of the host with a file that only its owner reads, and one where a hostile output's name leads."""
    folder = tmp_path / "host"
    (folder / "parent").mkdir(parents=True)
    for name in ("secret", "parent/file"):
        (folder / name).write_text("the host's")
        (folder / name).chmod(0o600)
    folder.chmod(0o700)
    return folder


def state(folder: Path) -> list[tuple[str, int, int]]:
    """Name, mode and time of change of all that is in a folder, and of itself."""
    found = [folder, *sorted(folder.rglob("*"))]
    return [(path.name, path.lstat().st_mode, path.lstat().st_ctime_ns) for path in found]


def test_what_leads_out_of_an_output_is_named_and_nothing_of_the_host_is_touched(bench: Bench, host: Path) -> None:
    before = state(host)
    script = "\n".join(["mkdir -p " + " ".join(ATTEMPTS), *(line for line, _ in ATTEMPTS.values()), STRAYS])
    outcome, _ = bench.run_script(script.replace("HOST", str(host)), arguments=(("outs", tuple(ATTEMPTS)),))
    expected = "; ".join(f"its output {name} {problem}" for name, (_, problem) in ATTEMPTS.items())
    absolute = "; a link in an output must be relative"
    assert outcome.reason == expected.replace("ABSOLUTE", absolute).replace("HOST", str(host))
    assert outcome.exit_code == 1
    assert bench.files() == ["data/a.txt"]
    assert bench.staged() == []
    assert state(host) == before


GOOD = """
mkdir -p "$2/sub"; echo text >"$2/sub/file"; ln -s sub/file "$2/link"; ln -s sub "$2/folder"; ln -s ../link "$2/sub/up"
cp /bin/busybox "$2/root"; chmod 6755 "$2/root"; ln data/a.txt "$2/hard" 2>&1; ln "$2/sub/file" "$2/twin"
ln -s /etc/shadow stray
"""


def test_links_that_stay_inside_are_kept_and_set_uid_is_not(bench: Bench) -> None:
    outcome, log = bench.run_script(GOOD, arguments=(("out-folder", "out"), ("input", "data/a.txt")))
    assert (outcome.exit_code, outcome.reason) == (0, "")
    assert bench.files() == ["data/a.txt", "out/link", "out/root", "out/sub/file", "out/sub/up", "out/twin"]
    assert "cross-device link" in log  # a hard link to an input
    assert [os.readlink(bench.root / "out" / name) for name in ("link", "folder", "sub/up")] == [
        "sub/file", "sub", "../link"
    ]  # fmt: skip
    assert stat.S_IMODE((bench.root / "out/root").stat().st_mode) == 0o755
    assert log.endswith("swath: dropped, since they are no outputs of the stage: stray\n")


def test_what_is_kept_is_not_followed_into_the_container(bench: Bench, host: Path) -> None:
    """Links of an earlier output come as links; those that lead out stop the stage before it starts."""
    (bench.root / "out/sub").mkdir(parents=True)
    (bench.root / "out/sub/file").write_text("one\n")
    (bench.root / "out/link").symlink_to("sub/file")
    kept = (("out-folder", "out"),)
    outcome, log = bench.run_script('readlink "$2/link"; echo two >>"$2/link"', arguments=kept, keep_outputs=True)
    assert (outcome.exit_code, log) == (0, "sub/file\n")
    assert (bench.root / "out/sub/file").read_text() == "one\ntwo\n"
    (bench.root / "out/host").symlink_to(host)
    message = "the output out, which the stage goes on from .persist., has a link that leads out of it: 'host' -> "
    with pytest.raises(UserError, match=message):
        bench.run_script('cat "$2/host/secret"', arguments=kept, keep_outputs=True)


# Through a whole run: what reaches the cache, and what the next stage gets to see.

SERVICE = """
name: task
kind: processing
description: Run a script.
entrypoint: [sh, task.sh]
image: {build: .}
parameters:
  - {name: folder, type: directory, direction: input}
  - {name: script, type: file, direction: input, required: true}
  - {name: out, type: directory, direction: output, required: true}
"""
WORKFLOW = """
stages:
  make:
    cmd: swath exec task --script make.sh --out made
    deps: [services/task, make.sh]
    outs: [made]
  read:
    cmd: swath exec task --script read.sh --folder made --out read
    deps: [services/task, read.sh, made]
    outs: [read]
"""
TASK = """
while [ $# -gt 0 ]; do eval "${1#--}=\\$2"; shift 2; done
. "./$script"
"""


def swath_run(root: Path) -> tuple[int, str]:
    """Exit code and stderr of `swath run` with containers."""
    words = [sys.executable, "-m", "swath", "run", "--runtime", "docker"]
    done = subprocess.run(words, cwd=root, capture_output=True, text=True, check=False)
    return done.returncode, done.stderr


def holds(folder: Path, text: bytes) -> list[Path]:
    """The files below a folder that hold a text."""
    return [path for path in folder.rglob("*") if path.is_file() and text in path.read_bytes()]


def test_neither_the_cache_nor_the_next_stage_gets_what_is_the_hosts(tmp_path: Path, host: Path) -> None:
    root = tmp_path / "repository"
    files = {"services/task/service.yaml": SERVICE, "services/task/task.sh": TASK, "dvc.yaml": WORKFLOW}
    files["services/task/Dockerfile"] = f"FROM {BUSYBOX_IMAGE}\nCOPY . /opt/service\n"
    files |= {
        "make.sh": f'mkdir "$out"; ln -s {host}/secret "$out/link"',
        "read.sh": 'mkdir "$out"; cat "$folder"/* >"$out/all"',
    }
    make_repository(root, files)
    code, said = swath_run(root)
    assert code == 4, said
    assert f"its output made has a link that leads out of it: 'link' -> '{host}/secret'" in said
    assert holds(root / ".dvc", b"the host's") == []
    (root / "make.sh").write_text('mkdir "$out"; echo good >"$out/file"; ln -s file "$out/link"')
    assert swath_run(root)[0] == 0
    assert (root / "read/all").read_text() == "good\ngood\n"
    (root / "made/folder").mkdir()
    (root / "made/folder/link").symlink_to(host / "parent")
    (root / "read.sh").write_text('mkdir "$out"; cat "$folder"/folder/link/file >"$out/all"')
    code, said = swath_run(root)
    assert f"'made/folder/link' is a link to '{host}/parent'" in said
    assert code != 0
    assert holds(root / ".dvc", b"the host's") == []
