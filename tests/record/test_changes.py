"""`record/changes.py`: what results change in a tree."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from support.gitlab_checkout import Project, file_record, fragments_of, make_project, recording_of
from support.repositories import CLEAN, Bench, make_repository
from swath.model.fragment import Fragment, StageRecord
from swath.record.changes import entries_at, known_workflows
from swath.record.merge import Results, merge_fragments
from swath.record.recording import Recorded, commit_on


def record(project: Project, bench: Bench, results: Results) -> tuple[str | None, Recorded]:
    """The commit on the commit that was run, pushed to the server's main."""
    commit, changes = commit_on(recording_of(project, bench, results), results.commit)
    if commit:
        bench.command("git", "push", "-q", project.url, f"{commit}:refs/heads/main")
    return commit, Recorded("commit", commit, results.commit, "main", changes)


def run_here(project: Project, texts: tuple[str, ...]) -> tuple[Bench, Results]:
    """Run all in a checkout; `texts`: what Git keeps of the outputs."""
    bench = project.checkout()
    bench.run()
    head = project.commit()
    fragments = fragments_of(bench, head)
    files = {path: file_record((bench.root / path).read_text()) for path in texts}
    return bench, merge_fragments(head, [*fragments, Fragment(head, "p", "more", 1, {}, files)])


def test_stages_that_only_a_run_makes_known(tmp_path: Path) -> None:
    """The search writes which scenes there are; its file and the stages behind it come in one commit."""
    project = make_project(
        tmp_path,
        {
            "in.txt": "b: 1\na: 2\n",
            "dvc.yaml": {
                "vars": ["found.yaml"],
                "stages": {
                    "use": {
                        "foreach": "${scenes}",
                        "do": {"cmd": "echo ${key} > out-${key}", "deps": ["found.yaml"], "outs": ["out-${key}"]},
                    },
                    "search": {
                        "cmd": "(echo scenes:; sed 's/^/  /' in.txt) > found.yaml",
                        "deps": ["in.txt"],
                        "outs": [{"found.yaml": {"cache": False}}],
                    },
                },
            },
            "found.yaml": "scenes: {}\n",
        },
    )
    bench, results = run_here(project, ("found.yaml",))
    assert set(results.stages) == {"search", "use@a", "use@b"}
    _, recorded = record(project, project.checkout(), results)
    assert set(recorded.changes.stages) == {"search", "use@a", "use@b"}
    assert project.show("main:dvc.lock") == bench.read("dvc.lock")  # though the run wrote `search` first
    assert project.show("main:found.yaml") == bench.read("found.yaml")
    assert project.show("main:.gitignore") == bench.read(".gitignore")
    fresh = project.clone()
    fresh.command("dvc", "config", "--local", "cache.dir", str(bench.root / ".dvc/cache"))
    fresh.command("dvc", "checkout", "-q")
    assert fresh.dvc_status() == CLEAN


def test_an_uncached_folder_becomes_exactly_what_the_stage_wrote(tmp_path: Path) -> None:
    project = make_project(
        tmp_path,
        {
            "n": "2",
            "plots/old.json": "{}",
            "dvc.yaml": {
                "stages": {
                    "plot": {
                        "cmd": "mkdir -p plots/sub && echo 1 > plots/new.json && echo 2 > plots/sub/x.json",
                        "deps": ["n"],
                        "plots": [{"plots": {"cache": False}}],
                    }
                }
            },
        },
    )
    bench, results = run_here(project, ("plots/new.json", "plots/sub/x.json"))
    record(project, project.checkout(), results)
    assert project.git("ls-tree", "-r", "--name-only", "main", "plots").split() == [
        "plots/new.json",
        "plots/sub/x.json",
    ]
    assert project.show("main:plots/new.json") == bench.read("plots/new.json")


def test_a_dvc_repository_in_a_folder_of_the_git_repository(tmp_path: Path) -> None:
    outer = make_repository(tmp_path / "developer", {"readme": "x"})
    shutil.rmtree(outer.root / ".dvc")
    inner = Bench(outer.root / "inner")
    inner.root.mkdir()
    inner.command("dvc", "init", "-q", "--subdir")
    stage = {"cmd": "cp in out; echo '{}' > m.json", "deps": ["in"], "outs": ["out"]}
    inner.write({"in": "1", "dvc.yaml": {"stages": {"s": {**stage, "metrics": [{"m.json": {"cache": False}}]}}}})
    outer.commit()
    outer.command("git", "init", "-q", "--bare", "-b", "main", str(tmp_path / "server.git"))
    outer.command("git", "remote", "add", "origin", str(tmp_path / "server.git"))
    outer.command("git", "push", "-q", "origin", "main")
    outer.command("git", "--git-dir", str(tmp_path / "server.git"), "config", "uploadpack.allowAnySHA1InWant", "true")
    project = Project(tmp_path, outer, "inner")
    bench, results = run_here(project, ("m.json",))
    record(project, project.checkout(), results)
    changed = project.git("diff-tree", "--no-commit-id", "--name-only", "-r", "main").split()
    assert changed == ["inner/.gitignore", "inner/dvc.lock", "inner/m.json"]
    assert project.show("main:inner/dvc.lock") == bench.read("dvc.lock")


