# ruff: noqa: SIM905, ISC004 - many odd words
"""`schema/lock_text.py` writes what DVC writes and reads what DVC reads, for any lock."""

from __future__ import annotations

import re

import pytest
from dvc.schema import COMPILED_LOCKFILE_SCHEMA
from dvc.utils.serialize import dumps_yaml, loads_yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML
from ruamel.yaml.scanner import ScannerError
from voluptuous import MultipleInvalid

from swath.errors import UserError
from swath.schema import lock_text

WORDS = st.sampled_from(
    "a python x.py --size 256 -o data/raw.tif 'a b' \"q\" $x ${y} # : - ? | > & * ! % @ ` { } [ ] , yes no null ~ true 1 1.5 "
    "0x1F 010 2020-01-01 .inf é ☃ 日本語 \u00a0 \u2028 \x85 😀 \\ a: b:c #d - -- = << \t  a,b".split(" ")
)
LINES = st.lists(WORDS, min_size=1, max_size=30).map(" ".join) | st.text(
    st.characters(codec="utf-8", exclude_characters="\r"), min_size=1, max_size=100
)
COMMANDS = LINES | st.lists(LINES, min_size=1, max_size=3).map("\n".join) | st.lists(LINES, min_size=1, max_size=3)
NAMES = st.from_regex(r"[a-z][a-z0-9_-]{0,12}(@[A-Za-z0-9._+ -]{1,10})?", fullmatch=True) | LINES
PATHS = st.from_regex(r"[a-zA-Z0-9_][a-zA-Z0-9_./ -]{0,90}", fullmatch=True) | LINES
MD5 = st.text("0123456789abcdef", min_size=32, max_size=32) | st.from_regex(r"[0-9]{10}e[0-9]{5}", fullmatch=True)
ITEMS = st.builds(
    lambda path, md5, is_dir, size, nfiles, is_exec, is_old: {
        "path": path,
        **({} if is_old else {"hash": "md5"}),
        "md5": md5 + (".dir" if is_dir else ""),
        **({} if size is None else {"size": size}),
        **({"nfiles": nfiles} if is_dir else {}),
        **({"isexec": True} if is_exec else {}),
    },
    PATHS, MD5, st.booleans(), st.none() | st.integers(0, 10**13), st.integers(0, 10**5), st.booleans(), st.booleans(),
)  # fmt: skip
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | LINES | st.just("") | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
)
PARAMS = st.dictionaries(PATHS, st.dictionaries(NAMES, VALUES, max_size=4), min_size=1, max_size=2)
ENTRIES = st.builds(
    lambda cmd, deps, params, outs: {
        "cmd": cmd,
        **({"deps": deps} if deps else {}),
        **({"params": params} if params else {}),
        **({"outs": outs} if outs else {}),
    },
    COMMANDS, st.lists(ITEMS, max_size=3), st.none() | PARAMS, st.lists(ITEMS, max_size=3),
)  # fmt: skip
LOCKS = st.dictionaries(NAMES, ENTRIES, max_size=3)


def _document(entries: object) -> dict[str, object]:
    return {"schema": "2.0", "stages": entries}


@settings(max_examples=150, deadline=None)
@given(LOCKS)
def test_writes_what_dvc_writes(entries: dict[str, lock_text.LockEntry]) -> None:
    if not entries:
        return
    text, theirs = lock_text.write_lock(entries), dumps_yaml(_document(entries))

    assert text == theirs or not _is_kept_by_dvc(_document(entries))


def _is_kept_by_dvc(document: dict[str, object]) -> bool:
    """Whether DVC reads what it wrote: it loses blanks where it folds and a lone U+0085, and breaks long keys."""
    try:
        return bool(loads_yaml(dumps_yaml(document)) == document)
    except ScannerError:
        return False


WORDS_WITH_BLANKS = "echo " + "a" * 65 + "   --lr 0.1 " + "b" * 40


