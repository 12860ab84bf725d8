"""The small project as a folder of its Git repository, in real containers: it starts, builds and records in that folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import yaml

from support.gitlab_project import GitLabProject
from support.repositories import CLEAN, Bench

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.docker, pytest.mark.slow, pytest.mark.timeout(600)]


def test_a_project_in_a_folder(small: GitLabProject, tmp_path: Path) -> None:
    top = small.bench
    inner = Bench(top.root / "team's/ml")
    inner.root.mkdir(parents=True)
    for path in [path for path in top.root.iterdir() if path.name not in {".git", "team's", ".gitlab-ci.yml"}]:
        path.rename(inner.root / path.name)
    (top.root / ".gitlab-ci.yml").unlink()
    inner.swath("init", check=True)
    stages = yaml.safe_load(inner.read("dvc.yaml"))["stages"]
    inner.write({"dvc.yaml": {"stages": {name: stages[name] for name in ("draw", "square")}}})
    inner.write({"params.yaml": {"parts": ["a"], "draw": {"count": 20, "pause": 0}}})
    small.push("In a folder", {})
    (include,) = yaml.safe_load(top.read(".gitlab-ci.yml"))["include"]

    run = small.pipeline(document=yaml.safe_load(top.read(include["local"])))
    assert run.status == "success", run.story()
    assert small.ran(run) == ["draw@a", "square@a"]
    assert (run.job("square@a").artifacts / ".swath/logs/square@a.log").is_file()
    changed = top.command("git", "--git-dir", str(small.house.bare), "diff", "--name-only", "main^", "main").stdout
    assert all(name.startswith("team's/ml/") for name in changed.splitlines()), changed

    top.command("git", "clone", "-q", small.house.address, str(tmp_path / "colleague"))
    there = Bench(tmp_path / "colleague/team's/ml")
    there.write({".dvc/config.local": small.remote.dvc_config()})
    there.command("dvc", "pull", "-q")
    assert there.dvc_status() == CLEAN
