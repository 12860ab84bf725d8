"""The commands of docs/how-to/write-a-service.md, run one after the other, say what the page says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from swath.model.shell_words import exec_words

PAGE = Path(__file__).parents[2] / "docs/how-to/write-a-service.md"
BLOCK = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)


def commands(text: str) -> list[tuple[str, str]]:
    """Each command behind a ``$`` and what follows it."""
    blocks = "".join(BLOCK.findall(text))
    return [
        (command, output)
        for command, _, output in (part.partition("\n") for part in re.split(r"^\$ ", blocks, flags=re.MULTILINE)[1:])
    ]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_page_says_what_happens(tmp_path: Path) -> None:
    variables = os.environ | {
        "PATH": f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}",
        "SWATH_RUNTIME": "process",
    }
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    (tmp_path / ".dvc").mkdir()
    steps = commands(PAGE.read_text())
    assert len(steps) == 5
    for command, expected in steps:
        done = subprocess.run(
            ["sh", "-c", command], cwd=tmp_path, env=variables, capture_output=True, text=True, check=False
        )
        said = done.stdout or done.stderr
        assert re.sub(r"in [0-9.]+s", "in 0.07s", said) == expected


def test_its_workflow_is_one_that_runs(tmp_path: Path) -> None:
    """The stage of step 4 is a plain call with the service's own options."""
    call = re.search(r"cmd: (swath exec clean .*)", PAGE.read_text())
    assert call
    words = exec_words(call[1])
    assert words
    assert words[0] == "clean"
