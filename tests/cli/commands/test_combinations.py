"""Any two options of a command are both honoured, or refused with exit code 2: none is dropped in silence."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from itertools import combinations
from typing import TYPE_CHECKING, Any, Final

import pytest

from support.repositories import Bench, make_repository
from swath.cli.commands import compile as compile_module
from swath.cli.commands import plan as plan_module
from swath.cli.commands import run as run_module
from swath.cli.commands import verify as verify_module
from swath.cli.commands.lint import lint
from swath.cli.main import main
from swath.local.run import RunSummary

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import click

FILES: Final = {
    "in.txt": "one",
    "params.yaml": "x: 1\n",
    "dvc.yaml": {
        "stages": {
            "first": {"cmd": "cp in.txt mid", "deps": ["in.txt"], "params": ["x"], "outs": ["mid"]},
            "second": {"cmd": "cp mid end", "deps": ["mid"], "outs": ["end"]},
            "third": {"cmd": "cp end last", "deps": ["end"], "outs": ["last"]},
            "other": {"cmd": "echo > other", "outs": ["other"]},
        }
    },
}
RUNNER: Final = "default_image: python:3.12\n"


@dataclass
class Seen:
    """What one call of the command line did."""

    code: int = 0
    stdout: str = ""
    stderr: str = ""
    calls: dict[str, Any] = field(default_factory=dict)

    @property
    def document(self) -> Any:
        """The JSON on stdout."""
        return json.loads(self.stdout)


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """Four stages that ran and were committed; then an input of the first changed."""
    bench = make_repository(tmp_path_factory.mktemp("combinations") / "repo", {**FILES, "swath.yaml": RUNNER})
    bench.run()
    bench.commit("ran")
    bench.write({"in.txt": "two"})
    return bench


@pytest.fixture
def call(
    ran: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[[list[str], Seen], None]:
    """Run the command line in this process, at the repository's root."""
    monkeypatch.chdir(ran.root)
    monkeypatch.setenv("SHELL", "/bin/sh")

    def run(words: list[str], seen: Seen) -> None:
        seen.code = main(words)
        seen.stdout, seen.stderr = capsys.readouterr()

    return run


@dataclass(frozen=True)
class Option:
    """Words of the command line, and how it shows that they were honoured."""

    words: tuple[str, ...]
    is_honoured: Callable[[Seen], bool]


def pairs(options: dict[str, Option]) -> list[tuple[str, str]]:
    return list(combinations(options, 2))


def names_of(command: click.Command) -> set[str]:
    """Its options and arguments, as click calls them."""
    return {parameter.name or "" for parameter in command.params}


def judge(seen: Seen, chosen: list[Option], *, refused: bool) -> None:
    if refused:
        assert seen.code == 2, seen.stdout
        assert seen.stderr.startswith("Usage: ") or "Error: " in seen.stderr
        return
    assert seen.code == 0, seen.stderr
    assert [option.words for option in chosen if not option.is_honoured(seen)] == []


PLAN: Final = {
    "targets": Option(("second",), lambda seen: seen.calls["selection"].targets == ("second",)),
    "as_json": Option(("--json",), lambda seen: seen.document["version"] == 1),
    "mermaid": Option(("--mermaid",), lambda seen: seen.stdout.startswith("flowchart TD\n")),
    "dot": Option(("--dot",), lambda seen: seen.stdout.startswith("digraph plan {\n")),
    "rev": Option(("--rev", "HEAD"), lambda seen: seen.calls["rev"] == "HEAD"),
    "with_jobs": Option(("--jobs",), lambda seen: bool(seen.document["jobs"])),
    "verify_remote": Option(("--verify-remote",), lambda seen: seen.calls["verify_remote"] is True),
    "everything": Option(("-a",), lambda seen: "third" in seen.stdout or seen.calls["selection"].targets != ()),
    "force": Option(("-f",), lambda seen: seen.calls["force"] is True),
}
PLAN_NEEDS: Final = {"with_jobs": "as_json", "verify_remote": "rev"}
PLAN_REFUSED: Final = [
    {"as_json", "mermaid"}, {"as_json", "dot"}, {"mermaid", "dot"}, {"with_jobs", "mermaid"}, {"with_jobs", "dot"},
    {"with_jobs", "rev"}, {"with_jobs", "verify_remote"},
]  # fmt: skip


def test_all_options_of_plan_are_known() -> None:
    assert set(PLAN) == names_of(plan_module.plan)


