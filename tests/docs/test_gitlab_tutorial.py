"""The commands of docs/tutorial/gitlab.md that need no GitLab work, one after the other, in an empty folder."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

PAGE = Path(__file__).parents[2] / "docs/tutorial/gitlab.md"
BLOCK = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_its_commands_work_and_the_model_is_trained(tmp_path: Path) -> None:
    commands = [
        c for block in BLOCK.findall(PAGE.read_text()) for c in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]
    ]
    assert len(commands) == 17
    identity = {f"GIT_{who}_{what}": "a@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    variables = os.environ | identity | {
        "PATH": f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}", "SWATH_RUNTIME": "process",
    }  # fmt: skip
    variables.pop("CI_REGISTRY_IMAGE", None)
    script = "set -e\n" + "".join(f"echo '[{i}]' >&2\n{command}" for i, command in enumerate(commands))
    done = subprocess.run(
        ["sh", "-c", script], cwd=tmp_path, env=variables, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    jobs = [line.strip('":') for line in done.stdout.splitlines() if re.match(r'"?(build|train|collect)', line)][-5:]
    assert [job.split(" ")[0].split("@")[0] for job in jobs] == ["build:train", "train", "train", "train", "collect"]
    forest = tmp_path / "forest"
    assert "THE-SECRET" not in (forest / ".dvc/config").read_text()
    run = subprocess.run(["swath", "run"], cwd=forest, env=variables, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    for seed in range(3):
        metrics = yaml.safe_load((forest / f"metrics/{seed}.json").read_text())
        assert metrics["accuracy"] > metrics["majority"]
