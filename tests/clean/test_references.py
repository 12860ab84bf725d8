"""`clean/references.py`: what documents name, in all forms that DVC has had."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from swath.clean.references import References
from swath.model.lock_entry import LockEntry, entry_hash, run_cache_key
from swath.model.stage import Output, Stage
from swath.schema import yaml12

A, B = "a" * 32, "b" * 32
ENTRY: LockEntry = {
    "cmd": "make",
    "deps": [{"path": "in", "hash": "md5", "md5": A, "size": 1}],
    "params": {"params.yaml": {"v": 1}},
    "outs": [{"path": "out", "hash": "md5", "md5": f"{B}.dir", "size": 2, "nfiles": 1}],
}


def of(document: object) -> References:
    found = References()
    found.add_document(document)  # type: ignore[arg-type]
    return found


def test_a_lock_names_objects_and_its_entries_of_the_run_cache() -> None:
    found = of({"schema": "2.0", "stages": {"make": ENTRY}})
    assert found.values == {A, f"{B}.dir"}
    assert found.entries == {entry_hash(ENTRY)}
    assert found.folders == {f"{B}.dir"}


def test_the_key_is_that_of_the_stage() -> None:
    stage = Stage.__new__(Stage)
    out = Output.__new__(Output)
    object.__setattr__(out, "text", "out")
    object.__setattr__(stage, "outs", (out,))
    assert of({"make": ENTRY}).keys == {run_cache_key(stage, ENTRY)}


def test_dvc_1_locks_fragments_and_data_files_are_read_as_well() -> None:
    assert of({"make": ENTRY}).entries == {entry_hash(ENTRY)}
    assert of({"stages": {"make": {"lock": ENTRY}}, "files": {"x": {"md5": "c" * 32}}}).values >= {"c" * 32}
    assert of({"outs": [{"md5": A, "files": [{"relpath": "x", "md5": B}]}]}).values == {A, B}


def test_what_cannot_be_parsed_is_searched_for_what_looks_like_a_hash() -> None:
    found = References()
    found.add_text(f"<<<<<<<\n md5: {A}\n=======\n md5: '{B}.dir'\n>>>>>>> {'c' * 40}\n")
    assert found.values == {A, f"{B}.dir"}


def test_keys_without_an_order_are_no_fault() -> None:
    assert of({"make": {**ENTRY, "params": {"p": {0: "cat", "1": "dog"}}}}).values == {A, f"{B}.dir"}


def test_anchors_that_multiply_take_no_time() -> None:
    lines = [f"a0: &a0 [{A}]"] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 60)]
    assert of(yaml12.parse("\n".join(lines), "dvc.lock")).values == {A}


@given(
    st.recursive(st.sampled_from([A, f"{B}.dir", 1, None]), lambda of: st.lists(of) | st.dictionaries(st.text(), of))
)
def test_no_depth_hides_a_hash(document: object) -> None:
    found = of(document)
    assert (A in found.values) == (A in repr(document))
    assert (f"{B}.dir" in found.values) == (f"{B}.dir" in repr(document))
