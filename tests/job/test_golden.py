"""`swath compile` of each folder in tests/golden/ gives the bytes of its `expected.yml`.

A folder is an example: input, expected pipeline, and a README that is its page in the docs. After a change that is meant,
`SWATH_GOLDEN=write pytest tests/job/test_golden.py` writes the files anew; CI never does.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.repositories import ENVIRON
from swath.dvc_border.repository import Repository
from swath.emit.check import check
from swath.job.pipeline import Compiled, CompileOptions, compile_pipeline
from swath.load.settings import load_settings

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
CASES = sorted(folder.name for folder in GOLDEN.iterdir() if folder.is_dir())
WITHOUT_IMAGES = {"two-images", "subfolder"}  # cases in which the registry has none
SUBFOLDERS = {"subfolder": "ml"}  # where the DVC repository is not the whole of Git's
FIXED = {
    **ENVIRON,
    "GIT_AUTHOR_DATE": "2026-01-01T00:00:00Z",
    "GIT_COMMITTER_DATE": "2026-01-01T00:00:00Z",
    "GIT_CONFIG_GLOBAL": "/dev/null",
}


class _Full(BaseHTTPRequestHandler):
    """A registry that has every image."""

    def do_HEAD(self) -> None:
        self.send_response(200)
        self.end_headers()

    do_GET = do_HEAD  # noqa: N815 - http.server's name

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Nothing to say."""


@pytest.fixture(scope="module")
def registry() -> Iterator[str]:
    """Its address, as GitLab's variable says it."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Full)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{server.server_port}/team/project"
    server.shutdown()
    server.server_close()


def repository_of(case: str, root: Path) -> Path:
    """The example as a commit that is the same everywhere; its DVC repository."""
    shutil.copytree(GOLDEN / case, root, ignore=shutil.ignore_patterns("expected.yml", "README.md"))
    repository = root / SUBFOLDERS.get(case, "")
    (repository / ".dvc").mkdir()
    (repository / ".dvc/config").write_text("")
    for words in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-q", "-m", "example"]):
        subprocess.run(["git", *words], cwd=root, env=FIXED, check=True)
    return repository


def compiled(case: str, root: Path, registry: str) -> Compiled:
    """What `swath compile` makes of an example."""
    options = CompileOptions(ask_registry=case not in WITHOUT_IMAGES)
    return compile_pipeline(Repository(root), options, {"CI_REGISTRY_IMAGE": registry}, None)


def without_build_scripts(text: str) -> str:
    """How images are built has examples of its own, in tests/images."""
    return re.sub(
        r"^(build:.*\n(?:  .*\n)*?)  script:\n(?:    .*\n|\n(?=    ))+",
        r"\1  script: [...]\n",
        text,
        flags=re.MULTILINE,
    )


@pytest.mark.parametrize("case", CASES)
def test_the_example(case: str, tmp_path: Path, registry: str) -> None:
    root = repository_of(case, tmp_path / "repo")
    text = compiled(case, root, registry).text
    expected = GOLDEN / case / "expected.yml"
    if os.environ.get("SWATH_GOLDEN") == "write":
        expected.write_text(without_build_scripts(text), encoding="utf-8")
    assert without_build_scripts(text) == expected.read_text(encoding="utf-8")
    assert check(yaml.safe_load(text), text, load_settings(root)) == ()


def test_an_image_is_built_in_the_folder(tmp_path: Path, registry: str) -> None:
    document = yaml.safe_load(compiled("subfolder", repository_of("subfolder", tmp_path / "repo"), registry).text)
    enter, *script = document["build:prepare"]["script"]
    assert enter == "cd -- ./ml || exit $?"
    assert any("cp -RP ./services/prepare/. " in part for part in script)


@pytest.mark.parametrize("case", CASES)
def test_an_example_has_a_page(case: str) -> None:
    assert (GOLDEN / case / "README.md").read_text(encoding="utf-8").startswith("# ")


def test_other_hashes_and_another_order_of_files_change_nothing(tmp_path: Path) -> None:
    texts = []
    for seed in ("0", "1"):
        root = repository_of("hostile-names", tmp_path / seed)
        words = [sys.executable, "-m", "swath", "compile"]
        result = subprocess.run(
            words, cwd=root, env={**FIXED, "PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        )
        texts.append(result.stdout)
    assert texts[0] == texts[1] == (GOLDEN / "hostile-names/expected.yml").read_text(encoding="utf-8")


def test_no_text_of_a_stage_reaches_the_pipeline(tmp_path: Path, registry: str) -> None:
    text = compiled("hostile-names", repository_of("hostile-names", tmp_path / "repo"), registry).text
    assert not [word for word in ("; rm", "$(touch", "`", "{{", "$CI_JOB", "größe", "&x", "*anchor") if word in text]


@pytest.mark.parametrize("case", ["chain", "hostile-names"])
def test_the_scripts_are_one_command_each_in_a_real_shell(case: str, tmp_path: Path, registry: str) -> None:
    document = yaml.safe_load(compiled(case, repository_of(case, tmp_path / "repo"), registry).text)
    for name, job in document.items():
        if isinstance(job, dict) and "run" in str(job.get("script")):
            script = "\n".join(job["script"]).replace("/opt/swath/bin/swath", "printf '%s\\n'")
            words = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout.splitlines()
            assert words[:3] == ["job", "run", name]
            assert words[3] == "--plan-digest"
            assert len(words) == 5
