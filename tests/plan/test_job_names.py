"""`plan/job_names.py`: any stage's name becomes a harmless, unique job's name."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.job_graphs import CPU, stage
from swath.limits import RESERVED_JOB_NAMES
from swath.model.graph import StageGraph
from swath.model.stage import Stage
from swath.plan.batch import Batch
from swath.plan.job_names import OWN_NAMES, job_names


def names(stages: list[Stage]) -> tuple[str, ...]:
    """The name of a job for each stage."""
    graph = StageGraph({each.name: each for each in stages}, {}, {})
    return job_names([Batch(CPU, (name,), 0, 1) for name in graph.stages], graph)


@settings(deadline=None)
@given(
    st.lists(st.text(min_size=1, max_size=400) | st.sampled_from(sorted(RESERVED_JOB_NAMES | OWN_NAMES)), unique=True)
)
def test_any_names(keys: list[str]) -> None:
    found = names([stage(key) for key in keys])
    assert len(set(found)) == len(keys)
    assert not set(found) & (RESERVED_JOB_NAMES | OWN_NAMES)
    for name in found:
        assert re.fullmatch(r"[A-Za-z0-9_@+][A-Za-z0-9_.@/+ -]*", name), name
        assert len(name) <= 255
        assert name == name.strip()


@pytest.mark.parametrize(
    ("key", "file", "name"),
    [
        ("train", "dvc.yaml", "train"),
        ("tile@a b", "dvc.yaml", "tile@a b"),
        ("use@x", "pipelines/usage/dvc.yaml", "pipelines/usage/use@x"),
        ("größe", "dvc.yaml", "gr-e"),
        (".hidden", "dvc.yaml", "hidden"),
        ("pages", "dvc.yaml", "pages-86a4b254"),
        ("join 1", "dvc.yaml", "join 1-c731ad17"),
    ],
)
def test_what_a_reader_expects(key: str, file: str, name: str) -> None:
    assert names([stage(key, file)]) == (name,)


@pytest.mark.parametrize("length", [230, 231, 232, 255, 256, 400])
def test_long_names(length: int) -> None:
    one, other = "a" * length, "a" * (length - 1) + "b"
    found = names([stage(one), stage(other)])
    assert len({*found}) == 2
    assert max(map(len, found)) <= 255
    assert (found == (one, other)) == (length <= 231)


@pytest.mark.parametrize("count", [9, 100_000])
def test_long_names_of_batches(count: int) -> None:
    stages = [stage(f"{'a' * 300}@{number}") for number in range(2)]
    graph = StageGraph({each.name: each for each in stages}, {}, {})
    batches = [Batch(CPU, (each.name,), count - number, count) for number, each in enumerate(stages)]
    found = job_names(batches, graph)
    assert [name.rpartition(" ")[2] for name in found] == [f"{count}/{count}", f"{count - 1}/{count}"]
    assert max(map(len, found)) <= 255
