"""The tool layer, made for real, in images that have neither Python nor Git nor a C library."""

from __future__ import annotations

import re
import subprocess
from importlib.metadata import version
from typing import TYPE_CHECKING

import pytest

from support.docker_engine import BUSYBOX_IMAGE, PYTHON_IMAGE
from support.small_project import small_project
from support.tool_layer import tool_layer_image
from swath.errors import UserError
from swath.images import tool_layer
from swath.images.tool_layer import make_tools, pinned

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.remote_server import RemoteServer
    from support.repositories import Bench

__all__ = ["tool_layer_image"]
REPOSITORY = "/builds/group/project"


def test_all_requirements_have_the_versions_that_run_here() -> None:
    found = dict(line.split("==") for line in pinned())
    assert found["dvc"] == version("dvc")
    assert found["click"] == version("click")
    assert not {"swath", "tensorflow", "tensorflow-cpu", "sentinelsat", "pytest", "mypy"} & set(found)


def test_remotes_add_their_packages() -> None:
    assert set(pinned(["oss"])) - set(pinned()) == {"dvc-oss"}  # not installed here: the newest
    assert f"dvc-ssh=={version('dvc-ssh')}" in pinned(["ssh"])


def test_an_old_python_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tool_layer, "check_programs", lambda: None)
    monkeypatch.setattr(tool_layer, "python_version", lambda: "3.9")
    with pytest.raises(UserError) as caught:
        make_tools(tmp_path / "tools", [], tmp_path)
    assert str(caught.value) == (
        "the tool layer needs Python 3.11 or later, and this host has packages of 3.9\n"
        "  run it on Debian 12 or Ubuntu 24.04, or later ones"
    )


@pytest.fixture(scope="module")
def images(tool_layer_image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Swath's own image, and bases of services with the tool layer, as this machine's engine names them."""
    found = {"swath": tool_layer_image}
    docker("pull", "-q", tool_layer_image)
    for name, base in (("busybox", BUSYBOX_IMAGE), ("python", PYTHON_IMAGE)):
        folder = tmp_path_factory.mktemp(name)
        (folder / "Dockerfile").write_text(f"FROM {base}\nCOPY --from={tool_layer_image} /opt/swath /opt/swath\n")
        found[name] = f"{tool_layer_image}-{name}"
        docker("build", "-q", "-t", found[name], str(folder))
    yield found
    docker("rmi", "-f", *found.values())


@pytest.fixture
def project(tmp_path: Path) -> Bench:
    """The small project, which everybody may write to; its remote is a folder."""
    (tmp_path / "remote").mkdir()
    bench = small_project(tmp_path / "project", "/srv/remote")
    bench.write({"data/file.txt": "content\n"})
    for folder in (tmp_path, tmp_path.parent):
        folder.chmod(0o755)
    subprocess.run(["chmod", "-R", "a+rwX", str(tmp_path / "project"), str(tmp_path / "remote")], check=True)
    return bench


def docker(*words: str) -> str:
    done = subprocess.run(["docker", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def run(bench: Bench, image: str, script: str, *options: str, network: str = "none") -> str:
    """Run a script in the project's folder in a container; `swath` and `dvc` are those of the layer."""
    where = ["--volume", f"{bench.root}:{REPOSITORY}", "--volume", f"{bench.root.parent}/remote:/srv/remote"]
    words = ["run", "--rm", f"--network={network}", *where, f"--workdir={REPOSITORY}", *options, image, "sh", "-ec"]
    return docker(*words, f"PATH=$PATH:/opt/swath/bin\n{script}")


ORDINARY = ("--read-only", "--tmpfs=/tmp", "--user=1234:1234")


@pytest.mark.docker
@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("options", [(), ORDINARY], ids=["root", "an ordinary user, nothing writable"])
@pytest.mark.parametrize("name", ["swath", "busybox", "python"])
def test_programs_run_in_any_image(images: dict[str, str], project: Bench, name: str, options: tuple[str, ...]) -> None:
    said = run(
        project, images[name], "swath --version; dvc --version; swath plan; dvc status -q || echo changed", *options
    )
    lines = said.splitlines()
    assert lines[:2] == [version("swath"), version("dvc")]
    assert lines[-2:] == ["8 to run", "changed"]


@pytest.mark.docker
@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", ["swath", "busybox"])
def test_data_go_to_a_remote_and_come_back(images: dict[str, str], project: Bench, name: str) -> None:
    script = "dvc add -q data/file.txt; dvc push -q data/file.txt.dvc; rm -rf data/file.txt .dvc/cache; dvc pull -q data/file.txt.dvc; cat data/file.txt"
    assert run(project, images[name], script, *ORDINARY) == "content\n"


@pytest.mark.docker
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_data_go_to_an_ssh_server(images: dict[str, str], project: Bench, remote_server: RemoteServer) -> None:
    project.command("dvc", "remote", "modify", "origin", "url", remote_server.url("tool-layer"))
    (project.root / ".dvc/config.local").write_text(remote_server.dvc_config())
    script = "dvc add -q data/file.txt; dvc push -q data/file.txt.dvc; rm -rf data/file.txt .dvc/cache; dvc pull -q data/file.txt.dvc; cat data/file.txt"
    assert run(project, images["busybox"], script, *ORDINARY, network="host") == "content\n"


@pytest.mark.docker
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_git_of_the_layer_trusts_the_runners_checkout(images: dict[str, str], project: Bench) -> None:
    subprocess.run(["chown", "-R", "4321:4321", str(project.root)], check=True)
    said = run(
        project, images["busybox"], "swath plan | tail -n 1; PATH=$PATH:/opt/swath/libexec git log -1 --format=%s"
    )
    assert said == "8 to run\nProject\n"


@pytest.mark.docker
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_nothing_of_the_layer_reaches_other_programs(images: dict[str, str], project: Bench) -> None:
    project.write(
        {
            "dvc.yaml": {
                "stages": {
                    "look": {
                        "cmd": "env >seen; python3 -c 'import sys; print(sys.prefix)' >python",
                        "outs": ["seen", "python"],
                    }
                }
            }
        }
    )
    said = run(project, images["python"], "swath run -q; cat python; cut -d= -f1 seen")
    prefix, *names = said.splitlines()
    assert prefix == "/usr"
    assert not [name for name in names if re.match(r"PYTHON|LD_|GIT_EXEC|GIT_TEMPLATE", name)]