@pytest.mark.parametrize(("one", "two"), pairs(PLAN))
def test_plan(one: str, two: str, call: Callable[[list[str], Seen], None], monkeypatch: pytest.MonkeyPatch) -> None:
    seen = Seen()
    preview, revision = plan_module.preview, plan_module.planned_revision
    monkeypatch.setattr(
        plan_module, "preview", lambda r, s, **more: seen.calls.update(selection=s, **more) or preview(r, s, **more)
    )

    def planned_revision(repository: Any, rev: str, selection: Any, **more: Any) -> Any:
        seen.calls.update(rev=rev, selection=selection, **more)
        return revision(repository, rev, selection, **{**more, "verify_remote": False})

    monkeypatch.setattr(plan_module, "planned_revision", planned_revision)
    wanted = dict.fromkeys([one, two, *(PLAN_NEEDS[name] for name in (one, two) if name in PLAN_NEEDS)])
    options = [PLAN[name] for name in wanted]

    call(["plan", *(word for option in options for word in option.words)], seen)

    judge(seen, options, refused={one, two} in PLAN_REFUSED)


@pytest.mark.parametrize("option", ["--verify-remote", "--jobs"])
def test_what_needs_another_option_of_plan(option: str, call: Callable[[list[str], Seen], None]) -> None:
    seen = Seen()

    call(["plan", option], seen)

    assert seen.code == 2


@pytest.mark.parametrize("command", [["plan", "--rev", ""], ["verify", "--rev", ""]])
def test_an_empty_revision_is_none(command: list[str], call: Callable[[list[str], Seen], None]) -> None:
    seen = Seen()

    call(command, seen)

    assert (seen.code, seen.stderr.splitlines()[0]) == (1, "swath: there is no revision ''")


RUN: Final = {
    "targets": Option(("second",), lambda seen: seen.calls["options"].selection.targets == ("second",)),
    "jobs": Option(("-j", "3"), lambda seen: seen.calls["options"].jobs == 3),
    "keep_going": Option(("-k",), lambda seen: seen.calls["options"].keep_going is True),
    "force": Option(("-f",), lambda seen: seen.calls["options"].force is True),
    "downstream": Option(("--downstream",), lambda seen: seen.calls["options"].selection.reach == "downstream"),
    "single_item": Option(("-s",), lambda seen: seen.calls["options"].selection.reach == "alone"),
    "overrides": Option(("-S", "x=2"), lambda seen: seen.calls["overrides"] == ("x=2",)),
    "runtime": Option(("--runtime", "process"), lambda seen: seen.calls["options"].runtime == "process"),
    "quiet": Option(("-q",), lambda seen: seen.stderr.count("\n") == 1),
    "as_json": Option(("--json",), lambda seen: seen.document["version"] == 1),
}
RUN_NEEDS: Final = {"downstream": "targets", "single_item": "targets"}


def test_all_options_of_run_are_known() -> None:
    assert {*RUN, "dry_run"} == names_of(run_module.run)


@pytest.mark.parametrize(("one", "two"), pairs(RUN))
def test_run(one: str, two: str, call: Callable[[list[str], Seen], None], monkeypatch: pytest.MonkeyPatch) -> None:
    seen = Seen()

    def run_workflows(_repository: Any, options: Any, *_: Any) -> RunSummary:
        seen.calls["options"] = options
        return RunSummary()

    monkeypatch.setattr(run_module, "run_workflows", run_workflows)
    monkeypatch.setattr(
        run_module, "apply_overrides", lambda _repository, overrides: seen.calls.update(overrides=overrides)
    )
    wanted = dict.fromkeys([one, two, *(RUN_NEEDS[name] for name in (one, two) if name in RUN_NEEDS)])
    options = [RUN[name] for name in wanted]

    call(["run", *(word for option in options for word in option.words)], seen)

    judge(seen, options, refused={one, two} == {"downstream", "single_item"})


DRY: Final = (
    (), ("-f",), ("-s", "second"), ("-s", "first"), ("--downstream", "second"), ("second",), ("-S", "x=2"),
    ("-f", "-s", "second"), ("-f", "--downstream", "second"), ("-S", "x=2", "-s", "second"), ("-S", "x=2", "-s", "first"),
    ("-S", "x=2", "--downstream", "second"), ("-S", "x=2", "-f"), ("-f", "-j2", "-k", "--runtime", "process", "third"),
)  # fmt: skip


@pytest.mark.parametrize("options", DRY, ids=" ".join)
def test_a_dry_run_shows_what_the_run_does(options: tuple[str, ...], tmp_path: Path) -> None:
    bench = make_repository(tmp_path / "repo", FILES)
    bench.run()
    bench.write({"mid": "edited"})
    before = {path.name: path.read_bytes() for path in bench.root.iterdir() if path.is_file()}

    shown = json.loads(bench.swath("run", "-n", "--json", *options, check=True).stdout)
    after = {path.name: path.read_bytes() for path in bench.root.iterdir() if path.is_file()}
    done = json.loads(bench.swath("run", "--json", *options, check=True).stdout)

    expected = {stage["name"] for stage in shown["stages"] if stage["decision"] != "unchanged"}
    assert after == before
    assert {stage["name"] for stage in done["stages"]} == expected
    assert len(shown["stages"]) - len(expected) == done["unchanged"]


