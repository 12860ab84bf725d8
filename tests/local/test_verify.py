"""`local/verify.py`: recorded stages run again, each by itself, and nothing of the user's changes."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path
from typing import Any

import pytest

from support.repositories import CLEAN, ENVIRON, Bench, make_repository
from swath.dvc_border.repository import Repository
from swath.errors import StageFailedError
from swath.local.verify import VerifyOptions, raise_for, verify_stages
from swath.model.verdict import Verdict

# A stage that is not deterministic in the middle: those behind it are, given what was recorded.
FILES: dict[str, Any] = {
    "in.txt": "one\n",
    "dvc.yaml": {
        "stages": {
            "fine": {"cmd": "cp in.txt fine", "deps": ["in.txt"], "outs": ["fine"]},
            "random": {
                "cmd": "mkdir -p drawn/sub && cp fine drawn/sub/same && head -c 9 /dev/urandom | base64 > drawn/other"
                ' && touch "drawn/$(cat drawn/other | md5sum | cut -c1-8)"',
                "deps": ["fine"],
                "outs": ["drawn"],
            },
            "behind": {"cmd": "cat drawn/other drawn/sub/same > behind", "deps": ["drawn"], "outs": ["behind"]},
            "inside": {
                "cmd": "cp drawn/sub/same inside; echo '{\"n\": 1}' > m.json",
                "deps": ["drawn/sub/same"],
                "outs": ["inside"],
                "metrics": [{"m.json": {"cache": False}}],
            },
            "metric": {"cmd": "cat m.json > metric", "deps": ["m.json"], "outs": ["metric"]},
            "always": {"cmd": "echo x", "always_changed": True},
            "grown": {"cmd": "echo x >> grown", "deps": ["in.txt"], "outs": [{"grown": {"persist": True}}]},
            "late": {"cmd": "cp in.txt late", "deps": ["in.txt"], "outs": ["late"]},
        }
    },
}
NAMES = ("fine", "random", "behind", "inside", "metric", "late")


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """Everything ran once and is committed."""
    made = make_repository(tmp_path / "repo", FILES)
    made.run()
    made.commit("recorded")
    return made


def verify(bench: Bench, *targets: str, **options: Any) -> dict[str, Verdict]:
    repository = Repository(bench.root)
    commit = bench.command("git", "rev-parse", options.pop("rev", "HEAD")).stdout.strip()
    chosen = VerifyOptions(commit, targets, jobs=4, environ=ENVIRON, **options)
    return {v.stage: v for v in verify_stages(repository, chosen, threading.Event(), lambda _: None)}


def test_each_stage_is_judged_by_itself(bench: Bench) -> None:
    before = snapshot(bench)
    verdicts = verify(bench)
    assert {name: verdict.kind for name, verdict in verdicts.items()} == {
        "fine": "same",
        "random": "differs",
        "behind": "same",
        "inside": "same",
        "metric": "same",
        "always": "skipped",
        "grown": "skipped",
        "late": "same",
    }
    assert verdicts["grown"].message == "it goes on from what its output was before (persist)"
    assert verdicts["always"].message == "it has no outputs to compare"
    assert snapshot(bench) == before
    assert bench.dvc_status().startswith("always:")  # as before: DVC never calls it up to date


def snapshot(bench: Bench) -> dict[str, bytes]:
    """All files but the logs and DVC's own records."""
    paths = sorted(path for path in bench.root.rglob("*") if path.is_file() and "tmp" not in path.parts)
    return {str(path): path.read_bytes() for path in paths if path.name != "index"}


def test_a_folder_says_which_files_differ(bench: Bench) -> None:
    (out,) = verify(bench, "random")["random"].outs
    recorded = bench.lock()["random"]["outs"][0]["md5"]
    assert (out.path, out.recorded) == ("drawn", recorded)
    assert out.now.endswith(".dir")
    assert out.now != recorded
    assert ("other", "changed") in out.files
    assert sorted(change for _, change in out.files) == ["added", "changed", "missing"]
    assert "sub/same" not in dict(out.files)


