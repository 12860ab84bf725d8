"""A repository with services whose names, paths and arguments hold what a shell or YAML could take for its own."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

SERVICE = """\
name: {name}
kind: processing
description: d
entrypoint: [./run.sh]
image:
  build: .
  build_args: {{GREETING: "{greeting}"}}
  variants:
    gpu: {{dockerfile: "Dockerfile.gpu", gpus: true}}
"""
DOCKERFILE = """\
ARG BASE=example.invalid/none:1
FROM ${BASE}
ARG GREETING=none
RUN printf '%s' "$GREETING" >/greeting
COPY . /opt/service/
WORKDIR /work"""  # no line end: the tool layer's line must not join the last one
GREETING = "it's $HOME `id` $(id) & | ; * 'x'"


def git(root: Path, *words: str) -> str:
    """Run git; returns what it says."""
    own = ["-c", "user.name=T", "-c", "user.email=t@example.com", "-c", "init.defaultBranch=main"]
    done = subprocess.run(["git", *own, *words], cwd=root, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A Git repository with the services `task` and `public`, committed."""
    root = tmp_path / "work tree"
    files = {
        "services/task/service.yaml": SERVICE.format(name="task", greeting=GREETING),
        "services/task/Dockerfile": DOCKERFILE,
        "services/task/Dockerfile.gpu": DOCKERFILE,
        "services/task/run.sh": "#!/bin/sh\ncat /greeting\n",
        "services/task/lib/a $(touch pwned) 'b'.txt": "odd\n",
        "services/task/-rf": "a name like an option\n",
        "services/task/tests/test_task.py": "",
        "services/task/lib/tests/kept.txt": "",
        "services/task/README $(touch pwned).md": "",
        ".dvcignore": "services/*/tests\nservices/*/README*\n__pycache__\n.gitignore\n",
        ".gitignore": "*.log\n",
    }
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (root / "services/task/run.sh").chmod(0o755)
    (root / "services/task/link").symlink_to("run.sh")
    (root / ".dvc").mkdir()
    git(root, "init", "-q")
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "first")
    return root