@pytest.mark.parametrize(
    "entry",
    [
        {"cmd": WORDS_WITH_BLANKS},
        {"cmd": ["true", WORDS_WITH_BLANKS]},
        {"cmd": "x", "params": {"params.yaml": {"v": WORDS_WITH_BLANKS, WORDS_WITH_BLANKS: [1]}}},
        {"cmd": "x", "params": {"params.yaml": {"word " * 20 + "end": 1}}},
        {"cmd": "x", "deps": [{"path": WORDS_WITH_BLANKS, "md5": "0" * 32}]},
    ],
)
@pytest.mark.parametrize("name", ["s", f"s@{WORDS_WITH_BLANKS}", f"s@{'word ' * 20}end"])
def test_no_blank_is_lost_where_dvc_loses_it(name: str, entry: lock_text.LockEntry) -> None:
    """DVC runs a stage with such a command for ever."""
    text = lock_text.write_lock({"first": {"cmd": "y"}, name: entry})

    assert loads_yaml(text)["stages"][name] == entry
    assert lock_text.read_lock(text, "dvc.lock")[name] == entry
    assert loads_yaml(lock_text.render_run_cache_entry(entry)) == entry


@settings(max_examples=150, deadline=None)
@given(LOCKS)
@example({"a": {"cmd": "x", "params": {f"{'0' * 73} 0": {}}}})
def test_reads_what_dvc_reads(entries: dict[str, lock_text.LockEntry]) -> None:
    text = dumps_yaml(_document(entries))
    try:
        theirs = loads_yaml(text)["stages"] or {}
    except ScannerError:  # DVC breaks a key of more than 80 characters at its space, and cannot read that
        with pytest.raises(UserError, match="not YAML"):
            lock_text.read_lock(text, "dvc.lock")
        return

    assert lock_text.read_lock(text, "dvc.lock") == theirs


@settings(max_examples=100, deadline=None)
@given(NAMES, ENTRIES)
def test_the_run_cache_has_the_same_form(name: str, entry: lock_text.LockEntry) -> None:
    text, theirs = lock_text.render_run_cache_entry(entry), dumps_yaml(entry)

    assert text == theirs or not _is_kept_by_dvc(entry)


@settings(max_examples=100, deadline=None)
@given(
    LOCKS, st.integers(0, 3), st.sampled_from(["#c\n", "\n", "    x: 1\n", "a\n", "  s:\n", "  s: 1\n", "  s: {}\n"])
)
def test_a_line_too_much_is_read_as_dvc_reads_it_or_refused(
    entries: dict[str, lock_text.LockEntry], position: int, line: str
) -> None:
    lines = dumps_yaml(_document(entries)).splitlines(keepends=True)
    text = "".join([*lines[: position + 2], line, *lines[position + 2 :]])

    try:
        ours = lock_text.read_lock(text, "dvc.lock")
    except UserError:
        return

    assert ours == (loads_yaml(text)["stages"] or {})


