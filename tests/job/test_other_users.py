"""Jobs of images with different users in one checkout that the runner keeps, and in one cache that its jobs share.

Real processes of other user ids, which may read everything (the Python of this machine may be root's) and write what
the modes say.
"""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from typing import TYPE_CHECKING

import pytest

from support.job_bench import JobBench, Pipeline
from support.repositories import BIN, Bench

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(
    os.getuid() != 0 or not shutil.which("setpriv"), reason="SKIPPED LOUDLY: only root can be other users, by setpriv"
)
STAGES = {
    name: {"cmd": f"mkdir -p {name} && date +%N > {name}/value && cp in {name}/in", "deps": ["in"], "outs": [name]}
    for name in ("a", "b", "c")
}
USERS = (1000, 2000, 0)


@pytest.fixture
def house(tmp_path: Path) -> JobBench:
    for folder in (tmp_path, *tmp_path.parents):  # access(2) looks at no capability: all must let others through
        if folder.stat().st_mode & 0o011 != 0o011:
            folder.chmod(folder.stat().st_mode | 0o011)
    return JobBench(tmp_path, {"in": "1", "dvc.yaml": {"stages": STAGES}})


def as_user(user: int, pipeline: Pipeline, name: str, bench: Bench, home: Path) -> str:
    """Run a job as a process of a user; its log."""
    reading = "-all,+dac_read_search"
    ids = (f"--reuid={user}", f"--regid={user}", "--clear-groups", f"--inh-caps={reading}", f"--ambient-caps={reading}")
    done = subprocess.run(
        ["setpriv", *ids, str(BIN / "swath"), "job", "run", name, "--plan-digest", pipeline.plan.digest],
        cwd=bench.root,
        env={**pipeline.environ, "GITLAB_CI": "true", "HOME": str(home), "DVC_SITE_CACHE_DIR": str(home / str(user))},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        umask=0o022,  # of the image
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def open_to_all(folder: Path) -> None:
    """Let all write there."""
    subprocess.run(["chmod", "-R", "a+rwX", str(folder)], check=True)


def run_as_each(house: JobBench, bench: Bench, pipeline: Pipeline) -> None:
    """Run the jobs one after the other, each as another user."""
    home = house.root / "home"
    home.mkdir()
    home.chmod(0o777)
    open_to_all(bench.root)  # as the runner's helper makes it, with `umask 0000`
    for user, name in zip(USERS, pipeline.names, strict=True):
        open_to_all(house.far)  # a remote elsewhere knows no users of this machine
        shutil.rmtree(bench.root / ".dvc/tmp", ignore_errors=True)  # as GIT_CLEAN_FLAGS do
        as_user(user, pipeline, name, bench, home)


def closed(folder: Path) -> list[str]:
    """Folders in which others may not write."""
    return [str(path) for path in folder.rglob("*") if path.is_dir() and path.stat().st_mode & 0o777 != 0o777]


def test_a_kept_checkout_is_open_to_the_next_user(house: JobBench) -> None:
    pipeline = house.pipeline()
    bench = pipeline.clone()
    run_as_each(house, bench, pipeline)
    cache = bench.root / ".dvc/cache"
    assert {path.stat().st_uid for path in cache.rglob("*") if path.is_file()} == {1000, 2000, 0}
    assert closed(cache) == []


def test_a_shared_cache_that_is_open_to_all_stays_so(house: JobBench) -> None:
    shared = house.root / "shared"
    shared.mkdir()
    shared.chmod(0o2777)
    house.bench.write({"swath.yaml": f"runners:\n  - {{tags: [docker], cache: {shared}}}\n"})
    house.bench.commit()
    pipeline = house.pipeline()
    bench = pipeline.clone()
    run_as_each(house, bench, pipeline)
    assert {path.stat().st_uid for path in shared.rglob("*") if path.is_file()} == {1000, 2000, 0}
    assert closed(shared) == []


def test_a_checkout_of_one_user_alone_stays_closed_to_others(house: JobBench) -> None:
    """As a runner with the shell executor makes it, on a machine with other users."""
    pipeline = house.pipeline()
    bench = pipeline.clone()
    bench.root.chmod(0o755)
    home = house.root / "home"
    home.mkdir()
    as_user(0, pipeline, "a", bench, home)
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (bench.root / ".dvc/cache").rglob("*") if path.is_dir()}
    assert modes == {0o755}
