"""The repository itself: its files fit together."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from swath.load.services import load_services

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
