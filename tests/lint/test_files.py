# ruff: noqa: ISC004 - messages stand whole
"""Files around the workflows: services in Git, deps and who provides them, `.dvcignore`, swath.yaml."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from support.plain_repository import SPLIT, make_repository, with_split
from swath.dvc_border.repository import Repository
from swath.lint.check import check_repository

if TYPE_CHECKING:
    from pathlib import Path


def _told(root: Path) -> list[str]:
    problems = check_repository(Repository(root))
    return [f"{problem.finding.severity[0].upper()} {problem.finding.rule} {problem.finding}" for problem in problems]


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with the service `split` and nothing wrong."""
    make_repository(tmp_path, with_split("stages: {}\n", {".gitignore": "*.log\n"}))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_nothing_is_wrong(root: Path) -> None:
    assert _told(root) == []


def test_a_file_of_a_service_that_git_does_not_track(root: Path) -> None:
    (root / "services/split/helper.sh").write_text("x")

    assert _told(root) == [
        "E untracked-service-file services/split/helper.sh: Git does not track this file, "
        "which would count as a part of the service only here\n  `git add` it, delete it, or name it in .dvcignore"
    ]


def test_files_of_a_service_that_git_ignores(root: Path) -> None:
    for name in "abcdefg":
        (root / f"services/split/{name}.log").write_text("x")

    assert _told(root) == [
        "E ignored-service-file services/split: Git ignores 7 files of the service (a.log, b.log, c.log, d.log, e.log and 2 more), "
        "which would count as a part of the service only here\n"
        "  delete it, or name it in .dvcignore so that it does not count"
    ]


@pytest.mark.parametrize(
    "name", ["tests/test_x.py", "README.md", "__pycache__/x.pyc", "lib/__pycache__/y.pyc", ".gitignore"]
)
def test_what_dvcignore_takes_out_does_not_count(root: Path, name: str) -> None:
    path = root / "services/split" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("# x\n")

    assert _told(root) == []


def test_dvcignore_lacks_entries(root: Path) -> None:
    (root / ".dvcignore").write_text("/services/*/tests/\n# __pycache__\n")

    assert _told(root) == [
        "W dvcignore .dvcignore: it lacks services/*/README*, __pycache__, .gitignore: "
        "files that should not make results stale would count\n  swath lint --fix adds them"
    ]


def test_without_services_only_the_general_entries_are_missed(tmp_path: Path) -> None:
    make_repository(tmp_path, {"dvc.yaml": "stages: {}\n"})

    assert [line.splitlines()[0] for line in _told(tmp_path)] == [
        "W dvcignore .dvcignore: it lacks __pycache__, .gitignore: files that should not make results stale would count"
    ]


def test_a_wrong_service(root: Path) -> None:
    (root / "services/split/service.yaml").write_text(SPLIT.replace("kind: processing", "kind: procesing"))

    assert _told(root) == [
        "E value services/split/service.yaml:2: kind: 'procesing' is not allowed here\n  did you mean 'processing'?"
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "services: {splitt: {}}",
            "E unknown-service swath.yaml:1: services.splitt: there is no service 'splitt'\n  did you mean 'split'?",
        ),
        (
            "ci: {workflows: [x/dvc.yaml]}",
            "E unknown-workflow swath.yaml:1: ci.workflows[0]: there is no x/dvc.yaml\n  did you mean 'dvc.yaml'?",
        ),
        ("bilder: x", "E unknown-key swath.yaml:1: bilder: unknown key 'bilder'\n  did you mean 'builder'?"),
    ],
)
def test_settings(root: Path, text: str, expected: str) -> None:
    (root / "swath.yaml").write_text(text + "\n")

    assert _told(root) == [expected]


def test_no_runner_offers_it(root: Path) -> None:
    text = "stages:\n  a:\n    foreach: [1, 2]\n    do: {cmd: x, meta: {swath: {resources: {gpus: 2, memory: 8GiB}}}}\n"
    (root / "dvc.yaml").write_text(text)
    (root / "swath.yaml").write_text("runners: [{gpus: 1}, {memory: 4GiB, gpus: 2}]\n")

    assert _told(root) == [
        "W no-runner dvc.yaml:4: stages.a.do: no runner of swath.yaml offers what the stage asks for: memory 8GiB, gpus 2\n"
        "  add such a runner to swath.yaml, or ask for less there under `services`"
    ]