def test_entries_of_services_are_written_and_read_without_a_yaml_library(monkeypatch: pytest.MonkeyPatch) -> None:
    command = (
        "swath exec predict --model models/unet.keras --scene data/scenes/T21LYG --tile 256 --out results/T21LYG.tif"
    )
    item = {"path": "results/" + "T21LYG/" * 12, "hash": "md5", "md5": "0" * 32, "size": 1}
    text = 'python a.py \\\n  --title "it\'s" --first-option value --second-option value\npython b.py\n'
    entries: dict[str, lock_text.LockEntry] = {
        "one": {"cmd": command, "deps": [dict(item)]},
        "several": {"cmd": [command, f"{command} --title 'a: b'", text], "outs": [dict(item)]},
    }
    expected = dumps_yaml(_document(entries))
    for name in ("render_document", "_parse_entry", "_read_slowly"):
        monkeypatch.delattr(lock_text, name)

    assert lock_text.write_lock(entries) == expected
    assert lock_text.read_lock(expected, "dvc.lock") == entries


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- a\n", "dvc.lock: expected a mapping, found list"),
        (
            "a: {cmd: x}\n",
            "dvc.lock: not a lock of DVC 2 or 3: its schema is None\n"
            "  restore it from Git (git checkout -- FILE), or delete it to run everything again",
        ),
        (
            "schema: '2.0'\nstages:\n  a:\n    deps: []\n",
            "dvc.lock:3: stages.a: not a lock entry: no cmd\n"
            "  restore it from Git (git checkout -- FILE), or delete it to run everything again",
        ),
        (
            "schema: '2.0'\nstages:\n  b:\n    cmd: x\n  a:\n    cmd: x\n    deps:\n    - path: d\n    - md5: e\n",
            "dvc.lock:9: stages.a.deps[1]: not a lock entry: one of its deps has no path\n"
            "  restore it from Git (git checkout -- FILE), or delete it to run everything again",
        ),
        (
            "schema: '2.0'\nstages:\n  a:\n    cmd: x\n    foo: 1\n    outs:\n    - x\n",
            "dvc.lock:7: stages.a.outs[0]: not a lock entry: one of its outs has no path\n"
            "  restore it from Git (git checkout -- FILE), or delete it to run everything again",
        ),
        (
            "schema: '2.0'\nstages:\n  b:\n    cmd: x\n  a:\n    cmd:\tx\n",
            "dvc.lock:6: not YAML: while scanning for the next token found character '\\t' that cannot start any token\n"
            "  correct the line, or the one before it",
        ),
        (
            "schema: '2.0'\nstages:\n  a:\n    cmd: x\n  b:\n    cmd: x\n  a:\n    cmd: y\n",
            "dvc.lock:7: not YAML: duplicate key 'a'\n  correct the line, or the one before it",
        ),
        (
            "schema: '2.0'\nstages:\n  a:\n    cmd: x\n<<<<<<< HEAD\n",
            "dvc.lock:6: not YAML: while scanning a simple key could not find expected ':'\n"
            "  correct the line, or the one before it",
        ),
    ],
)
def test_what_is_no_lock(text: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        lock_text.read_lock(text, "dvc.lock")

    assert str(caught.value) == message


def test_an_anchor_of_another_entry() -> None:
    text = (
        "schema: '2.0'\nstages:\n  a:\n    cmd: x\n    params: &p\n      p: {k: 1}\n  b:\n    cmd: y\n    params: *p\n"
    )

    assert lock_text.read_lock(text, "dvc.lock") == loads_yaml(text)["stages"]


@pytest.mark.parametrize(
    ("lines", "fault"),
    [
        ("cmd: {a: 1}", "its cmd is no text"),
        ("cmd: x\n    outs: abc", "its outs are no list"),
        ("cmd: x\n    deps:", "its deps are no list"),
        ("cmd: x\n    outs:\n    - md5: 0123", "one of its outs has no path"),
        ("cmd: x\n    outs:\n    - hash: md5\n      size: 3", "one of its outs has no path"),
        ("cmd: x\n    deps:\n    - a", "one of its deps has no path"),
        ("cmd: x\n    deps:\n    - path: 5", "one of its deps has no path"),
        ("cmd: x\n    params:\n      p.yaml: 3", "its params are no mapping of files to values"),
        ("cmd: x\n    params: 3", "its params are no mapping of files to values"),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\ndatasets: []\n"], ids=["quick", "whole"])
def test_an_entry_of_another_form_is_refused_as_dvc_refuses_it(lines: str, fault: str, end: str) -> None:
    text = f"schema: '2.0'\nstages:\n  a:\n    {lines}{end}"
    with pytest.raises(MultipleInvalid):
        COMPILED_LOCKFILE_SCHEMA(YAML(typ="safe").load(text))
    with pytest.raises(UserError) as caught:
        lock_text.read_lock(text, "dvc.lock")
    assert re.fullmatch(rf"dvc\.lock(:\d)?: stages\.a[^ ]*: not a lock entry: {fault}\n.*", str(caught.value))


@pytest.mark.parametrize(
    "text", ["", "\n", "schema: '2.0'\n", "schema: '2.0'\nstages:\n", "schema: '2.0'\nstages: {}\n"]
)
def test_an_empty_lock(text: str) -> None:
    assert lock_text.read_lock(text, "dvc.lock") == {}


@pytest.mark.parametrize("name", ["1", "2020-01-01", "~", "true"])
def test_a_stage_whose_name_is_no_text_is_refused(name: str) -> None:
    with pytest.raises(UserError, match=r"^dvc\.lock:[23]: stages.*: the stage .* is no text"):
        lock_text.read_lock(f"schema: '2.0'\nstages:\n  {name}:\n    cmd: x\n", "dvc.lock")
