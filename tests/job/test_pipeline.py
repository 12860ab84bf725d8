"""`job/pipeline.py`: HEAD of a real repository becomes a pipeline, and a job works the same plan out again."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.repositories import Bench, make_repository
from swath.dvc_border.remote_store import RemoteStore
from swath.dvc_border.repository import Repository
from swath.dvc_border.revision import commit_id
from swath.errors import UserError
from swath.job.pipeline import Compiled, CompileOptions, compile_pipeline
from swath.job.planned import planned_jobs
from swath.load.settings import load_settings
from swath.load.workflows import load_workflows
from swath.model.bot_commit import record_message
from swath.model.fragment import FileRecord, Fragment, StageRecord, fragment_path
from swath.schema.decisions_text import decode
from swath.schema.fragment_text import write_fragment

GITLAB = {"GITLAB_CI": "true", "CI_PIPELINE_ID": "4711"}
FILES: dict[str, Any] = {
    "in.txt": "one",
    "params.yaml": "width: 1\n",
    "dvc.yaml": {
        "stages": {
            "first": {"cmd": "cat in.txt params.yaml > mid", "deps": ["in.txt"], "params": ["width"], "outs": ["mid"]},
            "second": {"cmd": "cp mid end", "deps": ["mid"], "outs": ["end"]},
            "other": {"cmd": "cp in.txt other", "deps": ["in.txt"], "outs": ["other"]},
        }
    },
}


def compiled(
    root: Path, *, environ: Mapping[str, str] | None = None, store: RemoteStore | None = None, **options: Any
) -> Compiled:
    """What `swath compile` makes of HEAD."""
    return compile_pipeline(Repository(root), CompileOptions(**options), environ or GITLAB, store)


def stages(made: Compiled) -> dict[str, tuple[str, ...]]:
    """The stages of each job."""
    return {job.name: job.stages for job in made.plan.jobs}


def document(made: Compiled) -> dict[str, Any]:
    """The YAML."""
    return dict(yaml.safe_load(made.text))


def clone(bench: Bench, folder: Path) -> Bench:
    """A fresh clone, without data."""
    bench.command("git", "clone", "-q", str(bench.root), str(folder))
    return Bench(folder)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """Three stages that never ran, and a remote."""
    bench = make_repository(tmp_path / "repo", FILES)
    bench.add_remote("far", str(tmp_path / "far"))
    bench.commit("remote")
    return bench


def test_only_what_changed_has_a_job(bench: Bench, tmp_path: Path) -> None:
    assert stages(compiled(bench.root)) == {"first .. second": ("first", "second"), "other": ("other",)}
    bench.run()
    bench.write({"params.yaml": "width: 2\n"})
    bench.commit("another width")
    fresh = clone(bench, tmp_path / "clone")
    made = compiled(fresh.root)
    assert stages(made) == {"first .. second": ("first", "second")}
    assert document(made)["variables"] == {"SWATH_LEVEL": "1", "SWATH_DECISIONS": "2r1u"}


def test_a_change_of_what_no_stage_reads_is_the_pipeline_without_work(bench: Bench) -> None:
    bench.run()
    bench.write({"README.md": "# New"})
    bench.commit("readme")
    assert [name for name in document(compiled(bench.root)) if name not in {"workflow", "stages", "variables"}] == [
        "nothing-to-do"
    ]


def test_what_is_not_committed_does_not_count(bench: Bench) -> None:
    bench.run()
    bench.commit("ran")
    bench.write({"in.txt": "edited", "swath.yaml": "nonsense: 1"})
    assert stages(compiled(bench.root)) == {}


def test_a_parameter_that_is_set_back_is_restored_from_the_remote(bench: Bench, tmp_path: Path) -> None:
    bench.run()
    bench.commit("width 1")
    bench.write({"params.yaml": "width: 2\n"})
    bench.run()
    bench.commit("width 2")
    bench.command("dvc", "push", "-q", "--run-cache", "--all-commits")
    bench.write({"params.yaml": "width: 1\n", "in.txt": "one"})
    bench.commit("width 1 again")
    fresh = clone(bench, tmp_path / "clone")
    store = RemoteStore(Repository(fresh.root))
    assert stages(compiled(fresh.root, store=store)) == {"restore": ("first", "second")}
    assert list(stages(compiled(fresh.root))) == ["first .. second"]  # nobody asked: nothing can be restored
    for lost in (tmp_path / "far/files").rglob("*"):
        if lost.is_file():
            lost.unlink()
    assert list(stages(compiled(fresh.root, store=RemoteStore(Repository(fresh.root))))) == ["first .. second"]


def test_a_job_works_out_the_same_plan(bench: Bench, tmp_path: Path) -> None:
    bench.write({"swath.yaml": "default_image: python:3.12\n"})
    bench.commit("image")
    made = compiled(bench.root, ask_registry=False)
    fresh = clone(bench, tmp_path / "clone")
    repository = Repository(fresh.root)
    graph = load_workflows(repository).graph
    kinds = decode(document(made)["variables"]["SWATH_DECISIONS"], list(graph.stages))
    again = planned_jobs(repository, graph, kinds, load_settings(fresh.root))
    assert again.digest == made.plan.digest
    assert [job.stages for job in again.jobs] == [job.stages for job in made.plan.jobs]
    assert f"--plan-digest {again.digest}" in made.text


def test_equal_work_has_an_equal_key_whatever_else_changed(bench: Bench) -> None:
    before = {job.name: job.key for job in compiled(bench.root).plan.jobs}
    bench.write({"params.yaml": "width: 2\n", "README.md": "x"})
    bench.commit("another width")
    after = {job.name: job.key for job in compiled(bench.root).plan.jobs}
    assert before["other"] == after["other"]
    assert before["first .. second"] != after["first .. second"]


def test_targets(bench: Bench) -> None:
    assert stages(compiled(bench.root, targets=("other",))) == {"other": ("other",)}
    assert stages(compiled(bench.root, targets=("end",))) == {"first .. second": ("first", "second")}
    with pytest.raises(UserError, match=r"there is no stage, dvc\.yaml or output 'nothing'"):
        compiled(bench.root, targets=("nothing",))


def test_all_workflows_unless_swath_yaml_names_some(bench: Bench) -> None:
    use = {"stages": {"use": {"cmd": "cp ../in.txt used", "deps": ["../in.txt"], "outs": ["used"]}}}
    bench.write({"use/dvc.yaml": use})
    bench.commit("use")
    assert "use/use" in stages(compiled(bench.root))
    bench.write({"swath.yaml": "ci: {workflows: [use/dvc.yaml]}\n"})
    bench.commit("only one")
    assert stages(compiled(bench.root)) == {"use/use": ("use/dvc.yaml:use",)}
    assert len(stages(compiled(bench.root, targets=("dvc.yaml",)))) == 2
    bench.write({"swath.yaml": "ci: {workflows: [gone/dvc.yaml]}\n"})
    bench.commit("wrong")
    with pytest.raises(UserError) as error:
        compiled(bench.root)
    assert str(error.value) == (
        "swath.yaml:1: ci.workflows: there is no gone/dvc.yaml\n  correct the path, or commit the file"
    )


def test_what_always_changes_counts_as_done_on_our_own_commit(bench: Bench) -> None:
    always = {"cmd": "date > now", "deps": ["in.txt"], "outs": ["now"], "always_changed": True}
    behind = {"cmd": "cp now later", "deps": ["now"], "outs": ["later"]}
    bench.write({"dvc.yaml": {"stages": {"now": always, "later": behind, "say": {"cmd": "echo hello"}}}})
    bench.run()
    bench.commit("ran")
    assert {name for names in stages(compiled(bench.root)).values() for name in names} == {"now", "later", "say"}
    bench.commit(record_message("4711", 3))
    assert stages(compiled(bench.root, environ={**GITLAB, "CI_PIPELINE_SOURCE": "push"})) == {}
    assert stages(compiled(bench.root, environ={**GITLAB, "CI_PIPELINE_SOURCE": "schedule"})) != {}
    bench.write({"in.txt": "two"})
    bench.commit(record_message("4712", 3))
    assert "now" in str(stages(compiled(bench.root, environ={**GITLAB, "CI_PIPELINE_SOURCE": "push"})))


def test_no_runner_is_told_with_what_each_class_lacks(bench: Bench) -> None:
    meta = {"swath": {"resources": {"gpus": 2, "memory": "32GiB"}}}
    bench.write(
        {"dvc.yaml": {"stages": {"train": {"cmd": "true > out", "deps": ["in.txt"], "outs": ["out"], "meta": meta}}}}
    )
    bench.write({"swath.yaml": "runners:\n  - {tags: [docker]}\n  - {tags: [gpu, big], gpus: 1, memory: 64GiB}\n"})
    bench.commit("train")
    with pytest.raises(UserError) as error:
        compiled(bench.root)
    assert str(error.value) == (
        "swath.yaml: runners: no runner of swath.yaml can run the stage train, which asks for 32GiB memory, 2 gpus\n"
        "  1. [docker] has only 16GiB memory, 0 gpus; 2. [gpu, big] has only 1 gpu; "
        "add a class under `runners`, or let the stage ask for less"
    )


def test_plain_commands_on_a_gpu_are_not_killed_by_a_push_and_wait_for_their_turn(bench: Bench) -> None:
    """As in any DVC repository: no services, no timeouts. Two trainings on one GPU."""
    meta = {"swath": {"resources": {"gpus": 1}}}
    train = {"cmd": "true > out", "deps": ["in.txt"], "meta": meta}
    stages = {name: {**train, "outs": [name]} for name in ("a", "b")}
    bench.write({"dvc.yaml": {"stages": {**stages, "c": {"cmd": "true > c", "deps": ["in.txt"], "outs": ["c"]}}}})
    bench.write({"swath.yaml": "runners:\n  - {tags: [docker]}\n  - {tags: [gpu], gpus: 1, concurrency: 1}\n"})
    bench.commit("train")
    jobs = document(compiled(bench.root))
    assert {name: (jobs[name]["interruptible"], jobs[name].get("resource_group")) for name in "abc"} == {
        "a": (False, "swath-gpu-1"),
        "b": (False, "swath-gpu-1"),
        "c": (True, None),
    }


def test_small_jobs_behind_a_training_on_the_only_runner_are_told(bench: Bench) -> None:
    """Planning and recording of the next pipeline would be pending for as long as this one trains."""
    meta = {"swath": {"expected": "40h"}}
    stages = {"train": {"cmd": "true > out", "deps": ["in.txt"], "outs": ["out"], "meta": meta}}
    bench.write({"dvc.yaml": {"stages": stages}, "swath.yaml": "runners: [{tags: [box], concurrency: 1}]\n"})
    bench.commit("one runner")
    (note,) = compiled(bench.root).notes
    assert note == (
        "the runners [box] run one job at a time, long stages and Swath's own jobs (plan, collect) alike: these wait "
        "until a long stage ends, and GitLab drops what waits for a day. A second runner for small jobs prevents that"
    )
    bench.write({"swath.yaml": "runners: [{tags: [box], concurrency: 2}]\n"})
    bench.commit("two jobs at a time")
    assert compiled(bench.root).notes == ()


def test_an_unknown_service_is_told_with_the_stage(bench: Bench) -> None:
    bench.write({"dvc.yaml": "stages:\n  a:\n    cmd: swath exec nothing --out a\n    outs: [a]\n"})
    bench.commit("unknown service")
    with pytest.raises(UserError) as error:
        compiled(bench.root)
    assert str(error.value).startswith("dvc.yaml:2: stages.a: there is no service 'nothing' (no services/nothing/")


def test_outside_gitlab_no_registry_is_needed(bench: Bench) -> None:
    bench.write({"swath.yaml": "default_image: python:3.12\n"})
    bench.commit("image")
    made = compiled(bench.root, environ={"HOME": "/nowhere"})
    assert made.notes == ("no registry is known here, outside GitLab: all images count as missing, and are built",)
    assert "build:default" in document(made)
    with pytest.raises(UserError, match="CI_REGISTRY_IMAGE is not set"):
        compiled(bench.root)


def test_containers_through_the_engine_share_jobs_of_our_own_image(bench: Bench) -> None:
    service = {
        "kind": "processing", "description": "x", "image": {"build": "."}, "entrypoint": ["sh", "x.sh"],
        "parameters": [{"name": "out", "type": "file", "direction": "output"}],
    }  # fmt: skip
    files = {f"services/{name}/service.yaml": {"name": name, **service} for name in ("one", "two")}
    steps = {
        "a": {"cmd": "swath exec one --out a", "deps": ["services/one"], "outs": ["a"]},
        "b": {"cmd": "swath exec two --out b", "deps": ["services/two", "a"], "outs": ["b"]},
    }
    dockerfiles = {
        f"services/{name}/{file}": "FROM scratch\n" for name in ("one", "two") for file in ("Dockerfile", "x.sh")
    }
    bench.write({**files, **dockerfiles, "dvc.yaml": {"stages": steps}, "swath.yaml": "execution: docker\n"})
    bench.commit("services")
    made = compiled(bench.root, ask_registry=False)
    job = document(made)["a .. b"]
    assert job["image"]["name"].startswith("$CI_REGISTRY_IMAGE/swath:")
    assert job["needs"] == ["images 1"] or set(job["needs"]) == {
        "build:one",
        "build:two",
    }


# --- stages known only at run time

SEARCH: dict[str, Any] = {
    "catalogue.txt": "scenes: [a, b]\n",
    "dvc.yaml": {
        "vars": ["scenes.yaml"],
        "stages": {
            "search": {
                "cmd": "cp catalogue.txt scenes.yaml",
                "deps": ["catalogue.txt"],
                "outs": [{"scenes.yaml": {"cache": False}}],
            },
            "download": {
                "foreach": "${scenes}",
                "do": {"cmd": "cp catalogue.txt raw/${item}", "deps": ["catalogue.txt"], "outs": ["raw/${item}"]},
            },
        },
    },
}


def md5(text: str) -> str:
    """As DVC."""
    return hashlib.md5(text.encode()).hexdigest()


@pytest.fixture
def searching(tmp_path: Path) -> tuple[Bench, RemoteStore]:
    """A workflow whose scenes a search finds, and its remote."""
    bench = make_repository(tmp_path / "repo", SEARCH)
    bench.add_remote("far", str(tmp_path / "far"))
    bench.commit("remote")
    return bench, RemoteStore(Repository(bench.root))


def write_first_level(bench: Bench, store: RemoteStore, scenes: str, commit: str | None = None) -> None:
    """What the job `search` of level 1 leaves."""
    dep = {"path": "catalogue.txt", "hash": "md5", "md5": md5("scenes: [a, b]\n"), "size": 15}
    out = {"path": "scenes.yaml", "hash": "md5", "md5": md5(scenes), "size": len(scenes)}
    record = StageRecord({"cmd": "cp catalogue.txt scenes.yaml", "deps": [dep], "outs": [out]})
    files = {"scenes.yaml": FileRecord(md5(scenes), scenes)}
    commit = commit or commit_id(Repository(bench.root))
    fragment = Fragment(commit, "digest", "search", 1, {"search": record}, files)
    store.write_text(fragment_path("4711", 1, "search"), write_fragment(fragment))


def test_the_first_level_runs_the_search_alone(searching: tuple[Bench, RemoteStore]) -> None:
    made = compiled(searching[0].root, store=searching[1])
    assert stages(made) == {"search": ("search",)}
    assert list(document(made))[3:] == ["search", "plan", "level-2", "collect"]
    assert document(made)["stages"] == ["stages-1", "plan", "level-2", "collect"]
    assert document(made)["collect"]["when"] == "on_failure"


def test_the_second_level_runs_what_was_found(searching: tuple[Bench, RemoteStore]) -> None:
    bench, store = searching
    write_first_level(bench, store, "scenes: [x, y]\n")
    made = compiled(bench.root, store=store, level=2)
    assert stages(made) == {"download@x": ("download@x",), "download@y": ("download@y",)}
    assert document(made)["variables"] == {"SWATH_LEVEL": "2", "SWATH_DECISIONS": "1u2r"}
    assert document(made)["collect"]["when"] == "always"
    assert "level-2" not in document(made)


def test_a_second_level_without_work_still_records(searching: tuple[Bench, RemoteStore]) -> None:
    bench, store = searching
    write_first_level(bench, store, "scenes: []\n")
    assert list(document(compiled(bench.root, store=store, level=2)))[3:] == ["collect"]


def test_results_of_another_commit_are_not_taken(searching: tuple[Bench, RemoteStore]) -> None:
    bench, store = searching
    write_first_level(bench, store, "scenes: [x]\n", commit="a" * 40)
    with pytest.raises(UserError, match=r"search.json: it is of commit aaaaaaaaaaaa"):
        compiled(bench.root, store=store, level=2)


def test_a_third_level_is_more_than_gitlab_allows(searching: tuple[Bench, RemoteStore]) -> None:
    bench, store = searching
    other = Fragment(commit_id(Repository(bench.root)), "digest", "other", 1)  # the search is still to be done
    store.write_text(fragment_path("4711", 1, "other"), write_fragment(other))
    with pytest.raises(UserError) as error:
        compiled(bench.root, store=store, level=2)
    assert error.value.message == (
        "GitLab would refuse the pipeline\nchild pipelines: 3 levels below the parent, GitLab's limit is 2"
    )


def test_a_second_level_without_a_remote(searching: tuple[Bench, RemoteStore]) -> None:
    with pytest.raises(UserError) as error:
        compiled(searching[0].root, level=2)
    assert str(error.value) == ("level 2 needs the DVC remote of the pipeline\n  dvc remote add -d NAME URL")
