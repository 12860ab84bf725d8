"""Parameters and commands of all kinds: what DVC writes into dvc.lock is what Swath writes, and neither runs the stage again."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import Final

import pytest
from dvc.utils.serialize import loads_yaml

from support.repositories import CLEAN, Bench, make_repository

YAML: Final = [
    "{0: cat, 1: dog}", "{a: {1: x, 2: {3: [4, {5: 6}]}}}", "{true: a, false: b}", "{~: a}", "{1.5: a, 1e3: b, .inf: c}",
    "{1e-5: a, 0x10: b, 0o7: c, 1_0: d}", "{.nan: x}", "{-1: a, +2: b, 99999999999999999999: c}", "{? a : 1}", "{'1': a, '~': b}",
    "{'a b': 1, 'true': 2, '': 4, '1.5': 6, '2020-01-01': 7}", "{<<: {a: 1}, b: 2}", "{<<: [{a: 1}, {c: 3}], b: 2}",
    "null", "", "[true, True, TRUE, false, yes, no, on, off, y]", "[.nan, .inf, -.inf, +.INF]", ".inf",
    "[1.0, 1e3, 1E3, 1e+3, 1.e3, .5, -.5, +.5, 1e-5, 1.5e300, 1e400, 0.1, 1_0.5, 12e03, 6.02e23, 1e16, 123456789012345678.0, -0.0, 5e-324]",
    "[0, -0, +1, 010, 0o10, 0x1F, 0b11, 1_000, 12345678901234567890123456789, -5, 08, 0_1]", "[190:20:30, 190:20:30.15]",
    "[]", "{}", "{a: [], b: {}, c: [[], {}]}", "''", "!!omap [a: 1, b: 2]", "!!str 12", "!!float 1", "!!int '3'", "!!bool 'true'",
    "['1', '1.0', 'true', 'null', '~', 'yes', '2020-01-01', '0x1F', '1e3', '.nan', '=', '<<', '- a', 'a: b', '#x', ' lead', 'trail ']",
    "['\"q\"', \"it''s\", '@a', '`b', '%c', '&d', '*e', '!f', '|g', '>h', '?', ':', '-', ',', '[', '{', 'é漢😀', '012', '08', '1_000']",
    "|\n  line one\n  line two\n    indented\n", ">\n  a b\n  c d\n\n  e\n", "|+\n  a\n\n", "|-\n  a\n  b\n",
    '"a\\nb\\tc\\u00e9\\x07\\e"', '"\\u2028 \\u0085 \\ufeff \\U0001F600"', '"a\\n\\n"', '"\\n"', '" \\n x"',
    f"'{'word ' * 60}end'", f"'{'w' * 300}'", f"[{', '.join(['abc def'] * 40)}]",
    "[&x {a: 1}, *x, *x]", "{a: &y [1, 2], b: *y}", "[&a 1, &a 2, *a]",
]  # fmt: skip
JSON: Final = [
    '{"0": "a", "1": "b"}', "[1e400, 1E5, 1.0, -0.0, 12345678901234567890123, null, true]", "[Infinity, -Infinity]",
    '"\\u0000\\u001f\\u2028"', '{"": {"a.b": []}}', "{}", "null",
]  # fmt: skip
TOML: Final = [
    "[1e3, 1_000, 0x1F, 0o17, 0b1, inf, -0.0, 6.26e-34]", "{0 = 'a', 1 = 'b'}", '"""\nmulti\nline"""', "9223372036854775807",
    "{a = 1, b = {c = []}}", "[{a = 1}, {a = 2}]", "'é'", "true",
]  # fmt: skip
PYTHON: Final = [
    "{0: 'a', 1: 'b'}", "(1, 2)", "1e3", "None", "{None: 1}", "{True: 2, 1.5: 3}", "-1", "'a' 'b'", "1_000", "0x1F", "True", "()",
    "1e400", "'''a\nb'''", "[1, {2: 3}]",
]  # fmt: skip
BLANK: Final = [
    [""],
    "\n",
    "  ",
    ["", "  ", "echo > {}"],
    "\n\necho > {}\n\n  \ntrue\n",
    "echo > {}\n\ntrue",
    [" ", "\t", "echo > {}"],
]
FILES: Final = {
    "params.yaml": "".join(f"v{n}: {value}\n" for n, value in enumerate(YAML)),
    "more.json": "{" + ", ".join(f'"v{n}": {value}' for n, value in enumerate(JSON)) + "}",
    "more.toml": "".join(f"v{n} = {value}\n" for n, value in enumerate(TOML)),
    "more.py": "".join(f"v{n} = {value}\n" for n, value in enumerate(PYTHON)),
}
NUMBERS: Final = dict(zip(FILES, map(len, (YAML, JSON, TOML, PYTHON)), strict=True))


def stages() -> dict[str, object]:
    """For each file a stage that reads its values, and one that reads it whole; and stages with blank commands."""
    found: dict[str, object] = {}
    for file, number in NUMBERS.items():
        name, keys = file.replace(".", "-"), [f"v{n}" for n in range(number)]
        found[name] = {"cmd": f"echo > {name}", "params": [{file: keys}], "outs": [name]}
        found[f"whole-{name}"] = {"cmd": "true", "params": [{file: None}]}
    for n, cmd in enumerate(BLANK):
        named = [part.format(f"blank-{n}") for part in cmd] if isinstance(cmd, list) else cmd.format(f"blank-{n}")
        found[f"blank-{n}"] = {
            "cmd": named,
            "deps": ["params.yaml"],
            "outs": [f"blank-{n}"] if "echo" in str(cmd) else [],
        }
    return found


def exact(value: object) -> object:
    """`value` for a comparison in which true is not 1 and NaN equals itself."""
    if isinstance(value, dict):
        return [(exact(key), exact(item)) for key, item in value.items()]
    if isinstance(value, list):
        return [exact(item) for item in value]
    return "nan" if isinstance(value, float) and math.isnan(value) else (type(value), value)


def lock(bench: Bench) -> dict[str, object]:
    """The entries, by stage."""
    return {name: exact(entry) for name, entry in loads_yaml(bench.read("dvc.lock"))["stages"].items()}


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[Bench, Bench]:
    """A repository that Swath has run, and one that DVC has."""
    folder = tmp_path_factory.mktemp("values")
    ours = make_repository(folder / "ours", {**FILES, "dvc.yaml": {"stages": stages()}})
    ours.commit()
    shutil.copytree(ours.root, folder / "theirs", symlinks=True)
    theirs = Bench(folder / "theirs")
    ours.swath("run", "-q", check=True)
    theirs.command("dvc", "repro", "-q")
    return ours, theirs


def test_the_locks_are_equal(both: tuple[Bench, Bench]) -> None:
    ours, theirs = map(lock, both)

    assert ours == theirs


def test_dvc_finds_all_up_to_date(both: tuple[Bench, Bench]) -> None:
    assert both[0].command("dvc", "status").stdout == "Data and pipelines are up to date.\n"


def test_nothing_runs_again(both: tuple[Bench, Bench]) -> None:
    again = both[0].swath("run", check=True)

    assert "nothing to do" in again.stdout + again.stderr


def test_the_revision_is_unchanged(both: tuple[Bench, Bench]) -> None:
    ours = both[0]
    ours.commit()
    document = json.loads(ours.swath("plan", "--rev", "HEAD", "--json", check=True).stdout)

    assert {stage["decision"] for stage in document["stages"]} == {"unchanged"}


def test_a_command_with_several_blanks_at_column_80_runs_once(tmp_path: Path) -> None:
    """DVC folds it, reads another one, and runs it for ever."""
    command = f"echo {'a' * 65}   --lr 0.1 {'b' * 40}"
    stages = {"s": {"cmd": command, "deps": ["d"]}, "t": {"cmd": "true", "deps": ["d"], "params": ["v"]}}
    files = {"d": "1", "params.yaml": {"v": command}, "dvc.yaml": json.dumps({"stages": stages})}
    bench = make_repository(tmp_path / "r", files)
    bench.swath("run", "-q", check=True)

    assert "nothing to do" in bench.swath("run", check=True).stderr
    assert bench.dvc_status() == CLEAN
    assert bench.lock()["s"]["cmd"] == bench.lock()["t"]["params"]["params.yaml"]["v"] == command


def test_nested_tuples_run_once(tmp_path: Path) -> None:
    """DVC itself calls them modified for ever: its lock has lists."""
    text = "A = [(1, 2), {'k': (3, ())}]\n\nclass Train:\n    shape = (3, 4)\n    day = {'x': [(None,)]}\n"
    stage = {"cmd": "true", "params": [{"p.py": ["A", "Train"]}]}
    bench = make_repository(tmp_path / "r", {"p.py": text, "dvc.yaml": {"stages": {"s": stage}}})
    bench.swath("run", "-q", check=True)
    bench.commit()

    values = bench.lock()["s"]["params"]["p.py"]
    assert values == {"A": [[1, 2], {"k": [3, []]}], "Train": {"shape": [3, 4], "day": {"x": [[None]]}}}
    assert "nothing to do" in bench.swath("run", check=True).stderr
    document = json.loads(bench.swath("plan", "--rev", "HEAD", "--json", check=True).stdout)
    assert [stage["decision"] for stage in document["stages"]] == ["unchanged"]


def test_nan_runs_once(tmp_path: Path) -> None:
    """DVC itself calls it modified for ever."""
    files = {"params.yaml": "v: .nan\n", "p.json": '{"v": [NaN]}', "p.toml": "v = [nan]\n"}
    stage = {"cmd": "true", "params": ["v", {"p.json": ["v"]}, {"p.toml": ["v"]}]}
    bench = make_repository(tmp_path / "r", {**files, "dvc.yaml": {"stages": {"s": stage}}})
    bench.swath("run", "-q", check=True)
    bench.commit()

    assert "nothing to do" in bench.swath("run", check=True).stderr
    document = json.loads(bench.swath("plan", "--rev", "HEAD", "--json", check=True).stdout)
    assert [stage["decision"] for stage in document["stages"]] == ["unchanged"]
