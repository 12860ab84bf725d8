"""`dvc_border/remote_store.py` and whole jobs with remotes that users have beside SSH: WebDAV and S3, on real servers."""

from __future__ import annotations

import os
import re
import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from support.http_remotes import PASSWORD, HttpRemote, serve_s3, serve_webdav
from support.job_bench import JobBench
from support.job_services import three_services
from support.repositories import CLEAN, Bench, make_repository
from swath.dvc_border.cache import Cache
from swath.dvc_border.content import Hasher
from swath.dvc_border.patience import Patience
from swath.dvc_border.remote_listing import stored_files
from swath.dvc_border.remote_store import RemoteStore
from swath.dvc_border.repository import Repository
from swath.errors import UserError
from swath.model.content import Content
from swath.model.lock_entry import LockEntry, entry_hash

if TYPE_CHECKING:
    from collections.abc import Iterator

QUICK = Patience(stall_s=20, pauses_s=(0.01,))
ENTRY: LockEntry = {"cmd": "make it", "outs": [{"path": "out", "hash": "md5", "md5": "b" * 32, "size": 3}]}
KEY = "c" * 64


@pytest.fixture(scope="module", params=["webdav", "s3"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HttpRemote]:
    with serve_s3() if request.param == "s3" else serve_webdav(tmp_path_factory.mktemp("webdav")) as server:
        yield server


@pytest.fixture
def remote(server: HttpRemote, request: pytest.FixtureRequest) -> HttpRemote:
    """A place of the server that no other test has."""
    return server.below(request.node.name.partition("[")[0])


@pytest.fixture
def bench(tmp_path: Path, remote: HttpRemote) -> Bench:
    return with_remote(tmp_path, remote)


def with_remote(tmp_path: Path, remote: HttpRemote) -> Bench:
    """A repository that has it as its default remote."""
    bench = make_repository(tmp_path / "repo", {"file": "one", "folder/a": "two", "folder/b": "three"})
    bench.add_remote("far", remote.url, **remote.settings)
    bench.write({".dvc/config.local": remote.config("far")})
    return bench


def store(bench: Bench) -> RemoteStore:
    """A fresh one: nothing is remembered."""
    return RemoteStore(Repository(bench.root), patience=QUICK)


def put(bench: Bench, name: str) -> Content:
    """Save a path into the cache."""
    repository = Repository(bench.root)
    hasher, path = Hasher(repository), str(bench.root / name)
    tree = hasher.tree(path) if os.path.isdir(path) else None
    content = tree.content if tree else hasher.content(path)
    assert content is not None
    Cache(repository, hasher).put(path, content, tree)
    return content


def test_objects_go_out_and_come_in_each_once(bench: Bench) -> None:
    file, folder = put(bench, "file"), put(bench, "folder")
    first = store(bench)
    assert first.missing([file, folder]) == {file.value, folder.value}
    sent = first.push([file, folder, file])
    assert sent > 11
    assert (store(bench).push([file, folder]), store(bench).missing([file, folder])) == (0, set())
    shutil.rmtree(bench.root / ".dvc/cache")
    assert store(bench).missing([file, folder]) == set()
    assert store(bench).pull([file, folder]) == sent
    assert store(bench).pull([file, folder]) == 0


def test_dvc_pulls_what_we_push_and_we_pull_what_dvc_pushes(bench: Bench) -> None:
    bench.command("git", "rm", "-rq", "--cached", "file", "folder")
    bench.command("dvc", "add", "-q", "file", "folder")
    file, folder = put(bench, "file"), put(bench, "folder")
    store(bench).push([file, folder])
    shutil.rmtree(bench.root / ".dvc/cache")
    bench.command("rm", "-r", "file", "folder")
    bench.command("dvc", "pull", "-q")
    assert (bench.dvc_status(), bench.read("folder/b")) == (CLEAN, "three")
    bench.write({"folder/c": "four"})
    bench.command("dvc", "add", "-q", "folder")
    bench.command("dvc", "push", "-q")
    changed = put(bench, "folder")
    shutil.rmtree(bench.root / ".dvc/cache")
    assert store(bench).pull([changed]) > len("twothreefour")


def test_entries_of_the_run_cache(bench: Bench) -> None:
    first = store(bench)
    assert (first.run_cache_keys(), first.load_run_cache(KEY)) == (frozenset(), None)
    assert first.save_run_cache(KEY, entry_hash(ENTRY), ENTRY)
    assert first.save_run_cache(KEY, entry_hash(ENTRY), ENTRY)
    assert (store(bench).run_cache_keys(), store(bench).load_run_cache(KEY)) == ({KEY}, ENTRY)


def test_texts_are_written_replaced_listed_and_removed(bench: Bench) -> None:
    first = store(bench)
    assert (first.read_text("swath/1/1/a.json"), first.list_files("swath/1")) == (None, ())
    first.write_text("swath/1/1/a.json", "one")
    first.write_text("swath/1/1/a.json", "zwei ü")
    first.write_text("swath/1/2/b & c.json", "")
    assert first.read_text("swath/1/1/a.json") == "zwei ü"
    again = store(bench)
    assert again.list_files("swath/1") == ("swath/1/1/a.json", "swath/1/2/b & c.json")
    assert again.list_files("swath/1/1") == ("swath/1/1/a.json",)
    again.files.remove(["swath/1/1/a.json", "swath/1/1/never.json"])
    assert store(bench).list_files("swath/1") == ("swath/1/2/b & c.json",)


def test_what_the_remote_lacks_is_told(bench: Bench) -> None:
    with pytest.raises(UserError) as caught:
        store(bench).pull([Content("d" * 32)])
    assert str(caught.value) == (
        f"the DVC remote 'far' does not have {'d' * 32}\n"
        "  push from a clone that has them (dvc push), or run the stages that make them again"
    )


def test_who_may_not_come_in_is_told_without_the_password(bench: Bench, remote: HttpRemote) -> None:
    bench.write({".dvc/config.local": remote.config("far", remote.wrong)})
    file = put(bench, "file")
    for ask in (
        lambda: store(bench).read_text("swath/a"),
        lambda: store(bench).write_text("swath/a", "b"),
        lambda: store(bench).push([file]),
    ):
        with pytest.raises(UserError) as caught:
            ask()
        message, _, hint = str(caught.value).partition("\n")
        assert re.match("the DVC remote 'far' refuses to be (read|written to): ", message)
        assert hint == "  renew its credentials: .dvc/config.local, in CI the file variable SWATH_DVC_CONFIG"
        assert not any(secret in message for secret in (PASSWORD, *remote.wrong.values()))


def test_a_pipeline_passes_its_results_on_and_the_next_restores_them(tmp_path: Path, remote: HttpRemote) -> None:
    (tmp_path / "seen").mkdir()
    (tmp_path / "settings").write_text(remote.config("far", {**remote.settings, **remote.secrets}))
    house = JobBench(
        tmp_path, three_services(tmp_path / "seen"), url=remote.url, SWATH_DVC_CONFIG=str(tmp_path / "settings")
    )
    logs = house.pipeline().run_all()
    assert [name for name, log in logs.items() if f"\nswath: {name} done in " in log] == ["cut", "learn", "judge"]
    restored = house.pipeline().run_all()
    assert list(restored) == ["restore"]
    assert [f"\nswath: {name} restored from the run cache\n" in restored["restore"] for name in logs] == [True] * 3
    house.bench.write({".dvc/config.local": (tmp_path / "settings").read_text()})
    reproduced = house.bench.command("dvc", "repro", "--pull", "learn").stdout
    assert "Stage 'learn' is cached - skipping run, checking out outputs" in reproduced


def test_the_folder_of_a_webdav_remote_must_be_there(tmp_path: Path) -> None:
    with serve_webdav(tmp_path / "files") as server:
        remote = replace(server, url=f"{server.url}/none")
        with pytest.raises(UserError) as caught:
            store(with_remote(tmp_path, remote)).write_text("swath/a", "b")
    address = remote.url.replace("webdav:", "http:")
    assert str(caught.value) == (
        f"the DVC remote 'far': the server has no folder {address}\n"
        "  make it there, or correct the url: dvc remote modify"
    )


def test_all_files_are_listed_with_sizes_and_ages(bench: Bench) -> None:
    file, folder = put(bench, "file"), put(bench, "folder")
    here = store(bench)
    here.push([file, folder])
    here.write_text("swath/7/1/job.json", "{}")
    found = {each.path: each for each in stored_files(here.files)}
    assert len(found) == 1 + 2 + 1 + 1
    one = found[f"files/md5/{file.value[:2]}/{file.value[2:]}"]
    assert one.size == 3
    assert one.changed is not None
    assert abs(one.changed - time.time()) < 300
    assert found["swath/7/1/job.json"].size == 2
    here.files.remove(list(found))
    assert stored_files(here.files) == []


def test_what_others_have_changed_since_a_listing_is_seen(bench: Bench) -> None:
    ours, theirs = store(bench).files, store(bench).files
    theirs.write("swath/1/a.json", b"1")
    assert [(each.path, each.size) for each in stored_files(ours)] == [("swath/1/a.json", 1)]
    theirs.write("swath/1/a.json", b"longer")
    theirs.write("swath/1/b.json", b"2")
    theirs.write("swath/2/a.json", b"3")
    assert [(each.path, each.size) for each in stored_files(ours)] == [
        ("swath/1/a.json", 6), ("swath/1/b.json", 1), ("swath/2/a.json", 1),
    ]  # fmt: skip
    theirs.write("swath/1/c.json", b"4")
    assert ours.names(["swath/1"]) == [["a.json", "b.json", "c.json"]]
    theirs.write("swath/1/a.json", b"longer than that")
    assert ours.read("swath/1/a.json") == b"longer than that"
    theirs.remove(["swath/1/a.json"])
    assert ours.read("swath/1/a.json") is None
