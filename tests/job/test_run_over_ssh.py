"""`swath job run` with a DVC remote on a real SSH server, 20 ms away, on a line that stalls and is cut."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.job_bench import JobBench
from support.job_services import three_services
from support.network import Line, line_to
from support.remote_server import RemoteServer
from swath.dvc_border.patience import Patience
from swath.dvc_border.remote_listing import stored_files
from swath.dvc_border.remote_store import RemoteStore
from swath.dvc_border.repository import Repository
from swath.errors import PassingFaultError, UserError
from swath.job.store import store_of
from swath.model.content import Content

pytestmark = [
    pytest.mark.docker,
    pytest.mark.slow,
    # A line that is cut leaves tasks of asyncssh behind.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning"),
]


@pytest.fixture
def line(remote_server: RemoteServer) -> Iterator[Line]:
    """A line to the server, 20 ms long."""
    with line_to(remote_server.port, delay_s=0.01) as line:
        yield line


@pytest.fixture
def house(tmp_path: Path, remote_server: RemoteServer, line: Line) -> JobBench:
    (tmp_path / "seen").mkdir()
    name = tmp_path.name
    far = remote_server.folder / name
    far.mkdir(mode=0o777)
    far.chmod(0o777)
    settings = tmp_path / "settings"
    settings.write_text(remote_server.dvc_config("far"))
    files = three_services(tmp_path / "seen")
    url = remote_server.url(name, line.port)
    return JobBench(tmp_path, files, far, url, SWATH_DVC_CONFIG=str(settings))


def test_a_pipeline_over_ssh_moves_each_byte_once(house: JobBench, line: Line) -> None:
    big = os.urandom(2**20).hex() + "\n"
    house.bench.write({"data/in": big})
    house.bench.commit()
    pipeline = house.pipeline()
    for name in pipeline.names:
        line.reset_counts()
        log = pipeline.run(name)
        assert "hush" not in log
        record = pipeline.fragment(name).stages[name]
        overhead = 200_000  # of the protocol, for some 50 small requests
        assert record.pulled_bytes <= line.down <= record.pulled_bytes + overhead
        assert record.pushed_bytes <= line.up <= record.pushed_bytes + overhead
    second = house.pipeline()
    line.reset_counts()
    second.run_all()
    assert line.down < 600_000
    assert second.locks() == pipeline.locks()


def quick_store(house: JobBench, environ: dict[str, str], patience: Patience) -> RemoteStore:
    repository = Repository(house.bench.root)
    store, _ = store_of(repository, environ, patience)
    assert store is not None
    return store


def test_all_files_of_a_remote_are_listed_with_sizes_and_ages(house: JobBench) -> None:
    store = quick_store(house, house.environ, Patience(stall_s=30))
    content = put(store, b"12345")
    store.push([content])
    store.write_text("swath/7/1/job.json", "{}")
    found = {each.path: each for each in stored_files(store.files)}
    assert sorted(found) == [f"files/md5/{content.value[:2]}/{content.value[2:]}", "swath/7/1/job.json"]
    assert [each.size for _, each in sorted(found.items())] == [5, 2]
    assert all(each.changed is not None and abs(each.changed - time.time()) < 300 for each in found.values())


def test_objects_survive_a_line_that_is_cut(house: JobBench, line: Line) -> None:
    store = quick_store(house, house.environ, Patience(stall_s=30, pauses_s=(0.2, 0.2, 0.2)))
    content = put(store, os.urandom(4 * 2**20))
    line.bytes_per_s = 4 * 2**20

    def cut() -> None:
        time.sleep(0.7)
        line.cut()

    threading.Thread(target=cut).start()
    assert store.push([content]) == 4 * 2**20
    os.unlink(store._cache.path(content))
    assert store.pull([content]) == 4 * 2**20


def test_a_line_that_stalls_for_long_is_a_passing_fault(house: JobBench, line: Line) -> None:
    store = quick_store(house, house.environ, Patience(stall_s=1, pauses_s=(0.1,)))
    assert store.list_files("swath") == ()
    line.stall()
    start = time.monotonic()
    with pytest.raises(PassingFaultError, match="the DVC remote 'far' cannot be written to: TimeoutError"):
        store.write_text("swath/a", "b")
    assert time.monotonic() - start < 15
    line.flow()
    later = quick_store(house, house.environ, Patience(stall_s=30))
    later.write_text("swath/a", "b")
    assert later.read_text("swath/a") == "b"


def test_a_wrong_password_is_told_at_once_without_it(house: JobBench, tmp_path: Path) -> None:
    settings = tmp_path / "settings"
    settings.write_text("['remote \"far\"']\n    user = dvc\n    password = hush-hush\n")
    store = quick_store(house, house.environ, Patience(stall_s=20, pauses_s=(5.0, 5.0, 5.0)))
    with pytest.raises(UserError) as caught:
        store.read_text("swath/a")
    assert "the DVC remote 'far' refuses to be read: PermissionError" in str(caught.value)
    assert "hush" not in str(caught.value)


def test_run_cache_keys_are_listed_with_few_requests(house: JobBench, line: Line) -> None:
    store = quick_store(house, house.environ, Patience())
    for number in range(300):
        key = f"{number * 7919:064x}"[::-1]
        folder = house.far / "runs" / key[:2] / key
        folder.mkdir(parents=True)
        (folder / ("0" * 64)).write_text("cmd: x\n")
    start = time.monotonic()
    assert len(store.run_cache_keys()) == 300
    assert time.monotonic() - start < 8
    shutil.rmtree(house.far / "runs")


def put(store: RemoteStore, data: bytes) -> Content:
    """Lay bytes into the cache."""
    from swath.dvc_border.content import hash_bytes

    content = Content(hash_bytes(data))
    path = store._cache.path(content)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    Path(path).write_bytes(data)
    return content
