"""Images of services, built by a real engine."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import threading
import uuid
from typing import TYPE_CHECKING

import pytest

from support.docker_engine import BASE_OVERRIDE, BUSYBOX_IMAGE
from swath.errors import InterruptedRunError, UserError
from swath.execute.container import DockerRuntime
from swath.execute.image import recipe_for
from swath.model.service import Image

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.service_bench import Bench

pytestmark = pytest.mark.docker

DOCKERFILE = """ARG BASE=example.invalid/none:1
FROM ${BASE}
COPY . /opt/service/
WORKDIR /work
"""


@pytest.fixture
def built(bench: Bench) -> Iterator[Bench]:
    """A bench whose service is built; its images are removed afterwards."""
    label = f"swath.test={uuid.uuid4()}"
    (bench.root / "services/task/Dockerfile").write_text(f"{DOCKERFILE}LABEL {label}\n")
    bench.runtime = DockerRuntime({**os.environ, BASE_OVERRIDE: BUSYBOX_IMAGE})
    bench.write_program('echo "$SWATH_SERVICE_DIR"; ls "$SWATH_SERVICE_DIR"; cp "$2" "$4"')
    (bench.root / "services/task/tests").mkdir()
    (bench.root / "services/task/README.md").touch()
    (bench.root / ".dvcignore").write_text("services/*/tests\nservices/*/README*\n")
    yield bench
    words = ["docker", "images", "--quiet", "--filter", f"label={label}"]
    images = subprocess.run(words, capture_output=True, text=True, check=True).stdout.split()
    if images:
        subprocess.run(["docker", "rmi", "--force", *sorted(set(images))], capture_output=True, check=True)


def test_an_image_is_built_once_and_holds_the_code(built: Bench) -> None:
    invocation = built.invocation(built.service(image=Image(build=".")))
    (built.root / "services/task/program.sh").chmod(0o600)
    outcome, log = built.run(invocation)
    assert outcome.exit_code == 0
    assert log.endswith("/opt/service\nDockerfile\nprogram.sh\n")
    _, log = built.run(invocation)
    assert log == "/opt/service\nDockerfile\nprogram.sh\n"


def test_an_image_without_the_code_says_where_it_belongs(built: Bench) -> None:
    dockerfile = built.root / "services/task/Dockerfile"
    dockerfile.write_text(dockerfile.read_text().replace("/opt/service", "/elsewhere"))
    outcome, _ = built.run(built.invocation(built.service(image=Image(build="."))))
    assert outcome.reason.endswith("the Dockerfile copies the service's files there")


def test_parallel_stages_build_once(built: Bench) -> None:
    invocation = built.invocation(built.service(image=Image(build=".")), arguments=())
    built.write_program("true")
    logs: list[str] = []
    threads = [threading.Thread(target=lambda: logs.append(built.run(invocation)[1])) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(bool(log) for log in logs) == [False, False, True]


def test_a_failed_build_shows_the_end_of_its_log(built: Bench) -> None:
    with (built.root / "services/task/Dockerfile").open("a") as file:
        file.write("RUN echo this is wrong && exit 7\n")
    with pytest.raises(UserError, match=r"(?s)image of the service task could not be built.*this is wrong"):
        built.run(built.invocation(built.service(image=Image(build="."))))


def test_the_older_builder_serves_without_buildkit(built: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("swath.execute.build.buildkit_command", lambda _: None)
    with (built.root / "services/task/Dockerfile").open("a") as file:
        file.write("# another tag\n")
    outcome, _ = built.run(built.invocation(built.service(image=Image(build="."))))
    assert outcome.exit_code == 0


def test_stop_ends_a_build(built: Bench) -> None:
    with (built.root / "services/task/Dockerfile").open("a") as file:
        file.write("RUN sleep 600\n")
    threading.Timer(2, built.stop.set).start()
    with pytest.raises(InterruptedRunError):
        built.run(built.invocation(built.service(image=Image(build="."))))


def test_an_image_that_ci_has_pushed_is_not_built_again(built: Bench, registry: str) -> None:
    """The Dockerfile's base is nowhere; what is under the content tag in the registry runs."""
    group = f"{registry}/{uuid.uuid4().hex}"
    invocation = built.invocation(built.service(image=Image(build=".")))
    recipe = recipe_for(invocation.service, invocation.folder, built.root, gpus=False, environ={})
    name = recipe.published(f"{group}/")
    assert re.fullmatch(re.escape(f"{group}/task:") + "[0-9a-f]{12}-t1", name)
    context = built.root.parent / "image"
    context.mkdir()
    (context / "Dockerfile").write_text(f"FROM {BUSYBOX_IMAGE}\nCOPY program.sh /opt/service/\n")
    shutil.copy(invocation.folder / "program.sh", context)
    for words in (["build", "-q", "-t", name, str(context)], ["push", "-q", name], ["rmi", name]):
        subprocess.run(["docker", *words], capture_output=True, check=True)
    (built.root / "swath.yaml").write_text(f"registry: {group}\n")
    built.runtime = DockerRuntime(os.environ)
    outcome, log = built.run(invocation)
    assert (outcome.exit_code, log) == (0, "/opt/service\nprogram.sh\n")
    subprocess.run(["docker", "rmi", "-f", name], capture_output=True, check=False)


def test_a_registry_that_does_not_have_it_is_no_reason_to_stop(built: Bench, registry: str) -> None:
    built.runtime = DockerRuntime({**os.environ, BASE_OVERRIDE: BUSYBOX_IMAGE, "CI_REGISTRY_IMAGE": f"{registry}/none"})
    outcome, _ = built.run(built.invocation(built.service(image=Image(build="."))))
    assert outcome.exit_code == 0
