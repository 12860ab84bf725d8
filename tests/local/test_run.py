"""`local/run.py`: whole runs in real repositories; DVC is asked whether it agrees."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from support.repositories import CLEAN, Bench, make_repository
from support.service_repositories import shell_service
from swath.errors import PassingFaultError, UserError
from swath.local import run
from swath.local.journal import Journal

CHAIN = {
    "in.txt": "one",
    "params.yaml": {"lr": 0.1, "other": 1},
    "dvc.yaml": {
        "stages": {
            "prepare": {"cmd": "cp in.txt mid.txt", "deps": ["in.txt"], "outs": ["mid.txt"]},
            "train": {
                "cmd": "(cat mid.txt; grep lr params.yaml) > model",
                "deps": ["mid.txt"],
                "params": ["lr"],
                "outs": ["model"],
                "metrics": [],
            },
        }
    },
}


@pytest.fixture
def chain(tmp_path: Path) -> Bench:
    """A chain of two stages."""
    return make_repository(tmp_path / "repo", CHAIN)


def test_a_first_run_runs_all_and_dvc_agrees(chain: Bench) -> None:
    assert chain.did() == {"prepare": "ran", "train": "ran"}
    assert chain.dvc_status() == CLEAN


def test_a_second_run_does_nothing(chain: Bench) -> None:
    chain.run()
    summary = chain.run()
    assert (summary.reports, summary.unchanged) == ({}, 2)


def test_only_what_reads_a_parameter_runs_again(chain: Bench) -> None:
    chain.run()
    chain.write({"params.yaml": {"lr": 0.1, "other": 2}})
    assert chain.did() == {}
    chain.write({"params.yaml": {"lr": 0.2, "other": 2}})
    assert chain.did() == {"train": "ran"}


def test_an_old_parameter_restores_the_old_result_without_running(chain: Bench) -> None:
    chain.run()
    before = chain.read("model")
    chain.write({"params.yaml": {"lr": 0.2, "other": 1}})
    chain.run()
    chain.write({"params.yaml": {"lr": 0.1, "other": 1}})
    assert chain.did() == {"train": "restored"}
    assert chain.read("model") == before
    assert chain.dvc_status() == CLEAN


def test_a_result_of_dvc_repro_is_restored_too(chain: Bench) -> None:
    chain.command("dvc", "repro", "-q")
    chain.write({"in.txt": "two"})
    chain.run()
    chain.write({"in.txt": "one"})
    assert chain.did() == {"prepare": "restored", "train": "restored"}


def test_dvc_restores_a_result_of_ours(chain: Bench) -> None:
    chain.run()
    chain.write({"in.txt": "two"})
    chain.run()
    chain.write({"in.txt": "one"})
    said = chain.command("dvc", "repro").stdout
    assert said.count("is cached - skipping run") == 2


def test_equal_inputs_cut_off_what_is_behind(tmp_path: Path) -> None:
    files = {
        "in.txt": "a 1",
        "dvc.yaml": {
            "stages": {
                "first": {"cmd": "cut -c1 in.txt > mid", "deps": ["in.txt"], "outs": ["mid"]},
                "second": {"cmd": "cp mid end", "deps": ["mid"], "outs": ["end"]},
            }
        },
    }
    bench = make_repository(tmp_path, files)
    bench.run()
    bench.write({"in.txt": "a 2"})
    assert bench.did() == {"first": "ran", "second": "unchanged"}


def test_deleted_and_edited_outputs_come_back_from_the_cache(chain: Bench) -> None:
    chain.run()
    (chain.root / "mid.txt").unlink()
    (chain.root / "model").unlink()
    (chain.root / "model").write_text("edited")
    assert chain.did() == {"prepare": "restored", "train": "restored"}
    assert chain.read("mid.txt") == "one"


def test_force_runs_and_single_item_runs_one(chain: Bench) -> None:
    chain.run()
    assert chain.did("train", force=True, reach="alone") == {"train": "ran"}
    assert chain.did("prepare", force=True, reach="downstream") == {"prepare": "ran", "train": "ran"}


def test_targets_bring_what_they_need(chain: Bench) -> None:
    assert chain.did("prepare") == {"prepare": "ran"}
    assert chain.did("model") == {"train": "ran"}


def test_an_unknown_target_is_named(chain: Bench) -> None:
    result = chain.swath("run", "trian")
    assert result.returncode == 1
    assert result.stderr == "swath: there is no stage, dvc.yaml or output 'trian'\n  did you mean 'train'?\n"


def test_a_failure_keeps_what_finished_and_names_its_log(chain: Bench) -> None:
    chain.write(
        {
            "dvc.yaml": {
                "stages": {**CHAIN["dvc.yaml"]["stages"], "bad": {"cmd": "echo why; exit 3", "deps": ["mid.txt"]}}
            }
        }
    )  # type: ignore[index, dict-item]
    result = chain.swath("run", "-j1", "-k")
    assert result.returncode == 4
    assert "bad: it ended with exit code 3" in result.stderr
    assert "│ why" in result.stderr
    assert "swath: 1 stage failed: bad" in result.stderr
    assert set(chain.lock()) == {"prepare", "train"}


def test_keep_going_runs_what_does_not_depend_on_the_failure(tmp_path: Path) -> None:
    stages = {
        "bad": {"cmd": "false", "outs": ["x"]},
        "behind": {"cmd": "cp x y", "deps": ["x"], "outs": ["y"]},
        "free": {"cmd": "echo 1 > z", "outs": ["z"]},
    }
    bench = make_repository(tmp_path, {"dvc.yaml": {"stages": stages}})
    summary = bench.run(keep_going=True)
    assert summary.named("failed") == ["bad"]
    assert summary.skipped == {"behind": "bad"}
    assert summary.named("ran") == ["free"]


def test_retries_help_against_passing_failures(tmp_path: Path) -> None:
    cmd = "n=$(cat $TRIES 2>/dev/null || echo 0); echo $((n+1)) > $TRIES; test $n -ge 1 && echo ok > out"
    stage = {"cmd": cmd, "outs": ["out"], "meta": {"swath": {"retries": 2}}}
    bench = make_repository(tmp_path / "r", {"dvc.yaml": {"stages": {"flaky": stage}}})
    result = bench.swath("run", "--json", TRIES=str(tmp_path / "tries"))
    assert result.returncode == 0
    assert '"attempts": 2' in result.stdout


def test_a_timeout_ends_a_hanging_stage_with_its_children(tmp_path: Path) -> None:
    stage = {"cmd": "sleep 600 & sleep 600", "outs": ["out"], "meta": {"swath": {"timeout": "1s"}}}
    bench = make_repository(tmp_path, {"dvc.yaml": {"stages": {"hang": stage}}})
    report = bench.run().reports["hang"]
    assert (report.did, report.message) == ("failed", "it took longer than its timeout of 1s")


def test_services_of_one_stage_share_its_timeout(tmp_path: Path) -> None:
    bench = make_repository(tmp_path, {"dvc.yaml": {"stages": {"both": {
        "cmd": ["swath exec slow", "swath exec slow --out o"], "deps": ["services/slow"], "outs": ["o"],
        "meta": {"swath": {"timeout": "2s"}},
    }}}})  # fmt: skip
    shell_service(tmp_path, "slow", "sleep 1.3; touch o")
    report = bench.run(runtime="process").reports["both"]
    assert (report.did, report.message) == ("failed", "it took longer than its timeout of 2s")
    assert report.wall_s < 2.6


BREAKS_THE_LOCK = {
    "first": {"cmd": "echo 1 > a", "outs": ["a"]},
    "slow": {"cmd": "cp a b; BREAK; sleep 600", "deps": ["a"], "outs": ["b"]},
    "never": {"cmd": "cp b c", "deps": ["b"], "outs": ["c"]},
}


def breaking_the_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str) -> Bench:
    """A run that writes dvc.lock every moment, with a stage after whose start that cannot be."""
    monkeypatch.setattr("swath.local.run._LOCK_EVERY_S", 0.3)
    text = json.dumps({"stages": BREAKS_THE_LOCK}).replace("BREAK", how)
    return make_repository(tmp_path, {"dvc.yaml": text})


KEPT = "finished stages are kept in the journal for the next run"


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("echo '<<<<<<< HEAD' > dvc.lock", f"dvc.lock: expected a mapping, found str\n  {KEPT}"),
        (
            "rm -f dvc.lock; mkdir dvc.lock",
            (
                "dvc.lock: cannot be read: [Errno 21] Is a directory: '{root}/dvc.lock'\n"
                f"  restore it from Git: git checkout -- dvc.lock; {KEPT}"
            ),
        ),
    ],
)
def test_a_lock_that_somebody_breaks_ends_the_run_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str, message: str
) -> None:
    bench = breaking_the_lock(tmp_path, monkeypatch, how)
    with pytest.raises(UserError) as caught:
        bench.run()
    assert caught.value.exit_code == 1
    assert str(caught.value) == message.replace("{root}", str(tmp_path))
    kept = Journal(tmp_path / ".dvc/tmp/swath").read()
    assert list(kept["dvc.yaml"]) == ["first"]
    bench.command("rm", "-rf", "dvc.lock")
    assert bench.did("first") == {}
    assert set(bench.lock()) == {"first"}


def test_a_lock_that_may_not_be_written_ends_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = breaking_the_lock(tmp_path, monkeypatch, "true")
    denied = PermissionError(13, "Permission denied", "dvc.lock")
    settle = run.settle_journal

    def refused(repository: Any, journal: Any, *project: Any) -> None:
        if project and journal.read():
            raise denied
        settle(repository, journal, *project)

    monkeypatch.setattr(run, "settle_journal", refused)
    with pytest.raises(UserError) as caught:
        bench.run()
    assert str(caught.value).partition("\n")[0] == "dvc.lock: Permission denied"
    assert list(Journal(tmp_path / ".dvc/tmp/swath").read()["dvc.yaml"]) == ["first"]


@pytest.mark.parametrize(
    "fault", [PassingFaultError("the DVC repository is locked"), OSError(28, "No space left on device")]
)
def test_what_may_pass_when_a_lock_is_written_ends_no_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    bench = breaking_the_lock(tmp_path, monkeypatch, "sleep 1; exit 0")
    settle, refusals = run.settle_journal, [2]

    def held(repository: Any, journal: Any, *project: Any) -> None:
        if project and refusals[0]:
            refusals[0] -= 1
            raise fault
        settle(repository, journal, *project)

    monkeypatch.setattr(run, "settle_journal", held)
    assert bench.did() == {"first": "ran", "slow": "ran", "never": "ran"}
    assert refusals == [0]
    assert set(bench.lock()) == {"first", "slow", "never"}


def test_who_follows_a_run_may_go_away(tmp_path: Path) -> None:
    stages = {
        "a": {"cmd": "echo 1 > a", "outs": ["a"]},
        "b": {"cmd": "sleep 0.5; exit 3", "deps": ["a"], "outs": ["b"]},
    }
    bench = make_repository(tmp_path, {"dvc.yaml": {"stages": stages}})
    process = bench.start("run")
    for stream in (process.stdout, process.stderr):
        assert stream is not None
        stream.close()
    process.wait(60)
    assert process.returncode == 4
    assert set(bench.lock()) == {"a"}


def test_each_stage_gets_a_gpu_of_its_own_by_its_name(tmp_path: Path) -> None:
    cmd = "echo $CUDA_VISIBLE_DEVICES > NAME; while [ ! -s a ] || [ ! -s b ]; do sleep 0.05; done"
    meta = {"swath": {"resources": {"gpus": 1}, "timeout": "20s"}}
    stages = {name: {"cmd": cmd.replace("NAME", name), "outs": [name], "meta": meta} for name in "ab"}
    bench = make_repository(tmp_path, {"dvc.yaml": {"stages": stages}})
    done = bench.swath("run", "-j4", CUDA_VISIBLE_DEVICES="GPU-8932f937,MIG-4f5e/1/0,-1,7")
    assert done.returncode == 0, done.stderr
    assert (bench.read("a"), bench.read("b")) == ("GPU-8932f937\n", "MIG-4f5e/1/0\n")


def test_an_output_that_was_not_written_fails_the_stage(tmp_path: Path) -> None:
    bench = make_repository(tmp_path, {"dvc.yaml": {"stages": {"lazy": {"cmd": "true", "outs": ["out"]}}}})
    report = bench.run().reports["lazy"]
    assert report.did == "failed"
    assert report.message.startswith("the output out was not written")


def test_a_missing_dep_is_named_with_its_place(tmp_path: Path) -> None:
    bench = make_repository(
        tmp_path, {"dvc.yaml": {"stages": {"use": {"cmd": "cat no", "deps": ["no"], "outs": ["o"]}}}}
    )
    report = bench.run().reports["use"]
    message = "dvc.yaml:2: stages.use: no does not exist\n  make it, fetch it (dvc pull), or correct the path"
    assert (report.did, report.message) == ("failed", message)


def test_a_frozen_stage_does_not_run(chain: Bench) -> None:
    chain.run()
    chain.write({"in.txt": "two"})
    chain.command("dvc", "freeze", "prepare")
    assert chain.did() == {"prepare": "unchanged"}
    chain.command("dvc", "unfreeze", "prepare")
    assert chain.did() == {"prepare": "ran", "train": "ran"}


def test_stages_that_are_known_only_after_a_stage_ran(tmp_path: Path) -> None:
    search = "printf 'scenes:\\n  a: {n: 1}\\n  b: {n: 2}\\n' > scenes.yaml && cat in.txt >> scenes.yaml"
    stages = {
        "search": {"cmd": search, "deps": ["in.txt"], "outs": [{"scenes.yaml": {"cache": False}}]},
        "get": {
            "foreach": "${scenes}",
            "do": {"cmd": "mkdir -p got && echo ${item.n} > got/${key}", "outs": ["got/${key}"]},
        },
        "all": {"cmd": "cat got/* > all", "deps": ["got"], "outs": ["all"]},
    }
    files = {"in.txt": "", "scenes.yaml": "scenes: {}\n", "dvc.yaml": {"vars": ["scenes.yaml"], "stages": stages}}
    bench = make_repository(tmp_path, files)
    assert bench.did() == {"search": "ran", "get@a": "ran", "get@b": "ran", "all": "ran"}
    assert bench.read("all") == "1\n2\n"
    assert bench.did() == {}
    bench.write({"in.txt": "  c: {n: 3}\n"})
    assert bench.did() == {"search": "ran", "get@c": "ran", "all": "ran"}
    assert bench.dvc_status() == CLEAN


def test_the_vars_file_may_be_missing_before_its_stage_ran(tmp_path: Path) -> None:
    stages = {
        "search": {"cmd": "echo 'scenes: [a]' > scenes.yaml", "outs": [{"scenes.yaml": {"cache": False}}]},
        "get": {"foreach": "${scenes}", "do": {"cmd": "echo 1 > ${item}", "outs": ["${item}"]}},
    }
    bench = make_repository(tmp_path, {"dvc.yaml": {"vars": ["scenes.yaml"], "stages": stages}})
    assert bench.did() == {"search": "ran", "get@a": "ran"}


@pytest.mark.parametrize("link", ["copy", "hardlink", "symlink"])
def test_every_link_type_of_the_cache(tmp_path: Path, link: str) -> None:
    bench = make_repository(tmp_path, CHAIN)
    bench.command("dvc", "config", "cache.type", link)
    assert bench.did() == {"prepare": "ran", "train": "ran"}
    assert bench.dvc_status() == CLEAN
    assert (bench.root / "model").is_symlink() == (link == "symlink")
    bench.write({"in.txt": "two"})
    bench.run()
    bench.write({"in.txt": "one"})
    assert bench.did() == {"prepare": "restored", "train": "restored"}
    assert bench.dvc_status() == CLEAN


def test_a_tracked_file_that_is_missing_is_fetched(tmp_path: Path) -> None:
    stage = {"cmd": "cp data.bin copy", "deps": ["data.bin"], "outs": ["copy"]}
    bench = make_repository(tmp_path, {"data.bin": "x", "dvc.yaml": {"stages": {"use": stage}}})
    bench.command("git", "rm", "-q", "--cached", "data.bin")
    bench.command("dvc", "add", "-q", "data.bin")
    (bench.root / "data.bin").unlink()
    assert bench.did() == {"use": "ran"}
    assert bench.read("copy") == "x"


def test_parameters_are_set_before_the_run(chain: Bench) -> None:
    chain.swath("run", check=True)
    result = chain.swath("run", "-S", "lr=0.5", "--json")
    assert result.returncode == 0
    assert '"did": "ran"' in result.stdout
    assert "lr: 0.5" in chain.read("params.yaml")


def test_a_second_run_says_who_runs(chain: Bench) -> None:
    chain.write({"dvc.yaml": {"stages": {"slow": {"cmd": "touch $MARK; sleep 5", "outs": [], "deps": ["in.txt"]}}}})
    mark = chain.root / "mark"
    first = chain.start("run", MARK=str(mark))
    wait_for(mark)
    second = chain.swath("run")
    first.communicate()
    assert second.returncode == 75
    assert second.stderr.startswith(
        f"swath: another `swath run` is at work in this repository (process {first.pid}, since "
    )


def wait_for(path: Path, seconds: float = 30.0) -> None:
    """Wait until a file is there."""
    import time

    until = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < until, f"{path} did not come"
        time.sleep(0.02)


def test_python_runs_our_tests_with_the_package_of_this_checkout() -> None:
    import swath

    assert Path(str(swath.__file__)).is_relative_to(Path(sys.modules[__name__].__file__ or "").parents[2])


def test_the_document_stands_alone_when_dvc_saves_edited_data(tmp_path: Path) -> None:
    """DVC tells on stdout what it does with a `.dvc` file."""
    bench = make_repository(
        tmp_path / "r", {"data": "1", "dvc.yaml": {"stages": {"s": {"cmd": "true", "deps": ["data"]}}}}
    )
    bench.command("git", "rm", "-q", "--cached", "data")
    bench.command("dvc", "add", "-q", "data")
    bench.commit()
    (bench.root / "data").unlink()
    bench.write({"data": "2"})

    document = json.loads(bench.swath("run", "--json", check=True).stdout)

    assert [stage["did"] for stage in document["stages"]] == ["ran"]
    assert "c81e728d9d4c2f636f067f89cc14862c" in bench.read("data.dvc")
