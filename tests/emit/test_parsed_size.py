"""`emit/parsed_size.py` against Ruby: never less than it takes, and little more."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.job_graphs import graph_of, settings, workload
from swath import limits
from swath.emit.check import check
from swath.emit.own_jobs import Own
from swath.emit.parsed_size import parsed_bytes
from swath.emit.pipeline import Context, child_pipeline
from swath.emit.yaml import to_yaml
from swath.model.jobs import PipelinePlan
from swath.model.runner import Runner
from swath.plan.assign import assign

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
# As GitLab adds it up (lib/gitlab/utils/deep_size.rb).
DEEP_SIZE = """
require 'objspace'; require 'psych'
def deep(o)
  s = ObjectSpace.memsize_of(o)
  o.each { |x| s += deep(x) } if o.is_a?(Array)
  o.each { |k, v| s += deep(k) + deep(v) } if o.is_a?(Hash)
  s
end
puts deep(Psych.safe_load(STDIN.read))
"""


def mapping(count: int) -> dict[str, str]:
    """So many pairs of short texts."""
    return {f"a{number}": "b" for number in range(1, count + 1)}


@pytest.mark.parametrize(
    ("value", "ruby"),
    [
        ([], 40), (["a", "b", "c"], 160), ([f"a{number}" for number in range(1, 201)], 10360),
        ({"a": 1}, 208), (mapping(8), 808), (mapping(9), 1648), (mapping(33), 4400), (mapping(500), 54432),
        (["x" * 23], 80), (["x" * 24], 105), (["x" * 200], 281), ([1, True, None, 1.5], 200),
    ],
)  # fmt: skip
def test_small_values_as_ruby_3_1_said(value: Any, ruby: int) -> None:
    assert ruby <= parsed_bytes(value) <= 1.5 * ruby


@pytest.mark.parametrize(
    ("example", "ruby"),
    [("chain", 8469), ("gpu-training", 13431), ("hostile-names", 57156), ("many-needs", 49001), ("two-images", 24058)],
)
def test_pipelines_as_ruby_3_1_said_of_an_earlier_form(example: str, ruby: int) -> None:
    size = parsed_bytes(yaml.safe_load((GOLDEN / example / "expected.yml").read_text()))
    assert 0.9 * ruby <= size <= 1.1 * ruby


@pytest.mark.skipif(not shutil.which("ruby"), reason="SKIPPED LOUDLY: no ruby; noted figures must do")
def test_pipelines_as_this_machines_ruby_says() -> None:
    for file in GOLDEN.glob("*/expected.yml"):
        said = subprocess.run(["ruby", "-e", DEEP_SIZE], input=file.read_bytes(), capture_output=True, check=True)
        assert int(said.stdout) <= parsed_bytes(yaml.safe_load(file.read_text())) <= 1.2 * int(said.stdout)


@pytest.mark.parametrize(("version", "most"), [("17.0", 250), ("17.3", 500)])
def test_a_wide_workflow_with_many_runners_becomes_a_file_that_gitlab_parses(version: str, most: int) -> None:
    """500 runners of two images: as many jobs as fit, not as many as `ci.max_jobs` allows."""
    edges: dict[str, list[str]] = {f"tile@{number}": [] for number in range(1000)}
    edges |= {f"train@{number}": [f"tile@{number}"] for number in range(1000)}
    edges["report"] = [f"train@{number}" for number in range(1000)]
    loads = {name: workload(f"$CI_REGISTRY_IMAGE/{name.partition('@')[0]}:0123456789ab-t1") for name in edges}
    runner = Runner(concurrency=500)
    chosen = settings(runner, gitlab_version=version)
    jobs = assign(graph_of(edges), dict.fromkeys(edges, "run"), loads, chosen, own_image="own")
    plan = PipelinePlan("c" * 40, 1, jobs)
    document = child_pipeline(plan, Context(Own("own", runner, chosen.ci.version), (), "2001r", chosen.ci.needs))
    assert check(document, to_yaml(document), chosen) == ()
    assert most / 2 < len(document) - 3 <= most
    assert parsed_bytes(document) > limits.parsed_bytes_of_a_file(chosen.ci.version) / 2  # the room is used


def test_more_than_fits_is_told() -> None:
    chosen = settings(gitlab_version="17.2")
    stage = {"stage": "a", "script": ["true"], "variables": {f"V{number}": "x" * 250 for number in range(8)}}
    document: dict[str, Any] = {"stages": ["a"], **{f"job {number}": stage for number in range(450)}}
    (finding,) = check(document, to_yaml(document), chosen)
    size = parsed_bytes(document)
    assert finding == (
        f"the file: {size} bytes when GitLab has parsed it, GitLab's limit is 1048576 "
        "in version 17.2; a lower `ci.max_jobs` helps"
    )
    assert check(document, to_yaml(document), settings(gitlab_version="17.3")) == ()
