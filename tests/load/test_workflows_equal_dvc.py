"""Loading gives the same stages as DVC's own `Repo().index.stages`: on examples, and on random dvc.yaml files."""

from __future__ import annotations

import datetime as dt
import itertools
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from dvc.dependency import ParamsDependency
from dvc.repo import Repo
from dvc.stage import PipelineStage
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support.plain_repository import make_repository
from swath.errors import UserError
from swath.load.workflows import load_workflows

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dvc.output import Output as DvcOutput

    from swath.dvc_border.repository import Repository

MOST = int(os.environ.get("SWATH_EXAMPLES", "40"))
EXAMPLES = sorted((Path(__file__).parent / "examples").glob("*.yaml"))
Description = dict[str, Any]
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")  # DVC's own


def _theirs(root: Path) -> dict[str, Description]:
    with Repo(str(root)) as repo:
        repo.index.check_graph()
        stages = [stage for stage in repo.index.stages if isinstance(stage, PipelineStage)]
        return {stage.addressing: _their_stage(stage, root) for stage in stages}


def _their_stage(stage: PipelineStage, root: Path) -> Description:
    params = [dep for dep in stage.deps if isinstance(dep, ParamsDependency)]
    deps = [dep for dep in stage.deps if not isinstance(dep, ParamsDependency)]
    return {
        "key": stage.name,
        "file": os.path.relpath(stage.path, root),
        "cmd": stage.cmd,
        "wdir": os.path.relpath(stage.wdir, root),
        "deps": sorted((_their_path(dep, root), dep.def_path) for dep in deps),
        "params": {_their_path(dep, root): sorted(dep.params) for dep in params},
        "outs": sorted(_their_out(out, root) for out in stage.outs),
        "frozen": stage.frozen,
        "always_changed": stage.always_changed,
        "meta": stage.meta or {},
    }


def _their_out(out: DvcOutput, root: Path) -> tuple[object, ...]:
    kind = "metrics" if out.metric else "plots" if out.plot else "outs"
    return (_their_path(out, root), out.def_path, kind, out.use_cache, out.persist, out.can_push, out.remote or "")


def _their_path(out: DvcOutput, root: Path) -> str:
    if out.protocol != "local":
        return str(out.def_path)
    path = os.path.relpath(out.fs_path, root)
    return str(out.fs_path) if path.startswith("..") else path


def _ours(repository: Repository) -> dict[str, Description]:
    loaded = load_workflows(repository)
    return {
        stage.name: {
            "key": stage.key,
            "file": stage.file,
            "cmd": list(stage.cmd) if isinstance(stage.cmd, tuple) else stage.cmd,
            "wdir": stage.wdir,
            "deps": sorted((dep.path, dep.text) for dep in stage.deps),
            "params": {read.path: sorted(read.keys) for read in stage.params},
            "outs": sorted((o.path, o.text, o.kind, o.cache, o.persist, o.push, o.remote or "") for o in stage.outs),
            "frozen": stage.frozen,
            "always_changed": stage.always_changed,
            "meta": dict(stage.meta),
        }
        for stage in loaded.graph.stages.values()
    }


