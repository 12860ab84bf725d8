"""`dvc_border/remote_store.py`: a remote through DVC's file systems, and what DVC itself makes of what we write."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from support.repositories import CLEAN, Bench, make_repository
from support.until import until
from swath.dvc_border.cache import Cache
from swath.dvc_border.cleaning import Cleaning, announced, write_cleaning
from swath.dvc_border.content import Hasher, hash_bytes
from swath.dvc_border.patience import Patience
from swath.dvc_border.remote_store import RemoteStore
from swath.dvc_border.repository import Repository
from swath.dvc_border.run_cache import RunCache
from swath.errors import InterruptedRunError, PassingFaultError, UserError
from swath.model.content import Content
from swath.model.lock_entry import LockEntry, entry_hash

QUICK = Patience(stall_s=5, pauses_s=(0.01, 0.01))
ENTRY: LockEntry = {
    "cmd": "make it",
    "deps": [{"path": "in", "hash": "md5", "md5": "a" * 32, "size": 3}],
    "outs": [{"path": "out", "hash": "md5", "md5": "b" * 32, "size": 3}],
}
KEY = "c" * 64


class Case:
    """A repository with a remote in a folder."""

    def __init__(self, root: Path) -> None:
        self.far = root / "far"
        self.bench = make_repository(root / "repo", {"file": "one", "folder/a": "two", "folder/b": "three"})
        self.bench.add_remote("far", str(self.far))
        self.repository = Repository(self.bench.root)
        self.hasher = Hasher(self.repository)
        self.cache = Cache(self.repository, self.hasher)
        self.file, self.folder = self.put("file"), self.put("folder")

    def put(self, name: str) -> Content:
        """Save a path into the cache."""
        path = str(self.bench.root / name)
        tree = self.hasher.tree(path) if os.path.isdir(path) else None
        content = tree.content if tree else self.hasher.content(path)
        assert content is not None
        self.cache.put(path, content, tree)
        return content

    def store(self) -> RemoteStore:
        """A fresh one: nothing is remembered."""
        return RemoteStore(Repository(self.bench.root), patience=QUICK)

    def objects(self) -> list[str]:
        """Hashes of the remote's objects."""
        return sorted(p.parent.name + p.name for p in (self.far / "files/md5").glob("??/*"))

    def drop_cache(self) -> None:
        """Another machine."""
        shutil.rmtree(self.cache.folder)


@pytest.fixture
def case(tmp_path: Path) -> Case:
    return Case(tmp_path)


def test_objects_go_out_each_once_and_bytes_are_counted(case: Case) -> None:
    store = case.store()
    listing = os.path.getsize(case.cache.path(case.folder))
    assert store.missing([case.file, case.folder]) == {case.file.value, case.folder.value}
    assert store.push([case.file, case.folder, case.file]) == 3 + 3 + 5 + listing
    assert store.push([case.folder]) == 0
    assert case.store().push([case.file, case.folder]) == 0
    assert case.store().missing([case.file, case.folder]) == set()
    assert len(case.objects()) == 4


def test_only_what_the_remote_lacks_goes_out(case: Case) -> None:
    case.store().push([case.file, case.folder])
    (case.bench.root / "folder/c").write_text("new!")
    folder = case.put("folder")
    assert case.store().push([folder]) == 4 + os.path.getsize(case.cache.path(folder))


def test_objects_come_in_each_once_and_protected(case: Case) -> None:
    sent = case.store().push([case.file, case.folder])
    case.drop_cache()
    assert case.store().pull([case.file, case.folder]) == sent
    assert case.cache.has(case.file)
    assert case.cache.has(case.folder)
    assert os.stat(case.cache.path(case.file)).st_mode & 0o777 == 0o444
    assert case.store().pull([case.file, case.folder]) == 0


def test_of_a_folder_only_the_files_that_are_not_there_come(case: Case) -> None:
    case.store().push([case.folder])
    os.unlink(case.cache.path(Content(hash_bytes(b"two"))))
    assert case.store().pull([case.folder]) == 3


def test_what_the_remote_lacks_is_told_and_leaves_nothing_half(case: Case) -> None:
    case.far.mkdir()
    with pytest.raises(UserError) as caught:
        case.store().pull([Content("d" * 32)])
    assert str(caught.value) == (
        f"the DVC remote 'far' does not have {'d' * 32}\n"
        "  push from a clone that has them (dvc push), or run the stages that make them again"
    )
    assert not list(Path(case.cache.folder).rglob("*.tmp"))


