"""A repository with one service of a test's own making, to run it under the docker runtime."""

from __future__ import annotations

import dataclasses
import io
import json
import os
import pickle
import shutil
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from support.docker_engine import BUSYBOX_IMAGE, PYTHON_IMAGE
from swath.execute.container import DockerRuntime
from swath.model.invocation import Invocation, Outcome
from swath.model.service import Image, Parameter, Service

if TYPE_CHECKING:
    from collections.abc import Iterator

RUNNER = Path(__file__).with_name("run_service.py")
_PARAMETERS = [
    Parameter(name="input", type="file", direction="input"),
    Parameter(name="folder", type="directory", direction="input"),
    Parameter(name="archive", type="directory", direction="input"),
    Parameter(name="text", type="string"),
    Parameter(name="out", type="file", direction="output"),
    Parameter(name="out-folder", type="directory", direction="output"),
    Parameter(name="outs", type="list[directory]", direction="output"),
]
DEFAULT_ARGUMENTS = (("input", "data/a.txt"), ("out", "data/out.txt"))


@dataclass
class Bench:
    """A repository at `root` with data/a.txt in it, and a runtime."""

    root: Path
    environ: dict[str, str] = field(default_factory=lambda: dict(os.environ))

    def __post_init__(self) -> None:
        for folder in (".dvc/cache", "data", "scratch", "services/task"):
            (self.root / folder).mkdir(parents=True)
        (self.root / "data" / "a.txt").write_text("hello\n")
        self.runtime = DockerRuntime(self.environ)
        self.stop = threading.Event()

    def write_program(self, text: str, name: str = "program.sh") -> None:
        """Write the service's program; `$2` and `$4` are the first two arguments' values in a shell's."""
        (self.root / "services/task" / name).write_text(text)

    def service(self, **changes: object) -> Service:
        """The service: a shell script in a busybox image, unless `changes` say otherwise."""
        fields = {
            "name": "task", "kind": "processing", "description": "for a test", "entrypoint": ["sh", "program.sh"],
            "parameters": _PARAMETERS, "image": Image(reference=BUSYBOX_IMAGE), **changes,
        }  # fmt: skip
        return Service(**fields)  # type: ignore[arg-type] # a test's free choice

    def python_service(self, **changes: object) -> Service:
        """The service as a Python program."""
        image = Image(reference=PYTHON_IMAGE)
        return self.service(**{"entrypoint": ["python", "program.py"], "image": image, **changes})

    def invocation(self, service: Service | None = None, **changes: object) -> Invocation:
        """A start of `service`."""
        plain = Invocation(
            service=service or self.service(),
            folder=self.root / "services/task",
            arguments=DEFAULT_ARGUMENTS,
            root=self.root,
            wdir=".",
            scratch=self.root / "scratch",
            environment={"DVC_ROOT": str(self.root), "DVC_STAGE": "task"},
        )
        return dataclasses.replace(plain, **changes)  # type: ignore[arg-type] # a test's free choice

    def run(self, invocation: Invocation) -> tuple[Outcome, str]:
        """Run it to its end; gives the outcome and the log."""
        log = io.BytesIO()
        return self.runtime.run(invocation, log, self.stop), log.getvalue().decode()

    def run_script(self, script: str, **changes: object) -> tuple[Outcome, str]:
        """Run a shell script as the service."""
        self.write_program(script)
        return self.run(self.invocation(None, **changes))

    def start_elsewhere(self, invocation: Invocation, **options: object) -> subprocess.Popen[str]:
        """Run it in a process of its own, whose stdout is the outcome as JSON; `outcome_of` reads it."""
        request = self.root / "request.pickle"
        request.write_bytes(pickle.dumps(invocation))
        request.chmod(0o644)
        python = options.pop("python", sys.executable)
        return subprocess.Popen(  # type: ignore[call-overload, no-any-return] # options are a test's
            [python, str(RUNNER), str(request)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options
        )

    def files(self) -> list[str]:
        """All files of the repository but the service's, the requests and what lies in .dvc/tmp/swath/staging."""
        found = (path.relative_to(self.root).as_posix() for path in self.root.rglob("*") if not path.is_dir())
        hidden = (".dvc/", "services/", "request.pickle")
        return sorted(path for path in found if not path.startswith(hidden))

    def staged(self) -> list[Path]:
        """What is left in the attempts' staging folders."""
        return list((self.root / ".dvc/tmp/swath/staging").glob("*/[0-9]*"))

    def containers(self) -> list[str]:
        """Names of all containers of this repository."""
        from swath.execute.container import repository_label

        words = ["docker", "ps", "-a", "--filter", f"label=swath.repository={repository_label(self.root)}"]
        return subprocess.run(
            [*words, "--format", "{{.Names}}"], capture_output=True, text=True, check=True
        ).stdout.split()


def outcome_of(process: subprocess.Popen[str]) -> Outcome:
    """The outcome that the process tells when it ends."""
    text, _ = process.communicate(timeout=60)
    assert process.returncode == 0, text
    return Outcome(**json.loads(text.splitlines()[-1]))


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """A fresh repository; what its runtime started is ended afterwards."""
    made = Bench(tmp_path / "repository")
    yield made
    made.runtime.close()
    shutil.rmtree(made.root, ignore_errors=True)
