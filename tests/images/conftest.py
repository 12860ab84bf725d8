"""A repository with services whose names, paths and arguments hold what a shell or YAML could take for its own."""

from __future__ import annotations

import os
import subprocess
import uuid
from typing import TYPE_CHECKING

import pytest

from support.docker_engine import BUSYBOX_IMAGE
from swath.images.reference import resolved
from swath.images.service_image import swath_image
from swath.model.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator
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


def push_tool_layer(registry: str, project: str, tmp_path: Path) -> None:
    """What stands in for Swath's own image: /opt/swath with a program that says so."""
    folder = tmp_path / "tool-layer"
    folder.mkdir()
    (folder / "swath").write_text("#!/bin/sh\necho the tool layer\n")
    (folder / "swath").chmod(0o755)
    (folder / "Dockerfile").write_text(f"FROM {BUSYBOX_IMAGE}\nCOPY swath /opt/swath/bin/swath\n")
    name, base = resolved(swath_image(Settings()), {"CI_REGISTRY_IMAGE": project}), f"{registry}/base/busybox:1"
    for words in (["build", "-q", "-t", name, str(folder)], ["push", "-q", name], ["rmi", name]):
        subprocess.run(["docker", *words], check=True, capture_output=True)
    for words in (["tag", BUSYBOX_IMAGE, base], ["push", "-q", base]):
        subprocess.run(["docker", *words], check=True, capture_output=True)


@pytest.fixture
def real(registry: str, tmp_path: Path) -> Iterator[dict[str, str]]:
    """Variables for a script that builds for real; Swath's own image and a base are in the registry."""
    project = f"{registry}/group/{uuid.uuid4().hex}"
    push_tool_layer(registry, project, tmp_path)
    storage = tmp_path / "containers"
    yield {
        **os.environ,
        "CI_REGISTRY_IMAGE": project,
        "CI_REGISTRY": registry,
        "CI_COMMIT_REF_SLUG": "main",
        "CI_DEFAULT_BRANCH": "main",
        "BASE": f"{registry}/base/busybox:1",
        "SWATH_PAUSE": "0",
        "BUILDAH_ISOLATION": "chroot",
        "STORAGE_DRIVER": "vfs",
        "CONTAINERS_STORAGE_CONF": str(tmp_path / "storage.conf"),
        "XDG_DATA_HOME": str(storage),
    }
    found = subprocess.run(
        ["docker", "images", "--format", "{{.Repository}}:{{.Tag}}", "--filter", f"reference={registry}/*/*/*"],
        capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    if found:
        subprocess.run(["docker", "rmi", "--force", *found], capture_output=True, check=False)