def _their_edges(root: Path) -> set[tuple[str, str]]:
    with Repo(str(root)) as repo:
        edges = {(above.addressing, below.addressing) for above, below in repo.index.graph.edges}
        data = {stage.addressing for stage in repo.index.stages if not isinstance(stage, PipelineStage)}
    return {(above, below) for above, below in edges if not {above, below} & data}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_examples(example: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    repository = make_repository(tmp_path, yaml.safe_load(example.read_text(encoding="utf-8")))
    monkeypatch.chdir(tmp_path)

    assert _ours(repository) == _theirs(tmp_path)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_edges_of_examples(example: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    repository = make_repository(tmp_path, yaml.safe_load(example.read_text(encoding="utf-8")))
    monkeypatch.chdir(tmp_path)
    graph = load_workflows(repository).graph

    ours = {(name, above) for name, others in graph.upstream.items() for above in others}
    frozen = {name for name, stage in graph.stages.items() if stage.frozen}

    assert ours == {(name, above) for name, above in _their_edges(tmp_path) if name not in frozen}


WORDS = st.sampled_from(
    ["a", "b", "c/d", "data", "x y", "é", "e.f", "-g", "data/in", "./h", "h/../i", "${v}", "w/${item}"]
)
FLAGS = st.fixed_dictionaries(
    {},
    optional={
        "cache": st.booleans(),
        "persist": st.booleans(),
        "push": st.booleans(),
        "remote": st.just("r"),
        "desc": WORDS,
    },
)
# Values that DVC's templates take and refuse; keys that are no text.
ODD = st.sampled_from(
    [
        1, "text", None, True, 1e300, float("inf"), float("nan"), 10**30, "", "a b", "é", [], {}, [[1]], b"x", {"s"},
        {"a": {0: "x"}}, {0: "cat"}, {None: 1}, {dt.date(2020, 1, 2): 1}, dt.date(2020, 1, 2), {"a": [dt.date(2020, 1, 2)]},
    ]
)  # fmt: skip
COMMANDS = st.sampled_from(
    [
        "run ${v}", "echo '${n.k}'", "a\nb\n", "x ${l[1]} ${b}", ["p", "q ${v}"], "é \\${z}", "f ${f}", "x ${d}", "x ${odd}",
        "\nrun ${v}\n\n \nb", ["", "q", " "], [""], "\n", 3,
    ]
)  # fmt: skip
PARAMS = st.sampled_from(["v", "n.k", "l", {"other.yaml": ["o", "p.q"]}, {"other.yaml": None}, {"c.json": ["j"]}, "n"])


@st.composite
def _bodies(draw: st.DrawFn, number: int, loop: str) -> dict[str, object]:
    body: dict[str, object] = {"cmd": draw(COMMANDS)}
    paths = draw(st.lists(WORDS, max_size=4, unique=True))
    outs = [f"s{number}/{path}{'/${key}' if loop == 'matrix' else loop and '/${item}'}" for path in paths]
    entries: list[object] = [path if draw(st.booleans()) else {path: draw(FLAGS)} for path in outs]
    for position, kind in enumerate(["outs", "metrics", "plots"]):
        part = entries[position::3]
        if part:
            body[kind] = part
    deps = draw(st.lists(WORDS | st.integers(0, 3).map(lambda other: f"s{other}"), max_size=3, unique=True))
    deps = [dep for dep in deps if number or not dep.startswith("s")]
    body |= {"deps": deps} if deps else {}
    body |= {"params": params} if (params := draw(st.lists(PARAMS, max_size=3))) else {}
    for key, values in (("wdir", ["sub", "${v}", "."]), ("frozen", [True, False, "${b}"]), ("always_changed", [True])):
        if draw(st.integers(0, 3)) == 0:
            body[key] = draw(st.sampled_from(values))
    if draw(st.integers(0, 3)) == 0:
        body["meta"] = draw(st.sampled_from([{"a": "${v}"}, {"swath": {"retries": 1}}]))
    return body


@st.composite
def _workflows(draw: st.DrawFn) -> dict[str, object]:
    stages: dict[str, object] = {}
    for number in range(draw(st.integers(1, 4))):
        loop = draw(st.sampled_from(["", "", "list", "vars", "matrix"]))
        body = draw(_bodies(number, loop))
        if loop == "matrix":
            stages[f"s{number}"] = {"matrix": {"m": [1, "x", *draw(st.lists(ODD, max_size=1))], "n": "${l}"}, **body}
        elif loop:
            items = ["a", 1, "é z", *draw(st.lists(ODD, max_size=1))]
            stages[f"s{number}"] = {"foreach": "${l}" if loop == "vars" else items, "do": body}
        else:
            stages[f"s{number}"] = body
    return {
        "stages": stages,
        "vars": [
            {"v": "value", "n": {"k": 1.5}, "l": ["p", 2], "b": True, "f": 1e-5, "d": {"z": [1, 2]}},
            {"odd": draw(ODD if draw(st.booleans()) else st.just(1))},
        ],
    }


@settings(max_examples=MOST, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(_workflows())
def test_random_workflows(tmp_path_factory: pytest.TempPathFactory, workflow: Mapping[str, object]) -> None:
    root = tmp_path_factory.mktemp("random")
    files = {"dvc.yaml": yaml.safe_dump(workflow, allow_unicode=True, sort_keys=False), "params.yaml": "q: 1\n"}
    for folder, name in itertools.product(["", "sub/", "value/"], ["other.yaml", "c.json"]):
        files[folder + name] = "{}\n"
    repository = make_repository(root, files, track=False)
    before = os.getcwd()
    os.chdir(root)
    try:
        theirs: object = _theirs(root)
    except Exception:  # noqa: BLE001 - whatever DVC refuses
        theirs = "refused"
    try:
        ours: object = _ours(repository)
    except UserError:
        ours = "refused"
    finally:
        os.chdir(before)
    assert ours == theirs