def test_no_copy_is_left(bench: Bench) -> None:
    verify(bench, "fine")
    assert list((bench.root / ".dvc/tmp/swath").glob("verify-*")) == []


def test_edits_of_the_workspace_do_not_count(bench: Bench) -> None:
    bench.write({"in.txt": "edited\n", "fine": "edited\n"})
    assert verify(bench, "fine")["fine"].kind == "same"


def test_a_stale_entry_is_not_judged(bench: Bench) -> None:
    bench.write({"in.txt": "two\n"})
    bench.commit("changed")
    verdicts = verify(bench, "fine", "late")
    assert {v.message for v in verdicts.values()} == {"a dep is not as it was recorded: its entry is stale"}
    assert verify(bench, "fine", rev="HEAD~1")["fine"].kind == "same"


def test_a_stage_that_never_ran_is_not_judged(tmp_path: Path) -> None:
    made = make_repository(tmp_path / "repo", FILES)
    assert verify(made, "fine")["fine"] == Verdict("fine", "skipped", "dvc.lock does not have it")


def test_a_failing_stage_has_its_log(tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    flag.touch()
    stage = {"cmd": f"test -e {flag} && cp in.txt out", "deps": ["in.txt"], "outs": ["out"]}
    made = make_repository(tmp_path / "repo", {"in.txt": "1", "dvc.yaml": {"stages": {"s": stage}}})
    made.run()
    made.commit()
    flag.unlink()
    verdict = verify(made)["s"]
    assert (verdict.kind, verdict.message) == ("failed", "it ended with exit code 1")
    assert Path(verdict.log).read_text().startswith(f"$ test -e {flag}")


def test_inputs_that_are_nowhere_are_named(bench: Bench) -> None:
    shutil.rmtree(bench.root / ".dvc/cache")
    assert verify(bench, "behind")["behind"].message == "neither this machine nor the remote has drawn"
    assert verify(bench, "fine")["fine"].kind == "same"


def test_inputs_come_from_the_remote(bench: Bench, tmp_path: Path) -> None:
    bench.command("dvc", "remote", "add", "-d", "--local", "store", str(tmp_path / "store"))
    bench.command("dvc", "push", "-q")
    shutil.rmtree(bench.root / ".dvc/cache")
    assert verify(bench, "behind", "inside")["behind"].kind == "same"


def test_a_dvc_repository_in_a_folder_of_a_git_repository(tmp_path: Path) -> None:
    top = make_repository(tmp_path / "top", {"readme": "x"})
    shutil.rmtree(top.root / ".dvc")
    inner = Bench(top.root / "inner")
    inner.root.mkdir()
    inner.command("dvc", "init", "-q", "--subdir")
    inner.write(FILES)
    inner.run()
    inner.commit()
    assert {name: verify(inner)[name].kind for name in ("fine", "random", "behind")} == {
        "fine": "same",
        "random": "differs",
        "behind": "same",
    }


@pytest.mark.parametrize("kind", ["hardlink", "symlink"])
def test_links_into_the_cache_stay_unharmed(tmp_path: Path, kind: str) -> None:
    made = make_repository(tmp_path / "repo", {})
    made.command("dvc", "config", "cache.type", kind)
    made.write(FILES)
    made.run()
    made.commit()
    assert verify(made, "random", "behind")["behind"].kind == "same"
    assert made.command("dvc", "status", "fine", "random", "behind").stdout.strip() == CLEAN


@pytest.mark.parametrize(
    ("kinds", "message"),
    [
        (["same", "skipped"], None),
        (["same", "failed"], "1 stage does not give what is recorded: s1"),
        (["differs"] * 11, f"11 stages do not give what is recorded: {', '.join(f's{n}' for n in range(10))} …"),
    ],
)
def test_what_is_wrong_is_an_error(kinds: list[Any], message: str | None) -> None:
    verdicts = [Verdict(f"s{number}", kind) for number, kind in enumerate(kinds)]
    if message is None:
        raise_for(verdicts)
        return
    with pytest.raises(StageFailedError) as caught:
        raise_for(verdicts)
    assert str(caught.value) == message
