"""The commands of docs/how-to/use-a-subfolder.md work, one after the other, in an empty folder."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from support.repositories import ENVIRON

PAGE = Path(__file__).parents[2] / "docs/how-to/use-a-subfolder.md"
BLOCK = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)


def test_its_commands_work_and_write_what_it_says(tmp_path: Path) -> None:
    (block,) = BLOCK.findall(PAGE.read_text())
    script = "set -e\n" + "".join(re.split(r"^\$ ", block, flags=re.MULTILINE)[1:])
    done = subprocess.run(["sh", "-c", script], cwd=tmp_path, env=ENVIRON, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("cd -- ./ml-a || exit $?") == 2  # the stage's job, and `collect`
    listing = subprocess.run(["git", "ls-files"], cwd=tmp_path / "company", capture_output=True, text=True, check=True)
    written = {".gitlab-ci.yml", ".gitlab/swath/ml-a.yml", "ml-a/swath.yaml", "ml-a/.dvcignore"}
    assert written <= set(listing.stdout.split())
