"""`clean/decide.py`: which files go, by their paths and ages alone."""

from __future__ import annotations

import pytest

from swath.clean.decide import Kind, Stock, known
from swath.clean.references import References
from swath.dvc_border.remote_listing import StoredFile
from swath.job.scratch import SCRATCH
from swath.model.fragment import fragment_path

A, B = "a" * 30, "b" * 64


@pytest.mark.parametrize(
    ("path", "kind", "group", "name"),
    [
        (f"files/md5/0f/{A}", "object", f"files/md5/0f/{A}", f"0f{A}"),
        (f"files/md5/0f/{A}.dir", "listing", f"files/md5/0f/{A}.dir", f"0f{A}.dir"),
        (f"0f/{A}", "object", f"0f/{A}", f"0f{A}"),
        (f"0f/{A}.dir", "listing", f"0f/{A}.dir", f"0f{A}.dir"),
        (f"runs/bb/{B}/{'c' * 64}", "entry", B, "c" * 64),
        (f"files/md5/0f/{A}.1a2b.tmp", "temporary", f"files/md5/0f/{A}.1a2b.tmp", f"files/md5/0f/{A}.1a2b.tmp"),
        ("swath/tmp/1a", "temporary", "swath/tmp/1a", "swath/tmp/1a"),
        (f"{SCRATCH}/key/manifest.json", "scratch", "key", f"{SCRATCH}/key/manifest.json"),
        (fragment_path("77", 1, "job"), "fragments", "77", fragment_path("77", 1, "job")),
        (fragment_path("77", 1, "job", "ml"), "fragments", "77", fragment_path("77", 1, "job", "ml")),
    ],
)
def test_files_are_known_by_their_paths(path: str, kind: Kind, group: str, name: str) -> None:
    found = known(StoredFile(path, 1, 0.0))
    assert found
    assert (found.kind, found.group, found.name) == (kind, group, name)


@pytest.mark.parametrize(
    "path",
    [
        "swath/gc.json", "swath/looked", "README", f"data/0f/{A}", f"files/md5/0f/{A}.txt", f"files/md5/0F/{A}",
        f"files/md5/0f/{A}a", f"files/sha256/0f/{A}", f"0f/{A}/more", "runs/bb/x/y", f"files/md5/0f/{A}.dir.bak",
    ],
)  # fmt: skip
def test_what_is_not_ours_is_not_known(path: str) -> None:
    assert known(StoredFile(path, 1, 0.0)) is None


def going(files: dict[str, float | None], references: References | None = None) -> set[str]:
    stock = Stock.of([StoredFile(path, 1, changed) for path, changed in files.items()], oldest=100.0)
    return {each.file.path for each in stock.unnamed(references or References())}


def test_what_nobody_names_goes_when_it_is_old() -> None:
    old, young, unknown = (f"files/md5/0{n}/{A}" for n in range(3))
    assert going({old: 99.0, young: 100.0, unknown: None}) == {old}


def test_what_is_named_stays_in_both_layouts() -> None:
    references = References(values={f"00{A}", f"01{A}.dir"}, entries={"c" * 64})
    files = [f"files/md5/00/{A}", f"00/{A}", f"files/md5/01/{A}.dir", f"runs/bb/{B}/{'c' * 64}"]
    other = [f"files/md5/00/{A}.dir", f"files/md5/01/{A}", f"runs/bb/{B}/{'d' * 64}"]
    assert going(dict.fromkeys([*files, *other], 0.0), references) == set(other)


def test_a_pipeline_and_a_checkpoint_stay_whole_while_one_file_of_them_is_young() -> None:
    files = {
        "swath/7/1/a.json": 0.0,
        "swath/7/2/b.json": 100.0,
        "swath/8/1/a.json": 0.0,
        "swath/8/1/b.json": None,
        "swath/9/1/a.json": 0.0,
        f"{SCRATCH}/k/manifest.json": 100.0,
        f"{SCRATCH}/k/0": 0.0,
        f"{SCRATCH}/l/0": 0.0,
    }
    assert going(files) == {"swath/9/1/a.json", f"{SCRATCH}/l/0"}