def test_a_damaged_object_is_not_taken_and_the_command_that_removes_it_removes_it_alone(case: Case) -> None:
    case.store().push([case.file, case.folder])
    path = case.far / "files/md5" / case.file.value[:2] / case.file.value[2:]
    path.chmod(0o644)
    path.write_text("half")
    case.drop_cache()
    before = case.objects()
    with pytest.raises(UserError) as caught:
        case.store().pull([case.file])
    assert str(caught.value) == (
        f"the object {case.file.value} is damaged in the DVC remote 'far' ({path})\n"
        f"  remove it there (rm -f {path}), and push it again from a clone that has it: dvc push"
    )
    assert not case.cache.has(case.file)
    subprocess.run(f"rm -f {path}", shell=True, check=True)
    assert case.objects() == sorted({*before} - {case.file.value})


def test_a_damaged_listing_in_the_cache_is_told_with_the_command_that_removes_it_alone(case: Case) -> None:
    case.store().push([case.folder])
    listing = Path(case.cache.path(case.folder))
    listing.chmod(0o644)
    listing.write_text("[")
    with pytest.raises(UserError) as caught:
        case.store().pull([case.folder])
    assert str(caught.value) == (
        f"the listing {case.folder.value} in DVC's cache cannot be used: it is not JSON\n"
        f"  remove this one file, then pull or run again: rm -f {listing}"
    )
    listing.unlink()
    assert case.store().pull([case.folder]) > 0
    assert case.cache.has(case.folder)


@pytest.mark.parametrize("ask", ["pull", "missing", "pull_listings"])
def test_a_listing_that_leads_out_of_its_folder_is_not_taken(case: Case, ask: str) -> None:
    case.store().push([case.file])
    listing = json.dumps([{"md5": case.file.value, "relpath": "../escaped"}]).encode()
    content = Content(hash_bytes(listing) + ".dir", nfiles=1)
    path = case.far / "files/md5" / content.value[:2] / content.value[2:]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(listing)
    before = case.objects()
    with pytest.raises(UserError) as caught:
        getattr(case.store(), ask)([content])
    assert str(caught.value) == (
        f"the listing {content.value} in the DVC remote 'far' ({path}) cannot be used: "
        "it names the file '../escaped', which is no path inside the folder\n"
        f"  remove it there (rm -f {path}), and push it again from a clone that has it: dvc push"
    )
    assert not os.path.exists(case.cache.path(content))
    subprocess.run(f"rm -f {path}", shell=True, check=True)
    assert case.objects() == sorted({*before} - {content.value})
    assert case.store().missing([content]) == {content.value}


def test_a_value_that_is_no_hash_asks_for_no_file(case: Case) -> None:
    hostile = Content("../../../../etc/passwd")
    assert case.store().missing([hostile, case.file]) == {hostile.value, case.file.value}
    with pytest.raises(UserError, match="is not the MD5 of a file or folder"):
        case.store().pull([hostile])


def test_where_an_object_lies_in_another_kind_of_remote_is_told_without_secrets(case: Case) -> None:
    case.repository.set_over({"remote": {"far": {"url": "ssh://me:hush@host/srv/data"}}})
    files = RemoteStore(case.repository).files
    assert files.place("files/md5/ab/cd") == "ssh://host/srv/data/files/md5/ab/cd"
    assert files.removal("files/md5/ab/cd") == "ssh -p 22 host 'rm -f /srv/data/files/md5/ab/cd'"


def test_an_object_that_the_cache_lacks_is_told(case: Case) -> None:
    with pytest.raises(UserError, match="is not in the cache"):
        case.store().push([Content("e" * 32)])


def test_dvc_pulls_what_we_push_and_we_pull_what_dvc_pushes(case: Case, tmp_path: Path) -> None:
    bench = case.bench
    bench.write({"dvc.yaml": {"stages": {"a": {"cmd": "cp file out", "deps": ["file"], "outs": ["out"]}}}})
    bench.command("dvc", "repro", "-q")
    bench.commit()
    entry: LockEntry = bench.lock()["a"]
    out = Content(entry["outs"][0]["md5"])  # type: ignore[index,call-overload]
    case.store().push([out])
    clone = Bench(tmp_path / "clone")
    bench.command("git", "clone", "-q", str(bench.root), str(clone.root))
    clone.add_remote("far", str(case.far))
    clone.command("dvc", "pull", "-q")
    assert clone.dvc_status() == CLEAN
    clone.write({"file": "changed"})
    clone.command("dvc", "repro", "-q")
    clone.command("dvc", "push", "-q")
    assert case.store().pull([Content(hash_bytes(b"changed"))]) == len("changed")


