"""`swath runner config` in repositories."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from support.repositories import Bench, make_repository

STAGE = {"stages": {"copy": {"cmd": "cp in.txt out.txt", "deps": ["in.txt"], "outs": ["out.txt"],
                             "meta": {"swath": {"resources": {"shm": "256MiB"}}}}}}  # fmt: skip
SETTINGS = {
    "runners": [{"tags": ["docker"]}, {"tags": ["gpu"], "gpus": 1, "price_per_hour": 1}],
    "volumes": {"archive": {"path": "data/archive"}, "store": {"path": "/mnt/store", "read_only": False}},
}


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """A repository with two classes of runners and two volumes."""
    return make_repository(tmp_path / "repo", {"in.txt": "1", "dvc.yaml": STAGE, "swath.yaml": SETTINGS})


def test_a_class_for_each_with_what_stages_ask_for(bench: Bench) -> None:
    result = bench.swath("runner", "config", "--url", "https://git.example.org", check=True)
    document = tomllib.loads(result.stdout)
    assert document["concurrent"] == 8
    assert [(each["name"], each["url"]) for each in document["runners"]] == [
        ("swath docker", "https://git.example.org"),
        ("swath gpu", "https://git.example.org"),
    ]
    assert [each["docker"]["shm_size"] for each in document["runners"]] == [256 * 2**20] * 2
    assert result.stderr == ""


def test_a_path_of_this_checkout_is_none_of_a_runner(bench: Bench) -> None:
    text = bench.swath("runner", "config", "--tag", "gpu", check=True).stdout
    assert (
        '# no path on the runners is known for the volumes "archive":\n# set SWATH_VOLUME_NAME and write this anew\n'
        in text
    )
    (runner,) = tomllib.loads(text)["runners"]
    assert runner["docker"]["volumes"] == ["/cache", "/mnt/store:/mnt/store"]
    said = bench.swath("runner", "config", "--tag", "gpu", check=True, SWATH_VOLUME_ARCHIVE="/mnt/a").stdout
    (runner,) = tomllib.loads(said)["runners"]
    assert runner["docker"]["volumes"] == ["/cache", "/mnt/a:/mnt/a:ro", "/mnt/store:/mnt/store"]


def test_no_such_class(bench: Bench) -> None:
    result = bench.swath("runner", "config", "--tag", "tpu")
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == "swath: no class of runners has the tags tpu\n  swath.yaml has: docker; gpu\n"


def test_workflows_that_cannot_be_read_cost_only_the_shared_memory(bench: Bench) -> None:
    bench.write({"dvc.yaml": "stages: 1"})
    result = bench.swath("runner", "config", check=True)
    assert "shm_size" not in result.stdout
    assert result.stderr.startswith("swath: shared memory is left out, since the workflows cannot be read: dvc.yaml")