@pytest.mark.parametrize(
    ("options", "lines"),
    [
        ((), 6),
        (("-q",), 1),
        (("-q", "-S", "x=2"), 1),
        (("-f",), 7),
        (("-q", "-j", "2", "-k", "--runtime", "docker"), 1),
    ],
)
def test_a_quiet_dry_run_prints_the_last_line_alone(
    options: tuple[str, ...], lines: int, call: Callable[[list[str], Seen], None]
) -> None:
    seen = Seen()

    call(["run", "-n", *options], seen)

    assert (seen.code, seen.stdout.count("\n")) == (0, lines), seen.stdout


def test_a_dry_run_in_a_folder_takes_targets_from_there(tmp_path: Path) -> None:
    stage = {"cmd": "cp in.txt out", "deps": ["in.txt"], "outs": ["out"]}
    bench = make_repository(tmp_path / "repo", {"sub/in.txt": "one", "sub/dvc.yaml": {"stages": {"inner": stage}}})

    done = bench.command("sh", "-c", "cd sub && swath run -n --json inner")

    assert [stage["name"] for stage in json.loads(done.stdout)["stages"]] == ["sub/dvc.yaml:inner"]


COMPILE: Final = {
    "targets": Option(("second",), lambda seen: seen.calls["options"].targets == ("second",)),
    "output": Option(("-o", "child.yml"), lambda seen: seen.calls["written"].name == "child.yml"),
    "level": Option(("--level", "2"), lambda seen: seen.calls["options"].level == 2),
    "no_registry": Option(("--no-registry",), lambda seen: seen.calls["options"].ask_registry is False),
    "no_remote": Option(("--no-remote",), lambda seen: seen.calls["store"] is None),
    "ask_gitlab": Option(("--ask-gitlab",), lambda seen: "GitLab was asked" in seen.stderr),
    "as_json": Option(("--json",), lambda seen: seen.document["version"] == 1),
}


def test_all_options_of_compile_are_known() -> None:
    assert set(COMPILE) == names_of(compile_module.compile)


@pytest.mark.parametrize(("one", "two"), [*pairs(COMPILE), ("as_json", "stdout")])
def test_compile(one: str, two: str, call: Callable[[list[str], Seen], None], monkeypatch: pytest.MonkeyPatch) -> None:
    seen = Seen()
    compiling = compile_module.compile_pipeline

    def compile_pipeline(repository: Any, options: Any, environ: Any, store: Any) -> Any:
        seen.calls.update(options=options, store=store)
        return compiling(repository, type(options)(), environ, None)

    monkeypatch.setattr(compile_module, "compile_pipeline", compile_pipeline)
    monkeypatch.setattr(compile_module, "store_of", lambda *_: ("a store", ""))
    monkeypatch.setattr(compile_module, "_said_by_gitlab", lambda *_, **__: ("GitLab was asked",))
    monkeypatch.setattr(compile_module, "write_atomically", lambda path, _text: seen.calls.update(written=path))
    to_stdout = Option(("-o", "-"), lambda seen: seen.stdout.startswith("{"))
    options = [{**COMPILE, "stdout": to_stdout}[name] for name in (one, two)]

    call(["compile", *(word for option in options for word in option.words)], seen)

    judge(seen, options, refused={one, two} in ({"level", "no_remote"}, {"as_json", "stdout"}))


def test_compile_refuses_an_empty_name(call: Callable[[list[str], Seen], None]) -> None:
    seen = Seen()

    call(["compile", "-o", ""], seen)

    assert (seen.code, seen.stderr.splitlines()[-1]) == (2, "Error: -o needs a file's name; -: stdout")


VERIFY: Final = {
    "targets": Option(("second",), lambda seen: seen.calls["options"].targets == ("second",)),
    "rev": Option(("--rev", "HEAD~0"), lambda seen: len(seen.calls["options"].commit) == 40),
    "jobs": Option(("-j", "3"), lambda seen: seen.calls["options"].jobs == 3),
    "runtime": Option(("--runtime", "process"), lambda seen: seen.calls["options"].runtime == "process"),
    "as_json": Option(("--json",), lambda seen: seen.document["version"] == 1),
}


def test_all_options_of_verify_are_known() -> None:
    assert set(VERIFY) == names_of(verify_module.verify)


@pytest.mark.parametrize(("one", "two"), pairs(VERIFY))
def test_verify(one: str, two: str, call: Callable[[list[str], Seen], None], monkeypatch: pytest.MonkeyPatch) -> None:
    seen = Seen()
    monkeypatch.setattr(
        verify_module, "verify_stages", lambda _, options, *__: seen.calls.update(options=options) or []
    )
    options = [VERIFY[name] for name in (one, two)]

    call(["verify", *(word for option in options for word in option.words)], seen)

    judge(seen, options, refused=False)


def test_lint(tmp_path: Path) -> None:
    assert names_of(lint) == {"as_json", "fix"}
    bench = make_repository(tmp_path / "repo", FILES)

    fixed = json.loads(bench.swath("lint", "--json", "--fix", check=True).stdout)["fixed"]

    assert [each["entry"] for each in fixed] == ["__pycache__", ".gitignore"]