def test_dvc_restores_from_the_run_cache_entries_that_we_write(case: Case, tmp_path: Path) -> None:
    bench = case.bench
    stage = {
        "cmd": "cp file out && cp file m.json",
        "deps": ["file"],
        "outs": ["out"],
        "metrics": [{"m.json": {"cache": False}}],
    }
    bench.write({"dvc.yaml": {"stages": {"a": stage}}, "file": "1"})
    assert bench.did() == {"a": "ran"}
    runs = [path for path in Path(case.cache.folder, "runs").rglob("*") if path.is_file()]
    assert len(runs) == 1
    bench.commit()
    bench.command("git", "rm", "-q", "dvc.lock")
    bench.commit("a clone that never ran it")
    store = case.store()
    entry = RunCache(case.cache).load(runs[0].parent.name)
    assert entry is not None
    store.push([Content(hash_bytes(b"1"))])
    assert store.save_run_cache(runs[0].parent.name, entry_hash(entry), entry)
    assert (case.far / runs[0].relative_to(case.cache.folder)).read_bytes() == runs[0].read_bytes()
    clone = Bench(tmp_path / "clone")
    bench.command("git", "clone", "-q", str(bench.root), str(clone.root))
    clone.add_remote("far", str(case.far))
    said = clone.command("dvc", "repro", "--pull").stdout
    assert "Stage 'a' is cached - skipping run, checking out outputs" in said


def test_entries_of_dvc_are_read_by_key(case: Case) -> None:
    bench = case.bench
    bench.write({"dvc.yaml": {"stages": {"a": {"cmd": "cp file out", "deps": ["file"], "outs": ["out"]}}}})
    bench.command("dvc", "repro", "-q")
    bench.command("dvc", "push", "-q", "--run-cache")
    store = case.store()
    (key,) = store.run_cache_keys()
    assert store.load_run_cache(key) == bench.lock()["a"]
    assert store.load_run_cache("f" * 64) is None


def test_of_several_entries_the_preferred_counts_else_the_smallest_name(case: Case) -> None:
    store = case.store()
    other: LockEntry = {**ENTRY, "outs": [{"path": "out", "hash": "md5", "md5": "e" * 32, "size": 3}]}
    entries = {entry_hash(entry): entry for entry in (ENTRY, other)}
    for name, entry in entries.items():
        assert store.save_run_cache(KEY, name, entry)
    first, second = sorted(entries)
    assert case.store().load_run_cache(KEY) == entries[first]
    assert case.store().load_run_cache(KEY, {second}) == entries[second]
    assert case.store().run_cache_keys() == {KEY}


def test_a_broken_entry_is_passed_over(case: Case) -> None:
    store = case.store()
    store.save_run_cache(KEY, "f" * 64, ENTRY)
    store.write_text(f"runs/cc/{KEY}/{'0' * 64}", "cmd: [half")
    store.write_text(f"runs/cc/{KEY}/{'1' * 64}", "cmd: x\nouts:\n- md5: '0123'\n")
    store.write_text(f"runs/cc/{KEY}/rest.tmp", "x")
    assert case.store().load_run_cache(KEY) == ENTRY


def test_texts_are_written_whole_replaced_and_listed(case: Case) -> None:
    store = case.store()
    assert store.read_text("swath/1/1/a.json") is None
    assert store.list_files("swath/1") == ()
    store.write_text("swath/1/1/a.json", "one")
    store.write_text("swath/1/1/a.json", "zwei ü")
    store.write_text("swath/1/2/b.json", "")
    assert store.read_text("swath/1/1/a.json") == "zwei ü"
    assert store.list_files("swath/1") == ("swath/1/1/a.json", "swath/1/2/b.json")
    assert store.list_files("swath/1/1") == ("swath/1/1/a.json",)
    assert list((case.far / "swath/tmp").iterdir()) == []


def test_without_a_remote_the_way_to_one_is_told(tmp_path: Path) -> None:
    bench = make_repository(tmp_path, {})
    with pytest.raises(UserError) as caught:
        RemoteStore(Repository(bench.root))
    assert str(caught.value) == "no DVC remote is specified\n  set a default remote: dvc remote add -d NAME URL"


def test_settings_are_laid_over_without_a_trace(case: Case, tmp_path: Path) -> None:
    over = tmp_path / "over"
    over.write_text(f"['remote \"far\"']\n    url = {tmp_path}/farther\n")
    repository = Repository(case.bench.root)
    repository.lay_over(str(over))
    RemoteStore(repository).push([case.file])
    assert (tmp_path / "farther/files/md5").is_dir()
    assert not case.far.exists()
    assert "farther" not in case.bench.read(".dvc/config")
    assert repository.config["core"]["remote"] == "far"


