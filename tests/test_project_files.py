"""The repository itself: its files fit together."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

from support.repositories import ENVIRON
from swath.dvc_border.repository import Repository
from swath.images.service_image import swath_image
from swath.job.planned import Workloads
from swath.job.setup_files import render_ci_file
from swath.load.services import load_services
from swath.load.settings import load_settings
from swath.load.workflows import load_workflows
from swath.model.settings import Settings
from swath.plan.choose_runner import choose_runner

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def tracked(*patterns: str) -> list[Path]:
    """Files that Git tracks."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--", *patterns], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


@pytest.mark.parametrize(
    ("extra", "package", "service"),
    [("tensorflow", "tensorflow-cpu", "train"), ("sentinelsat", "sentinelsat", "search-dhus")],
)
def test_extras_are_the_requirements_of_the_services(extra: str, package: str, service: str) -> None:
    required = (ROOT / "services" / service / "requirements.txt").read_text()
    (pinned,) = re.findall(rf"^{package}==\S+", required, re.MULTILINE)
    assert PROJECT["project"]["optional-dependencies"][extra] == [pinned]


def test_lock_files_hold_every_dependency_and_no_address() -> None:
    for name in ("requirements.lock", "requirements-dev.lock"):
        text = (ROOT / name).read_text()
        assert "://" not in text
        assert "--index" not in text
        for dependency in PROJECT["project"]["dependencies"]:
            package = re.split(r"[<>=]", dependency)[0]
            assert re.search(rf"^{package.replace('.', '[.-]')}==", text, re.MULTILINE), f"{package} is not in {name}"


def test_requirements_of_services_are_pinned_and_name_no_index() -> None:
    for path in tracked("services/*/requirements.txt"):
        for line in path.read_text().splitlines():
            if line.strip() and not line.lstrip().startswith("#"):
                assert re.match(r"[A-Za-z0-9._-]+(\[[a-z,-]+\])?==\S+", line), f"{path}: {line}"


def test_all_services_are_valid() -> None:
    services = load_services(ROOT)
    assert {"search", "download", "truth", "train", "evaluate"} <= set(services)


def test_the_dhus_services_carry_their_licence() -> None:
    for name in ("search-dhus", "download-dhus"):
        assert "GNU GENERAL PUBLIC LICENSE" in (ROOT / "services" / name / "LICENSE").read_text()


def test_sentinelsat_is_imported_only_where_its_licence_stands() -> None:
    found = {
        path.relative_to(ROOT).parts[:2]
        for path in tracked("*.py")
        if re.search(r"^\s*(import|from) sentinelsat", path.read_text(), re.MULTILINE)
    }
    assert found <= {("services", "search-dhus"), ("services", "download-dhus")}


def test_links_between_documents_lead_somewhere() -> None:
    for page in tracked("*.md"):
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text()):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.relative_to(ROOT)} links to {target}"


def test_training_goes_to_gpus_and_what_reads_the_archive_to_disks() -> None:
    settings = load_settings(ROOT)
    loads = Workloads(ROOT, settings)
    graph = load_workflows(Repository(ROOT)).graph
    classes = {
        stage.group: choose_runner(stage, loads.of(stage).resources, settings.runners).tags
        for stage in graph.stages.values()
    }
    assert {group: tags for group, tags in classes.items() if tags != ["docker"]} == {
        "download": ["disk"],
        "truth": ["disk"],
        "train": ["gpu"],
    }
    assert loads.of(graph.stages["train"]).image.startswith("$CI_REGISTRY_IMAGE/train.gpu:")


def test_our_own_pipeline_is_gitlabs_and_uses_our_version() -> None:
    text = (ROOT / ".gitlab-ci.yml").read_text()
    checked = subprocess.run(
        ["check-jsonschema", "--builtin-schema", "vendor.gitlab-ci", ".gitlab-ci.yml"],
        cwd=ROOT, env=ENVIRON, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert checked.stdout == "ok -- validation done\n"
    assert yaml.safe_load(text)["swath:plan"]["image"]["name"] == swath_image(Settings())


def test_our_own_pipeline_has_the_jobs_that_init_writes() -> None:
    """What is shipped is used: the three jobs say the same, but for when they run and their ci stages."""
    ours = yaml.safe_load((ROOT / ".gitlab-ci.yml").read_text())
    written = yaml.safe_load(render_ci_file(load_settings(ROOT), None))
    for name in ("swath:lint", "swath:plan", "swath:run"):
        mine = {key: value for key, value in ours[name].items() if key not in {"stage", "rules"}}
        if name != "swath:run":
            assert mine.pop("needs") == []
        mine["variables"] = {key: str(value) for key, value in mine["variables"].items()}
        assert mine == {key: value for key, value in written[name].items() if key not in {"stage", "rules"}}
    assert ours["swath:run"]["rules"][0] == written["swath:run"]["rules"][0]
    assert ours["workflow"]["rules"][0] == written["workflow"]["rules"][0]
    assert ours["workflow"]["auto_cancel"] == written["workflow"]["auto_cancel"]
