"""The forest workflow of this repository through its own pipeline, from simulated scenes to a model that a clone pulls."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from support.git_server import serve_git
from support.gitlab_house import HouseRunner
from support.gitlab_project import GitLabProject, images_with_swath, make_project, own_path
from support.repositories import CLEAN, Bench

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.pipeline_runner import PipelineRun
    from support.remote_server import RemoteServer

pytestmark = [
    pytest.mark.docker,
    pytest.mark.slow,
    pytest.mark.timeout(3600),
    pytest.mark.skipif(
        "SWATH_TEST_FOREST" not in os.environ, reason="takes minutes: SWATH_TEST_FOREST=1 runs it, as .ci/run does"
    ),
]
ROOT = Path(__file__).resolve().parents[2]
ARCHIVE = "data/archive"
CARD = "data/model/card.json"


@pytest.fixture
def forest(tmp_path: Path, registry: str, remote_server: RemoteServer) -> Iterator[GitLabProject]:
    """This repository as it is committed, with bases and a builder that can be had here, and scenes on the disk runner."""
    subprocess.run(["git", "clone", "-q", str(ROOT), str(tmp_path / "work")], check=True)
    bench = Bench(tmp_path / "work")
    bench.command("git", "checkout", "-q", "-B", "main")
    bench.command("git", "remote", "remove", "origin")
    for path in bench.root.glob("services/*/Dockerfile*"):
        path.write_text(re.sub(r"(?m)^ARG BASE=.*", "ARG BASE=swath-test/python:1", path.read_text()))
    settings = yaml.safe_load(bench.read("swath.yaml"))
    settings["builder"] = "docker"
    settings["ci"]["services"]["train"]["resources"] = {"cpus": 2}  # no GPU here
    settings["runners"][0]["disk"] = "1GiB"
    for name in ("download", "truth"):  # small enough for any machine, too large for the first class
        settings["ci"]["services"][name]["resources"] = {"disk": "2GiB"}
    bench.write({"swath.yaml": settings, "params.yaml": _quick(bench.read("params.yaml"))})
    archive = bench.root / ARCHIVE  # Git ignores it
    bench.swath("exec", "simulate", "--out", ARCHIVE, check=True, SWATH_RUNTIME="process")
    catalogue = ("catalogue", "--archive", "volume:archive", "--out", "catalogue.json")
    bench.swath("exec", *catalogue, check=True, SWATH_RUNTIME="process")
    bench.command("dvc", "remote", "add", "-q", "-d", "origin", remote_server.url(tmp_path.name))
    bench.commit("Here")
    with images_with_swath(own_path(registry, tmp_path)) as images, serve_git(tmp_path / "git") as server:
        project = make_project(tmp_path, bench, server, images, remote_server)
        project.house.runners += (HouseRunner(("disk",), (f"{archive}:/archive:ro",)),)
        project.house.variables["SWATH_VOLUME_ARCHIVE"] = "/archive"
        yield project


def test_the_forest_model_is_trained_from_nothing(forest: GitLabProject, tmp_path: Path) -> None:
    first = _pipeline(forest)
    assert first.status == "success", first.story()
    assert {"search", "train", "evaluate", "combine", "statistics"} < set(forest.ran(first))
    assert set(forest.images()) >= {"download", "train", "evaluate", "crop"}

    clone = forest.clone(tmp_path / "colleague")
    clone.command("dvc", "pull", "-q")
    assert clone.dvc_status() == CLEAN
    accuracy = json.loads(clone.read("results/metrics.json"))["test"]["accuracy"]
    assert f'"accuracy": {accuracy}' in clone.command("dvc", "exp", "show", "--json").stdout

    local = forest.clone(tmp_path / "local")
    local.command("git", "checkout", "-q", "HEAD~1")
    archive = {"SWATH_RUNTIME": "process", "SWATH_VOLUME_ARCHIVE": str(forest.bench.root / ARCHIVE)}
    running = local.start("run", **archive)
    said = running.communicate(timeout=900)
    assert running.returncode == 0, said
    assert _hashes(local) == _hashes(clone)  # the trained model too, though one was made in an image and one was not
    cards = [json.loads(bench.read(CARD)) for bench in (clone, local)]
    for card in cards:
        del card["versions"]["python"]
    assert cards[0] == cards[1]

    forest.pull()
    forest.push("Docs", {"README.md": "Nothing that counts.\n"})
    assert "nothing-to-do" in _pipeline(forest).names()

    forest.push("Longer", {"params.yaml": re.sub(r"(?m)^  epochs: 2", "  epochs: 3", forest.bench.read("params.yaml"))})
    longer = _pipeline(forest)
    assert (longer.status, forest.ran(longer)) == ("success", ["evaluate", "train"]), longer.story()


def _hashes(bench: Bench) -> dict[str, str]:
    """The hash of each output in dvc.lock but the model's card, which names the version of Python."""
    outs = [out for entry in bench.lock().values() for out in entry["outs"]]
    return {out["path"]: out["md5"] for out in outs if out["path"] != CARD}


def _pipeline(forest: GitLabProject) -> PipelineRun:
    """Of main, without this project's own tests."""
    document: dict[str, Any] = yaml.safe_load(forest.show(".gitlab-ci.yml"))
    del document["test"]
    return forest.pipeline(document=document)


def _quick(parameters: str) -> str:
    """The parameters for two scenes and two epochs."""
    quick = re.sub(r"(?m)^  limit: 0 ", "  limit: 2 ", re.sub(r"(?m)^  epochs: \d+", "  epochs: 2", parameters))
    assert quick.count("\n") == parameters.count("\n")
    return quick