def test_settings_that_cannot_be_read_are_told(case: Case, tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        case.repository.lay_over(str(tmp_path / "none"))
    assert str(caught.value) == (
        f"the DVC settings {tmp_path}/none cannot be read: No such file or directory\n"
        "  it is a file in the form of .dvc/config.local; in GitLab, a variable of the type File"
    )


def test_a_remote_that_fails_for_a_while_is_tried_again(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    store = case.store()
    fails = iter([ConnectionResetError("cut"), ConnectionResetError("cut")])
    fs = store.files._file_system
    real = fs.put_file

    def put_file(*args: object, **options: object) -> None:
        for error in fails:
            raise error
        real(*args, **options)

    monkeypatch.setattr(fs, "put_file", put_file)
    monkeypatch.setattr(store.files, "_begin_again", lambda: None)
    assert store.push([case.file]) == 3


def test_a_remote_that_stays_down_is_a_passing_fault(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    store = case.store()

    def down(*_: object, **__: object) -> None:
        raise OSError(111, "Connection refused to ssh://me:hush@host")

    monkeypatch.setattr(type(store.files._file_system), "put_file", down)
    with pytest.raises(PassingFaultError) as caught:
        store.push([case.file])
    assert str(caught.value) == (
        "the DVC remote 'far' cannot be written to: ConnectionRefusedError: [Errno 111] Connection refused to ssh://host; "
        "it was tried 3 times: see whether it is up, then try again"
    )


def test_what_a_cleaning_removes_while_it_is_taken_for_there_is_sent_again(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    case.store().push([case.file])
    path = case.far / "files/md5" / case.file.value[:2] / case.file.value[2:]
    store = case.store()
    write_cleaning(store.files, Cleaning(("1",)))
    real = RemoteStore._put

    def put(store: RemoteStore, contents: Sequence[Content]) -> int:
        if path.exists() and not done:
            done.append(1)
            with announced(store.files):
                path.unlink()
        return real(store, contents)

    done: list[int] = []
    monkeypatch.setattr(RemoteStore, "_put", put)
    assert store.push([case.file, case.folder]) > 3
    assert path.read_text() == "one"
    assert done


def test_a_store_that_has_seen_an_object_looks_again_after_a_cleaning(case: Case) -> None:
    store = case.store()
    write_cleaning(store.files, Cleaning(("1",)))
    assert store.push([case.file]) == 3
    path = case.far / "files/md5" / case.file.value[:2] / case.file.value[2:]
    with announced(store.files):
        path.unlink()
    assert store.push([case.file]) == 3
    assert path.exists()


def test_a_remote_that_stalls_is_given_up(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    store = RemoteStore(Repository(case.bench.root), patience=Patience(stall_s=0.1, pauses_s=(0.01,)))
    never = threading.Event()
    monkeypatch.setattr(type(store.files._file_system), "put_file", lambda *_, **__: never.wait())
    start = time.monotonic()
    with pytest.raises(PassingFaultError, match=r"TimeoutError: nothing moved for 0\.1 s; it was tried 2 times"):
        store.push([case.file])
    assert time.monotonic() - start < 3
    never.set()


def test_a_pull_that_is_stopped_ends(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    case.store().push([case.file])
    case.drop_cache()
    store, stop, never = case.store(), threading.Event(), threading.Event()
    monkeypatch.setattr(type(store.files._file_system), "get_file", lambda *_, **__: never.wait())
    stop.set()
    with pytest.raises(InterruptedRunError):
        store.pull([case.file], stop)
    never.set()


def test_a_try_that_stalled_never_touches_what_the_next_try_brought(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    case.store().push([case.file])
    case.drop_cache()
    store = RemoteStore(Repository(case.bench.root), patience=Patience(stall_s=0.2, pauses_s=(0.01,)))
    kind, released, ended = type(store.files._file_system), threading.Event(), threading.Event()
    tries: list[str] = []

    def get_file(_fs: object, _source: str, target: str, **_options: object) -> None:
        tries.append(target)
        with open(target, "wb", buffering=0) as file:  # in place, as file systems do that know no links
            file.write(b"o")
            if len(tries) == 1:
                released.wait(20)
                file.write(b"late, and of other bytes")
                ended.set()
            else:
                file.write(b"ne")

    monkeypatch.setattr(kind, "get_file", get_file)
    assert store.pull([case.file]) == 3
    released.set()
    assert ended.wait(10)
    assert Path(case.cache.path(case.file)).read_bytes() == b"one"
    until(lambda: not list(Path(case.cache.folder).rglob("*.tmp")))
    assert len(set(tries)) == 2


def test_a_refusal_is_told_at_once_and_without_secrets(case: Case) -> None:
    case.repository.set_over({"remote": {"far": {"url": "ssh://host/srv", "password": "hush-hush"}}})
    store = RemoteStore(case.repository, patience=QUICK)

    class Refusing:
        def makedirs(self, *_: object, **__: object) -> None:
            raise PermissionError("the password hush-hush is wrong")

    store.files._fs = Refusing()
    with pytest.raises(UserError) as caught:
        store.write_text("a", "b")
    assert str(caught.value) == (
        "the DVC remote 'far' refuses to be written to: PermissionError: the password [hidden] is wrong\n"
        "  renew its credentials: .dvc/config.local, in CI the file variable SWATH_DVC_CONFIG"
    )