def test_odd_names_come_through_as_themselves(tmp_path: Path) -> None:
    body = {"cmd": "mkdir -p 'dä ta' && cp in.txt 'dä ta/${item}x'", "deps": ["in.txt"], "outs": ["dä ta/${item}x"]}
    stages = {"a": {"foreach": ["ü #1", "$(id) `x`;", "plain"], "do": body}}
    project = make_project(tmp_path, {"in.txt": "1", "dvc.yaml": {"stages": stages}})
    bench, results = run_here(project, ())
    record(project, project.checkout(), results)
    assert project.show("main:dvc.lock") == bench.read("dvc.lock")
    assert project.show("main:dä ta/.gitignore") == bench.read("dä ta/.gitignore")


def test_new_entries_take_their_place_behind_those_there_are(tmp_path: Path) -> None:
    def stages(*names: str) -> dict[str, Any]:
        return {"stages": {n: {"cmd": f"cp in.txt {n}", "deps": ["in.txt"], "outs": [n]} for n in names}}

    project = make_project(tmp_path, {"in.txt": "1", "dvc.yaml": stages("c", "gone", "a")})
    project.developer.run()
    project.push("locked", {"dvc.yaml": stages("b", "a", "d", "c"), "in.txt": "2"})
    bench, results = run_here(project, ())
    record(project, project.checkout(), results)
    assert project.show("main:dvc.lock") == bench.read("dvc.lock")
    assert project.show("main:.gitignore") == bench.read(".gitignore")


def test_line_ends_of_a_gitignore_stay(tmp_path: Path) -> None:
    stage = {"cmd": "cp in.txt out", "deps": ["in.txt"], "outs": ["out"]}
    project = make_project(tmp_path, {"in.txt": "1", "dvc.yaml": {"stages": {"s": stage}}})
    (project.developer.root / ".gitignore").write_bytes(b"*.log\r\nlast")
    project.push("ignore")
    _, results = run_here(project, ())
    record(project, project.checkout(), results)
    server = project.developer.command("git", "--git-dir", project.url, "cat-file", "-s", "main:.gitignore").stdout
    assert int(server) == len(b"*.log\r\nlast\n/out\n")


def test_a_stage_that_is_not_there_is_left_out(tmp_path: Path) -> None:
    project = make_project(tmp_path)
    results = Results(project.commit(), {"ghost": StageRecord({"cmd": "x"}), "broken": StageRecord(None)})
    commit, recorded = record(project, project.checkout(), results)
    assert commit is None
    assert recorded.changes.left_out == {"ghost": "there is no such stage", "broken": "there is no such stage"}


def test_an_entry_with_outputs_that_are_not_the_stages_is_left_out(tmp_path: Path) -> None:
    stage = {"cmd": "cp in.txt out", "deps": ["in.txt"], "outs": ["out"]}
    project = make_project(tmp_path, {"in.txt": "1", "dvc.yaml": {"stages": {"s": stage}}})
    outs: list[Any] = [{"path": path, "hash": "md5", "md5": "a" * 32, "size": 1} for path in ("out", "../../elsewhere")]
    results = Results(project.commit(), {"s": StageRecord({"cmd": "cp in.txt out", "outs": outs})})
    commit, recorded = record(project, project.checkout(), results)
    assert commit is None
    assert recorded.changes.left_out == {"s": "its outputs are not those of the stage"}


def test_what_a_commit_has_recorded(tmp_path: Path) -> None:
    project = make_project(tmp_path)
    _, results = run_here(project, ())
    record(project, project.checkout(), results)
    project.developer.command("git", "pull", "-q")
    repository = recording_of(project, project.checkout(), results).repository
    assert set(entries_at(repository, project.commit())) == set(results.stages)
    assert entries_at(repository, project.commit("HEAD~1")) == {}
    assert list(known_workflows(repository, results).graph.stages) == ["prepare", "train", "apart", "use/dvc.yaml:use"]


@pytest.mark.parametrize("path", ["../x", "/etc/x", ".git/config", "a/../../x"])
def test_paths_that_lead_elsewhere_are_left_out(tmp_path: Path, path: str) -> None:
    project = make_project(tmp_path)
    results = Results(project.commit(), {}, {path: file_record("x")})
    commit, recorded = record(project, project.checkout(), results)
    assert commit is None
    assert recorded.changes.left_out == {path: "no stage writes it with `cache: false`"}