def test_without_runners_in_swath_yaml_nobody_counts(root: Path) -> None:
    (root / "dvc.yaml").write_text("stages:\n  a: {cmd: x, meta: {swath: {resources: {gpus: 9}}}}\n")

    assert _told(root) == []


def test_deps_and_who_provides_them(root: Path) -> None:
    text = """\
stages:
  a: {cmd: x, outs: [made]}
  b:
    cmd: x
    deps:
      - made/inside
      - tracked/file
      - tracked
      - data.csv
      - https://example.org/x
      - missing
      - only-here
"""
    (root / "dvc.yaml").write_text(text)
    (root / "data.csv.dvc").write_text("outs:\n- md5: 22a1a2931c8370d3aeedd7183606fd7f\n  path: data.csv\n")
    (root / "only-here").write_text("x")
    (root / "tracked").mkdir()
    (root / "tracked/file").write_text("x")
    subprocess.run(["git", "add", "tracked/file", "data.csv.dvc"], check=True)

    assert _told(root) == [
        "W dep-missing dvc.yaml:11: stages.b.deps[5]: the dep missing does not exist, and no stage or .dvc file makes it\n"
        "  correct the path, or add the file",
        "W dep-untracked dvc.yaml:12: stages.b.deps[6]: the dep only-here is neither in Git nor an output nor behind a .dvc file: it exists only here\n"
        "  track it: git add, or dvc add",
    ]


def test_git_tracks_a_cached_output(root: Path) -> None:
    (root / "dvc.yaml").write_text("stages:\n  a:\n    cmd: x\n    outs: [o, {p: {cache: false}}]\n    metrics: [m]\n")
    for name in ("o/x", "p", "m"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text("x")
    subprocess.run(["git", "add", "o", "p", "m"], check=True)

    assert [line.splitlines()[0] for line in _told(root)] == [
        "E output-tracked dvc.yaml:4: stages.a.outs: Git tracks the output o, which DVC's cache should keep",
        "E output-tracked dvc.yaml:5: stages.a.metrics: Git tracks the output m, which DVC's cache should keep",
    ]


def test_outputs_that_dvc_would_not_keep(root: Path) -> None:
    (root / ".dvcignore").write_text((root / ".dvcignore").read_text() + "*.tmp\n")
    (root / "dvc.yaml").write_text(
        "stages:\n  a:\n    cmd: x\n    outs: [a.tmp]\n    metrics: [/far/o, {/far/p: {cache: false}}]\n"
    )

    assert _told(root) == [
        "E output-ignored dvc.yaml:4: stages.a.outs: .dvcignore takes the output a.tmp out: DVC refuses such a stage\n"
        "  correct .dvcignore, or the output",
        "E output-outside dvc.yaml:5: stages.a.metrics: the output /far/o is outside the repository, where DVC keeps nothing\n"
        "  write below the repository",
    ]


def test_outputs_that_overlap_are_told_all(root: Path) -> None:
    (root / "dvc.yaml").write_text(
        "stages:\n  a: {cmd: x, outs: [o, q]}\n  b: {cmd: x, outs: [o]}\n  c: {cmd: x, outs: [q/r]}\n"
    )

    assert [line.splitlines()[0] for line in _told(root)] == [
        "E graph dvc.yaml:3: stages.b: the output o of stage b is also one of stage a",
        "E graph dvc.yaml:4: stages.c: the output q/r of stage c lies inside the output q of stage a",
    ]


def test_a_wrong_data_file(root: Path) -> None:
    (root / "x.dvc").write_text("nothing: 1\n")

    assert [line.splitlines()[0] for line in _told(root)] == ["E data-file x.dvc: a .dvc file has a list `outs`"]


def test_outside_of_git(tmp_path: Path) -> None:
    make_repository(tmp_path, with_split("stages:\n  a: {cmd: x, deps: [here, gone], outs: [o]}\n", {"here": ""}))
    (tmp_path / ".dvc/config").write_text("[core]\n    no_scm = true\n")

    assert [line.split(": ")[0] for line in _told(tmp_path)] == ["W dep-missing dvc.yaml:2"]
