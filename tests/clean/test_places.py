"""`clean/places.py`: real repositories with real histories; DVC itself says what must stay."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from support.old_house import OldHouse
from support.repositories import CLEAN, Bench, make_repository
from swath.clean.collect import PAUSE_S
from swath.clean.places import GcOptions, clean_cache, clean_remote
from swath.dvc_border.cleaning import MARKER
from swath.dvc_border.repository import Repository
from swath.errors import PassingFaultError, UserError

DAY = 24 * 3600
MONTH = 30 * DAY


def options(**more: object) -> GcOptions:
    return GcOptions(**{"age_s": MONTH, "claims": True, "pause": lambda _: None, **more})  # type: ignore[arg-type]


@pytest.fixture
def house(tmp_path: Path) -> OldHouse:
    return OldHouse(tmp_path)


def cached(house: OldHouse) -> set[str]:
    return {p.parent.name + p.name for p in (house.bench.root / ".dvc/cache/files/md5").glob("??/*")}


def test_what_dvc_would_keep_stays_and_every_revision_can_still_be_had(house: OldHouse, tmp_path: Path) -> None:
    bench = house.bench
    zero = house.named()
    bench.command("git", "tag", "-a", "v0", "-m", "zero")
    house.version(1)
    gone = house.named() - zero
    bench.command("git", "checkout", "-q", "-b", "side")
    house.version("side")
    bench.command("git", "checkout", "-q", "main")
    bench.command("dvc", "checkout", "-q")
    house.version(2)
    bench.command("dvc", "exp", "run", "-q", "-n", "tried", "-S", "v=9")
    bench.command("dvc", "push", "-q")
    house.share()
    bench.command("dvc", "exp", "push", "-q", "origin", "tried")
    bench.command("git", "checkout", "-q", ".")
    bench.command("dvc", "checkout", "-q")
    house.age()
    before = house.objects()
    removed = house.clean(options())
    assert before - house.objects() == gone == removed & before
    assert len(house.entries()) == 4 - 1 + 0  # of versions 0, 2 and side: DVC pushes none of an experiment by itself
    fresh = house.clone("fresh")
    fresh.command("git", "fetch", "-q", "origin", "side:side")
    fresh.command("dvc", "fetch", "-q", "--all-branches", "--all-tags")
    fresh.command("dvc", "pull", "-q")
    assert fresh.dvc_status() == CLEAN
    fresh.command("dvc", "exp", "pull", "-q", "origin", "tried")
    fresh.command("dvc", "exp", "apply", "tried")
    assert fresh.read("file") == "9\n"
    shutil.copytree(house.far, tmp_path / "far-copy")
    after = house.objects()
    bench.command("dvc", "gc", "-q", "-f", "-a", "-T", "--all-experiments", "-c")
    assert house.objects() == after, "DVC keeps the same"


@pytest.mark.parametrize("seed", range(4))
def test_whatever_the_history_all_that_a_ref_names_stays(tmp_path: Path, seed: int) -> None:
    draw = random.Random(seed)
    house, must_stay, bench = OldHouse(tmp_path), {}, None
    bench = house.bench
    for step in range(7):
        act = draw.choice(["version", "version", "branch", "tag", "drop"])
        if act == "version":
            house.version(draw.randrange(5))
        elif act == "branch":
            bench.command("git", "checkout", "-q", "-B", f"b{draw.randrange(3)}")
        elif act == "tag":
            bench.command("git", "tag", "-f", f"t{draw.randrange(2)}")
        else:
            bench.command("git", "branch", "-D", "-f", f"b{step % 3}", check=False)
    refs = bench.command("git", "for-each-ref", "--format=%(refname)").stdout.split()
    for ref in ["HEAD", *refs]:
        bench.command("git", "checkout", "-q", "--detach", ref)
        must_stay[ref] = house.named()
    house.share()
    house.age()
    before = house.objects()
    house.clean(options())
    named = set().union(*must_stay.values())
    assert house.objects() == before & named
    clean_cache(Repository(bench.root), None, options())
    assert cached(house) & before == before & named


def test_a_dry_run_says_what_goes_and_removes_nothing(house: OldHouse) -> None:
    old = house.named()
    house.version(1)
    house.share()
    house.age()
    before = sorted(path for path in house.far.rglob("*"))
    removed = clean_remote(Repository(house.bench.root), None, options(dry_run=True, claims=False))
    assert {each.name for each in removed.files if each.kind != "entry"} == old - house.named()
    assert removed.freed_bytes == sum((house.far / each.file.path).stat().st_size for each in removed.files)
    assert sorted(path for path in house.far.rglob("*")) == before
    assert house.bench.command("git", "for-each-ref", "refs/swath").stdout == ""


def test_what_is_young_stays(house: OldHouse) -> None:
    house.version(1)
    house.share()
    assert house.clean(options(age_s=2 * DAY)) == set()


def test_what_a_young_commit_names_stays_though_no_branch_does(house: OldHouse) -> None:
    named = house.named()
    house.version(1)
    house.bench.commit("young, and behind it an old lock")
    house.bench.write({"params.yaml": "v: 2\n"})
    house.bench.run()
    house.bench.commit("younger")
    house.push()
    house.share()
    house.age()
    removed = house.clean(options())
    assert removed & named
    assert not removed & house.named()
    first = house.bench.command("git", "show", "HEAD~1:dvc.lock").stdout
    assert not [value for value in removed if value in first]


def test_what_only_the_server_has_stays(house: OldHouse) -> None:
    house.bench.command("git", "checkout", "-q", "-b", "only-there")
    house.version("there")
    there = house.named()
    house.share()
    house.bench.command("git", "checkout", "-q", "main")
    house.bench.command("git", "branch", "-q", "-D", "only-there")
    house.bench.command("git", "update-ref", "-d", "refs/remotes/origin/only-there")
    house.bench.command("git", "reflog", "expire", "--expire=now", "--all")
    house.age()
    assert not house.clean(options()) & there


def fragments(house: OldHouse, name: str, text: str, *, is_old: bool) -> Path:
    path = house.far / "swath" / name / "1/job.json"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    if is_old:
        os.utime(path, (1, 1))
    return path


def test_what_a_running_pipeline_has_restored_stays_and_old_pipelines_go(house: OldHouse) -> None:
    entry = house.bench.lock()["make"]
    old = house.named()
    house.version(1)
    house.share()
    house.age()
    running = fragments(house, "200", json.dumps({"stages": {"make": {"lock": entry}}}), is_old=False)
    other = fragments(house, "100", "{}", is_old=True)
    scratch = house.far / "swath/scratch" / ("k" * 64)
    scratch.mkdir(parents=True)
    for name in ("manifest.json", "a" * 32):
        (scratch / name).write_text("x")
        os.utime(scratch / name, (1, 1))
    stray = house.far / "swath/tmp/half"
    stray.parent.mkdir(exist_ok=True)
    stray.write_text("x")
    os.utime(stray, (1, 1))
    foreign = house.far / "notes.txt"
    foreign.write_text("x")
    os.utime(foreign, (1, 1))
    removed = house.clean(options())
    assert not removed & old
    assert [path.exists() for path in (running, other, scratch / "manifest.json", stray, foreign)] == [
        True, False, False, False, True,
    ]  # fmt: skip
    assert len(house.entries()) == 2


def during_the_pause(act: Callable[[], object]) -> GcOptions:
    """Something happens in the long pause, once."""
    return options(pause=lambda pause_s: act() if pause_s == PAUSE_S else None)


def test_what_a_job_restores_while_it_goes_on_stays(house: OldHouse) -> None:
    entry, old = house.bench.lock()["make"], house.named()
    house.version(1)
    house.share()
    house.age()
    text = json.dumps({"stages": {"make": {"lock": entry}}})
    removed = house.clean(during_the_pause(lambda: fragments(house, "300", text, is_old=False)))
    assert not removed & old
    assert old <= house.objects()


def test_a_branch_that_is_pushed_while_it_goes_on_keeps_its_objects(house: OldHouse) -> None:
    old = house.named()
    house.bench.command("git", "tag", "old")
    house.version(1)
    house.share()
    house.bench.command("git", "push", "-q", "origin", ":refs/tags/old")
    house.bench.command("git", "tag", "-d", "old")
    house.age()
    first = house.bench.command("git", "rev-parse", "HEAD~1").stdout.strip()
    back = during_the_pause(lambda: house.bench.command("git", "push", "-q", "origin", f"{first}:refs/heads/back"))
    assert not house.clean(back) & old
    assert old <= house.objects()


def test_a_branch_that_is_called_like_a_stash_and_tags_of_other_things_are_no_fault(house: OldHouse) -> None:
    house.bench.command("git", "branch", "-q", "mystash")
    house.bench.command("git", "tag", "-a", "inner", "-m", "inner")
    house.bench.command("git", "tag", "-a", "outer", "inner", "-m", "a tag of a tag")
    blob = house.bench.command("git", "rev-parse", "HEAD:dvc.lock").stdout.strip()
    house.bench.command("git", "tag", "text", blob)
    house.share()
    house.age()
    assert not house.clean(options()) & house.named()


def test_a_shallow_clone_is_refused(house: OldHouse) -> None:
    house.version(1)
    house.share()
    house.bench.command("git", "clone", "-q", "--depth=1", f"file://{house.server}", str(house.root / "shallow"))
    with pytest.raises(UserError, match="this clone is shallow: what older commits name is not known here"):
        clean_remote(Repository(house.root / "shallow"), None, options())


def test_a_server_that_cannot_be_read_is_a_passing_fault(house: OldHouse) -> None:
    house.bench.command("git", "remote", "set-url", "origin", "file:///nowhere/at/all")
    before = house.objects()
    with pytest.raises(PassingFaultError, match="what the Git server 'origin' has cannot be read"):
        house.clean(options())
    assert house.objects() == before


@pytest.mark.parametrize("where", ["branch", "worktree", "index"])
def test_a_lock_that_cannot_be_read_is_refused(house: OldHouse, where: str) -> None:
    house.share()
    house.age()
    bench, before = house.bench, house.objects()
    if where == "branch":
        bench.command("git", "checkout", "-q", "-b", "broken")
    good = bench.read("dvc.lock")
    bench.write({"dvc.lock": f"<<<<<<< HEAD\n{good}"})
    if where == "branch":
        house.commit("broken")
        bench.command("git", "checkout", "-q", "main")
    elif where == "index":
        bench.command("git", "add", "dvc.lock")
        bench.write({"dvc.lock": good})
    with pytest.raises(UserError, match=r"dvc.lock of [\w ]+ cannot be read, so it is not known what it names"):
        house.clean(options())
    assert house.objects() == before


def test_a_damaged_listing_that_is_named_is_refused(house: OldHouse) -> None:
    house.share()
    listing = next((house.far / "files/md5").glob("??/*.dir"))
    listing.chmod(0o644)
    listing.write_text("[]")
    shutil.rmtree(house.bench.root / ".dvc/cache")
    house.age()
    with pytest.raises(UserError, match=rf"the listing {listing} is damaged, so it is not known which files it names"):
        house.clean(options())


def test_of_a_listing_that_the_remote_lacks_the_cache_knows_the_files(house: OldHouse) -> None:
    house.share()
    next((house.far / "files/md5").glob("??/*.dir")).unlink()
    house.age()
    assert not house.clean(options()) & house.named()


def test_whose_a_remote_is_must_be_said_once(house: OldHouse) -> None:
    house.version(1)
    house.share()
    house.age()
    before = house.objects()
    with pytest.raises(UserError) as caught:
        house.clean(options(claims=False))
    assert str(caught.value) == (
        "the DVC remote 'far': nobody has said that this repository alone keeps its data there; what others keep would go\n"
        "  see with --dry-run what that is; if nothing of it is another repository's, say so once: --claim"
    )
    assert house.objects() == before
    house.clean(options())
    assert house.clean(options(claims=False)) == set()
    (house.far / MARKER).write_text('{"version": 1, "repositories": ["0000"]}')
    for claims in (False, True):
        with pytest.raises(
            UserError, match=r"the DVC remote 'far' belongs to another repository \(first commit 0000\)"
        ):
            house.clean(options(claims=claims))
    assert (house.far / MARKER).read_text() == '{"version": 1, "repositories": ["0000"]}'
    (house.far / MARKER).write_text('{"version": 2}')
    with pytest.raises(UserError, match="is not a file that this version of Swath wrote"):
        house.clean(options())


def test_in_a_remote_a_day_is_the_least(house: OldHouse) -> None:
    with pytest.raises(
        UserError, match="--older-than 1h: in a remote, what is younger than a day may be of a pipeline"
    ):
        house.clean(options(age_s=3600))


def test_in_a_cache_that_others_may_share_a_day_is_the_least(house: OldHouse, tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    with pytest.raises(
        UserError, match="--older-than 1h: in a cache that others may share, what is younger than a day"
    ):
        clean_cache(Repository(house.bench.root), str(tmp_path / "shared"), options(age_s=3600))
    assert not list((tmp_path / "shared").iterdir())


def test_the_cache_keeps_what_the_work_tree_has_and_what_is_in_no_lock_yet(house: OldHouse) -> None:
    first = house.named()
    house.version(1, push=False)
    second = house.named()
    house.bench.command("git", "checkout", "-q", "HEAD~1", "--", "dvc.lock")
    folder = house.bench.root / ".dvc/tmp/swath"
    folder.mkdir(exist_ok=True)
    (folder / "journal.jsonl").write_text(json.dumps({"entry": {"outs": [{"md5": "d" * 32}]}}) + "\n")
    journal = house.bench.root / ".dvc/cache/files/md5/dd" / ("d" * 30)
    journal.parent.mkdir()
    journal.write_text("in no lock yet")
    stray = house.bench.root / ".dvc/cache/files/md5/ee" / ("e" * 30)
    stray.parent.mkdir()
    stray.write_text("nobody's")
    house.age()
    removed = clean_cache(Repository(house.bench.root), None, options(claims=False))
    assert {each.name for each in removed.files} == {"e" * 32}
    assert first | second | {"d" * 32} <= cached(house)


def test_a_link_of_the_work_tree_keeps_its_object(house: OldHouse) -> None:
    path = house.bench.root / ".dvc/cache/files/md5/ee" / ("e" * 30)
    path.parent.mkdir()
    path.write_text("data of a commit that was looked at")
    (house.bench.root / "looked-at").symlink_to(path)
    house.age()
    assert clean_cache(Repository(house.bench.root), None, options(claims=False)).files == ()


def test_stashed_work_keeps_its_objects(house: OldHouse) -> None:
    house.bench.write({"params.yaml": "v: 7\n"})
    house.bench.run()
    stashed = house.named()
    for _ in range(2):
        house.bench.command("git", "stash", "-q", GIT_COMMITTER_DATE="2020-01-01T00:00:00Z")
        house.bench.write({"params.yaml": "v: 8\n"})
    house.bench.command("git", "checkout", "-q", ".")
    house.age()
    clean_cache(Repository(house.bench.root), None, options(claims=False))
    assert stashed <= cached(house)


def test_a_cache_outside_of_the_checkout_must_be_claimed(house: OldHouse, tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    old = shared / "files/md5/ee" / ("e" * 30)
    old.parent.mkdir(parents=True)
    old.write_text("another project's?")
    os.utime(old, (1, 1))
    with pytest.raises(UserError, match=f"the cache {shared}: nobody has said that this repository alone"):
        clean_cache(Repository(house.bench.root), str(shared), options(claims=False))
    assert old.exists()
    clean_cache(Repository(house.bench.root), str(shared), options())
    assert not old.exists()


def test_a_cache_is_found_from_where_one_stands(
    house: OldHouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = tmp_path / "shared/files/md5/ee" / ("e" * 30)
    old.parent.mkdir(parents=True)
    old.write_text("nobody's")
    os.utime(old, (1, 1))
    monkeypatch.chdir(house.bench.root)
    removed = clean_cache(Repository(house.bench.root), "../shared", options())
    assert removed.place == f"the cache {tmp_path}/shared"
    assert not old.exists()


def test_a_run_that_is_at_work_is_waited_for(house: OldHouse) -> None:
    script = (
        "import fcntl, sys, time; f = open(sys.argv[1], 'a'); fcntl.flock(f, fcntl.LOCK_EX); print('held', flush=True)\n"
        "time.sleep(60)"
    )
    lock = house.bench.root / ".dvc/tmp/swath/run.lock"
    with subprocess.Popen([sys.executable, "-c", script, str(lock)], stdout=subprocess.PIPE) as other:
        assert other.stdout
        assert other.stdout.readline() == b"held\n"
        try:
            with pytest.raises(PassingFaultError, match="another `swath run` is at work in this repository"):
                clean_cache(Repository(house.bench.root), None, options(claims=False))
        finally:
            other.kill()


def test_outside_of_git_nothing_is_removed(tmp_path: Path) -> None:
    (tmp_path / ".dvc").mkdir()
    with pytest.raises(UserError, match="this is no Git repository with a commit: it is not known what may go"):
        clean_cache(Repository(tmp_path), None, options(claims=False))


def test_other_work_trees_of_the_clone_keep_what_is_in_no_commit_yet(house: OldHouse, tmp_path: Path) -> None:
    cache = house.bench.root / ".dvc/cache"
    named: dict[str, set[str]] = {}
    for name in ("lock", "index"):
        house.bench.command("git", "worktree", "add", "-q", str(tmp_path / name), "-b", name)
        other = Bench(tmp_path / name)
        other.write({".dvc/config.local": f"[cache]\n    dir = {cache}\n", "params.yaml": f"v: {name}\n"})
        before = cached(house)
        other.run()
        named[name] = cached(house) - before
    other.command("git", "add", "dvc.lock")
    other.write({"dvc.lock": other.command("git", "show", "HEAD:dvc.lock").stdout})
    assert all(len(each) == 2 for each in named.values())
    house.age()
    clean_cache(Repository(house.bench.root), None, options(claims=False))
    assert named["lock"] | named["index"] <= cached(house)


def test_failed_experiments_of_the_queue_keep_their_objects(house: OldHouse) -> None:
    bench, failed = house.bench, set[str]()
    for number in (7, 8):
        house.version(number, push=False)
        failed |= house.named()
        bench.command("git", "update-ref", "--create-reflog", "-m", "failed", "refs/exps/celery/failed", "HEAD")
        bench.command("git", "reset", "-q", "--hard", "HEAD~1")
    house.age()
    clean_cache(Repository(bench.root), None, options(claims=False))
    assert failed <= cached(house)


def test_a_young_commit_below_one_of_a_clock_that_is_late_counts(house: OldHouse) -> None:
    house.bench.write({"params.yaml": "v: 5\n"})
    house.bench.run()
    house.bench.commit("young")
    young = house.named()
    house.version(6, push=False)
    house.age()
    clean_cache(Repository(house.bench.root), None, options(claims=False))
    assert young <= cached(house)


def test_submodules_that_are_out_of_reach_are_no_fault(house: OldHouse, tmp_path: Path) -> None:
    bench = house.bench
    bench.command("git", "config", "--global", "protocol.file.allow", "always", HOME=str(tmp_path))
    inner = make_repository(tmp_path / "inner", {})
    bench.command("git", "submodule", "--quiet", "add", str(inner.root), "inner", HOME=str(tmp_path))
    house.commit("a submodule")
    house.share()
    other = house.clone("other")
    inner.write({"more": "1"})
    inner.commit("more")
    other.command("git", "submodule", "--quiet", "update", "--init", "--remote", HOME=str(tmp_path))
    other.commit("a newer submodule")
    other.command("git", "push", "-q")
    shutil.rmtree(inner.root)
    house.age()
    assert house.clean(options()) == set()


def test_a_cache_behind_a_link_must_be_claimed(house: OldHouse, tmp_path: Path) -> None:
    shared, link = tmp_path / "shared", house.bench.root / ".dvc/cache"
    link.rename(shared)
    link.symlink_to(shared)
    old = shared / "files/md5/ee" / ("e" * 30)
    old.parent.mkdir(parents=True)
    old.write_text("another project's?")
    os.utime(old, (1, 1))
    with pytest.raises(UserError, match="nobody has said that this repository alone keeps its data there"):
        clean_cache(Repository(house.bench.root), None, options(claims=False))
    assert old.exists()


def test_a_fork_may_not_clean_what_its_original_names(house: OldHouse, tmp_path: Path) -> None:
    house.share()
    house.bench.command("git", "clone", "-q", "--bare", str(house.server), str(tmp_path / "fork.git"))
    house.bench.command("git", "clone", "-q", str(tmp_path / "fork.git"), str(tmp_path / "fork"))
    fork, server = Bench(tmp_path / "fork"), tmp_path / "server"
    house.version(1)
    house.share()
    house.age()
    house.clean(options())
    named, before = house.named(), house.objects()
    with pytest.raises(UserError) as caught:
        clean_remote(Repository(fork.root), None, options(claims=False))
    assert str(caught.value).splitlines()[0] == (
        f"the DVC remote 'far' belongs to the repository of {server}; the Git servers of this clone: {fork.root}"
    )
    assert house.objects() == before
    fork.command("git", "remote", "add", "upstream", f"file://{house.server}")
    clean_remote(Repository(fork.root), None, options(claims=False))
    assert named <= house.objects()


def test_another_address_of_the_same_repository_is_said_once(house: OldHouse, tmp_path: Path) -> None:
    house.share()
    house.age()
    house.clean(options())
    house.server.rename(tmp_path / "moved.git")
    house.bench.command("git", "remote", "set-url", "origin", str(tmp_path / "moved.git"))
    with pytest.raises(UserError, match=f"the Git servers of this clone: {tmp_path / 'moved'}"):
        house.clean(options(claims=False))
    house.clean(options())
    house.clean(options(claims=False))
    marker = json.loads((house.far / MARKER).read_text())
    assert marker["servers"] == [[str(tmp_path / "server")], [str(tmp_path / "moved")]]


def test_a_claim_without_a_git_server_is_for_clones_without_one(house: OldHouse) -> None:
    house.share()
    house.age()
    house.bench.command("git", "remote", "remove", "origin")
    house.clean(options())
    house.clean(options(claims=False))
    house.bench.command("git", "remote", "add", "origin", str(house.server))
    with pytest.raises(UserError, match="belongs to the repository of a clone without a Git server"):
        house.clean(options(claims=False))
