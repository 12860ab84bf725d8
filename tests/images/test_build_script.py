"""Build jobs: their scripts run in real shells, with real engines and a real registry where those are to be had."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import pytest

from images.conftest import GREETING, git
from support.docker_engine import BUSYBOX_IMAGE
from swath.execute.build import buildkit_command
from swath.images.build_script import build_job, build_script
from swath.images.reference import further_tags
from swath.images.registry import missing_images, present_references
from swath.images.service_image import ServiceImage, service_image
from swath.load.services import load_service
from swath.model.service import Image, Service
from swath.model.settings import Builder, Settings

if TYPE_CHECKING:
    pass

BUILDERS: tuple[Builder, ...] = get_args(Builder)
SHELLS = [words for words in (["dash"], ["bash"], ["busybox", "sh"]) if shutil.which(words[0])]
# What stands in for BuildKit's client: writes down its words, and what it was given.
RECORDER = """#!/bin/sh
out=$RECORDED; mkdir -p "$out"
for word; do printf '%s\\0' "$word"; done >"$out/words"
for word; do
  case $word in
    context=*) cp -RPp "${word#context=}" "$out/context" ;;
    dockerfile=*) cp "${word#dockerfile=}/Dockerfile" "$out/Dockerfile" ;;
  esac
done
[ -z "$DOCKER_CONFIG" ] || cp "$DOCKER_CONFIG/config.json" "$out/config.json"
[ -z "$FAILS" ] || [ -e "$out/failed" ] || { touch "$out/failed"; exit 1; }
"""


@pytest.fixture
def recorder(tmp_path: Path) -> dict[str, str]:
    """Variables for a script whose BuildKit writes down what it is told into $RECORDED."""
    program = tmp_path / "bin/buildctl-daemonless.sh"
    program.parent.mkdir()
    program.write_text(RECORDER)
    program.chmod(0o755)
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    return {
        "PATH": f"{program.parent}:{os.environ['PATH']}",
        "RECORDED": str(tmp_path / "recorded"),
        "HOME": str(tmp_path),
        "TMPDIR": str(temporary),
        "CI_REGISTRY_IMAGE": "registry.example.com/group/project",
        "SWATH_PAUSE": "0",
    }


def run(script: tuple[str, ...], root: Path, variables: dict[str, str], shell: list[str] | None = None) -> str:
    """Run a script as GitLab does: all parts in one shell that stops at the first error; returns what it says."""
    words = [*(shell or ["sh"]), "-c", "\n".join(["set -e", *script])]
    done = subprocess.run(words, cwd=root, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def task(root: Path, *, gpus: bool = False, registry: str = "$CI_REGISTRY_IMAGE", **environ: str) -> ServiceImage:
    service = load_service(root, "task")
    return service_image(service, root, Settings(registry=registry), gpus=gpus, environ=environ)


def public(reference: str, registry: str = "$CI_REGISTRY_IMAGE") -> ServiceImage:
    service = Service(
        name="public", kind="processing", description="", entrypoint=["sh"], image=Image(reference=reference)
    )
    return service_image(service, Path("/nonexistent"), Settings(registry=registry), gpus=False)


def recorded(variables: dict[str, str]) -> list[str]:
    return Path(variables["RECORDED"], "words").read_text().split("\0")[:-1]


@pytest.mark.parametrize("builder", BUILDERS)
@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
def test_every_script_is_one_for_every_shell(root: Path, builder: Builder, shell: list[str]) -> None:
    for image in (task(root), public("base:1")):
        subprocess.run([*shell, "-n", "-c", "\n".join(build_script(image, builder))], check=True)


@pytest.mark.parametrize("builder", BUILDERS)
def test_the_jobs_keywords(root: Path, builder: Builder) -> None:
    job = build_job(task(root), Settings(builder=builder))
    assert job.image == "$SWATH_BUILDER_IMAGE"
    assert job.entrypoint == ("",)
    assert job.variables["SWATH_BUILDER_IMAGE"]
    assert job.variables["GIT_DEPTH"] == "1"
    assert job.needs_privileged is (builder == "dind")
    assert job.needs_socket is (builder == "docker")
    assert job.services == ((("$SWATH_DIND_IMAGE", "docker"),) if builder == "dind" else ())


def test_a_public_image_needs_no_checkout() -> None:
    assert build_job(public("base:1"), Settings()).variables["GIT_STRATEGY"] == "none"


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
def test_what_buildkit_is_told(root: Path, recorder: dict[str, str], shell: list[str]) -> None:
    image = task(root, SWATH_BUILD_ARG_BASE="it's $HOME;x")
    run(build_script(image, "buildkit"), root, recorder, shell)
    name = "registry.example.com/group/project/task"
    words = recorded(recorder)
    assert words[:5] == ["build", "--progress", "plain", "--frontend", "dockerfile.v0"]
    assert [word for word in words if not word.startswith(("context=", "dockerfile=", "--local"))][5:] == [
        "--opt", "label:swath.service=task",
        "--opt", f"label:swath.tag={image.tag}",
        "--opt", "build-arg:BASE=it's $HOME;x",
        "--opt", f"build-arg:GREETING={GREETING}",
        "--import-cache", f"type=registry,ref={name}:build_cache",
        "--export-cache", f"type=registry,ref={name}:build_cache,mode=max,ignore-error=true",
        "--output", f'type=image,push=true,"name={name}:{image.tag}"',
    ]  # fmt: skip
    dockerfile = Path(recorder["RECORDED"], "Dockerfile").read_text()
    tools = image.tool_layer.rpartition("/")[2]
    start, rest = re.fullmatch(r"(?s)(.*FROM [^\n]*\n)(.*)", (root / "services/task/Dockerfile").read_text()).groups()  # type: ignore[union-attr]
    copy = f"\nCOPY --link --from=registry.example.com/group/project/{tools} /opt/swath /opt/swath\n"
    assert dockerfile == start + copy + rest
    assert not list(root.rglob("pwned"))


def test_a_dockerfile_with_a_frontend_of_its_own(root: Path, recorder: dict[str, str]) -> None:
    file = root / "services/task/Dockerfile"
    file.write_text("# Syntax = docker/dockerfile:1.2\n" + file.read_text())
    run(build_script(task(root), "buildkit"), root, recorder)
    assert "\nCOPY  --from=registry" in Path(recorder["RECORDED"], "Dockerfile").read_text()


@pytest.mark.parametrize("modes", ["as they are", "777", "600"])
def test_the_context_is_what_the_tag_names_whatever_the_modes(root: Path, recorder: dict[str, str], modes: str) -> None:
    if modes != "as they are":
        for path in (root / "services").rglob("*"):
            if not path.is_symlink():
                path.chmod(0o777 if path.is_dir() else int(modes, 8))
    image = task(root)
    run(build_script(image, "buildkit"), root, recorder)
    context = Path(recorder["RECORDED"], "context")
    found = {
        path.relative_to(context).as_posix(): (path.lstat().st_mode & 0o777, int(path.lstat().st_mtime))
        for path in context.rglob("*") if not path.is_symlink()
    }  # fmt: skip
    assert found == {
        name: (0o755 if name in {"run.sh", "lib", "lib/tests"} else 0o644, 0)
        for name in (
            "-rf", "Dockerfile", "Dockerfile.gpu", "lib", "lib/a $(touch pwned) 'b'.txt", "lib/tests", "lib/tests/kept.txt",
            "run.sh", "service.yaml",
        )
    }  # fmt: skip
    assert os.readlink(context / "link") == "run.sh"
    expected = git(root, "rev-parse", "HEAD:services/task")
    git(context, "init", "-q")
    git(context, "add", "-A", "-f")
    assert git(context, "write-tree")[:12] == image.tag[:12] != expected[:12]


def test_branch_and_release_tags(root: Path, recorder: dict[str, str]) -> None:
    image = task(root, gpus=True)
    variables = recorder | {"CI_COMMIT_REF_SLUG": "my-branch", "CI_COMMIT_TAG": "v1.0+$(id)/x"}
    run(build_script(image, "buildkit"), root, variables)
    name = "registry.example.com/group/project/task.gpu"
    assert recorded(variables)[-1] == (
        f'type=image,push=true,"name={name}:v1.0---id--x,{name}:my-branch,{name}:{image.tag}"'
    )


@pytest.mark.parametrize(
    "variables",
    [
        {"CI_COMMIT_REF_SLUG": "a-b", "CI_COMMIT_TAG": "rel/1.0+x é" + "y" * 200},
        {"CI_COMMIT_REF_SLUG": "0123456789ab-t1"},
        {"CI_COMMIT_REF_SLUG": "v1-0", "CI_COMMIT_TAG": "-v1.0"},
        {"CI_COMMIT_REF_SLUG": "v1", "CI_COMMIT_TAG": "v1"},
        {},
    ],
)
def test_further_tags_are_those_of_the_script(root: Path, recorder: dict[str, str], variables: dict[str, str]) -> None:
    image = task(root)
    run(build_script(image, "buildkit"), root, recorder | variables | {"LC_ALL": "C"})
    names = recorded(recorder)[-1].partition('"name=')[2].rstrip('"').split(",")
    assert {name.rpartition(":")[2] for name in names} - {image.tag} == set(further_tags(variables))


@pytest.mark.parametrize("slug", ["0123456789ab-t1", "", "0123456789ab-t1-a01234567"])
def test_no_branch_takes_the_place_of_contents(root: Path, recorder: dict[str, str], slug: str) -> None:
    image = task(root)
    run(build_script(image, "buildkit"), root, recorder | {"CI_COMMIT_REF_SLUG": slug})
    assert recorded(recorder)[-1].endswith(f'"name=registry.example.com/group/project/task:{image.tag}"')


def test_a_public_image_is_wrapped(tmp_path: Path, recorder: dict[str, str]) -> None:
    image = public(f"tensorflow/tensorflow:2.21.0@sha256:{'ab' * 32}")
    run(build_script(image, "buildkit"), tmp_path, recorder)
    assert Path(recorder["RECORDED"], "Dockerfile").read_text() == (
        f"FROM tensorflow/tensorflow@sha256:{'ab' * 32}\n\n"
        f"COPY --link --from=registry.example.com/group/project/{image.tool_layer.rpartition('/')[2]} /opt/swath /opt/swath\n"
    )
    assert image.tag == "abababababab-t1"
    assert list(Path(recorder["RECORDED"], "context").iterdir()) == []


AUTH = {"auth": "dTpwOiQnIlw="}  # u:p:$'"\
OWN = {"CI_REGISTRY": "registry.example.com:5050", "CI_REGISTRY_USER": "u", "CI_REGISTRY_PASSWORD": "p:$'\"\\"}
PROXY = {
    "CI_DEPENDENCY_PROXY_SERVER": "proxy",
    "CI_DEPENDENCY_PROXY_USER": "u",
    "CI_DEPENDENCY_PROXY_PASSWORD": "p:$'\"\\",
}
FURTHER = '{\n "credHelpers": {"x": "y"}, "auths" : {"other": {"auth": "eA=="}}\n}'


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        (OWN, {"auths": {"registry.example.com:5050": AUTH}}),
        (OWN | PROXY, {"auths": {"registry.example.com:5050": AUTH, "proxy": AUTH}}),
        ({"DOCKER_AUTH_CONFIG": FURTHER}, json.loads(FURTHER)),
        (
            OWN | {"DOCKER_AUTH_CONFIG": FURTHER},
            {"credHelpers": {"x": "y"}, "auths": {"registry.example.com:5050": AUTH, "other": {"auth": "eA=="}}},
        ),
        (OWN | {"DOCKER_AUTH_CONFIG": '{"auths": {}}'}, {"auths": {"registry.example.com:5050": AUTH}}),
        (OWN | {"DOCKER_AUTH_CONFIG": "{}"}, {"auths": {"registry.example.com:5050": AUTH}}),
    ],
    ids=["own", "proxy", "further", "own and further", "own and none", "own and nothing"],
)
def test_who_we_are(
    root: Path, recorder: dict[str, str], shell: list[str], variables: dict[str, str], expected: object
) -> None:
    said = run(build_script(task(root), "buildkit"), root, recorder | variables, shell)
    assert json.loads(Path(recorder["RECORDED"], "config.json").read_text()) == expected
    assert AUTH["auth"] not in said
    assert list(Path(recorder["TMPDIR"]).iterdir()) == []


def test_a_user_of_the_machine_keeps_their_own_login(root: Path, recorder: dict[str, str]) -> None:
    run(build_script(task(root), "buildkit"), root, recorder)
    assert not Path(recorder["RECORDED"], "config.json").exists()


def test_a_build_is_tried_twice(root: Path, recorder: dict[str, str]) -> None:
    said = run(build_script(task(root), "buildkit"), root, recorder | {"FAILS": "1"})
    assert said == "swath: once more in 10 s\n"


def test_a_registry_without_tls(root: Path, recorder: dict[str, str]) -> None:
    variables = recorder | {"SWATH_INSECURE_REGISTRIES": "other,registry.example.com"}
    image = task(root)
    run(build_script(image, "buildkit"), root, variables)
    name = "registry.example.com/group/project/task"
    assert recorded(variables)[-1] == f'type=image,push=true,"name={name}:{image.tag}",registry.insecure=true'
    settings = Path(recorder["HOME"], ".config/buildkit/buildkitd.toml").read_text()
    assert settings == '[registry."registry.example.com"]\n  http = true\n'


@pytest.fixture(params=["docker", "docker without BuildKit", "buildah"])
def builder(request: pytest.FixtureRequest, tmp_path: Path, real: dict[str, str]) -> Builder:
    """Builders that run here; BuildKit itself is in no package, only the engine's own."""
    if shutil.which(request.param.split()[0]) is None or (request.param == "buildah" and os.geteuid() != 0):
        pytest.skip(f"no Docker engine beside which {request.param} runs")
    if request.param.startswith("docker"):
        client = buildkit_command(os.environ["PATH"]) if request.param == "docker" else legacy_client()
        if client is None:
            pytest.skip(f"no client for {request.param}")
        (tmp_path / "clients").mkdir()
        (tmp_path / "clients/docker").symlink_to(client)
        real["PATH"] = f"{tmp_path}/clients:{real['PATH']}"
        return "docker"
    (tmp_path / "storage.conf").write_text(
        f'[storage]\ndriver = "vfs"\nrunroot = "{tmp_path}/run"\ngraphroot = "{tmp_path}/graph"\n'
    )
    return "buildah"


def legacy_client() -> str | None:
    """A docker command that cannot build with BuildKit; None: there is none."""
    for folder in os.environ["PATH"].split(":"):
        command = shutil.which("docker", path=folder)
        if command and buildkit_command(folder) is None:
            return command
    return None


def said_by(reference: str, *words: str) -> str:
    """What a program says in a container of an image that is pulled from the registry."""
    subprocess.run(["docker", "pull", "-q", reference], check=True, capture_output=True)
    try:
        done = subprocess.run(
            ["docker", "run", "--rm", "--network=none", reference, *words], capture_output=True, text=True, check=True
        )
    finally:
        subprocess.run(["docker", "rmi", "-f", reference], check=False, capture_output=True)
    return done.stdout


@pytest.mark.docker
def test_the_script_needs_no_more_than_busybox(root: Path, recorder: dict[str, str], tmp_path: Path) -> None:
    image = task(root, gpus=True)
    (tmp_path / "script").write_text("\n".join(build_script(image, "buildkit")))
    variables = recorder | OWN | {"PATH": f"{tmp_path}/bin:/bin", "CI_COMMIT_TAG": "v1", "DOCKER_AUTH_CONFIG": FURTHER}
    words = [word for name, value in variables.items() for word in ("--env", f"{name}={value}")]
    words += ["--volume", f"{tmp_path}:{tmp_path}", "--workdir", str(root), "--user", f"{os.getuid()}:{os.getgid()}"]
    done = subprocess.run(
        ["docker", "run", "--rm", "--network=none", *words, BUSYBOX_IMAGE, "sh", str(tmp_path / "script")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    name = "registry.example.com/group/project/task.gpu"
    assert recorded(recorder)[-1] == f'type=image,push=true,"name={name}:v1,{name}:{image.tag}"'
    context = Path(recorder["RECORDED"], "context")
    assert {int(path.stat().st_mtime) for path in context.rglob("*")} == {0}
    assert set(json.loads(Path(recorder["RECORDED"], "config.json").read_text())["auths"]) == {
        OWN["CI_REGISTRY"],
        "other",
    }


@pytest.mark.docker
@pytest.mark.slow
def test_an_image_is_built_with_the_tool_layer_and_pushed(root: Path, real: dict[str, str], builder: Builder) -> None:
    image = task(root, SWATH_BUILD_ARG_BASE=real["BASE"])
    assert missing_images([image], real) == {image.reference}
    run(build_script(image, builder), root, real)
    assert missing_images([image], real) == frozenset()
    assert present_references([f"{image.repository}:main"], real)
    reference = image.reference.replace("$CI_REGISTRY_IMAGE", real["CI_REGISTRY_IMAGE"])
    said = said_by(
        reference, "sh", "-c", "/opt/service/run.sh; echo; /opt/swath/bin/swath; ls -a /opt/service /opt/service/lib"
    )
    assert said == (
        f"{GREETING}\nthe tool layer\n"
        "/opt/service:\n-rf\n.\n..\nDockerfile\nDockerfile.gpu\nlib\nlink\nrun.sh\nservice.yaml\n\n"
        "/opt/service/lib:\n.\n..\na $(touch pwned) 'b'.txt\ntests\n"
    )
    assert not list(root.rglob("pwned"))


@pytest.mark.docker
@pytest.mark.slow
def test_a_public_image_gets_the_tool_layer(tmp_path: Path, real: dict[str, str], builder: Builder) -> None:
    subprocess.run(["docker", "pull", "-q", real["BASE"]], check=True, capture_output=True)
    listed = ["docker", "image", "inspect", "--format", "{{json .RepoDigests}}", real["BASE"]]
    digests = json.loads(subprocess.run(listed, check=True, capture_output=True, text=True).stdout)
    digest = next(name for name in digests if name.startswith(real["CI_REGISTRY"])).partition("@")[2]
    image = public(f"{real['BASE']}@{digest}")
    run(build_script(image, builder), tmp_path, real)
    reference = image.reference.replace("$CI_REGISTRY_IMAGE", real["CI_REGISTRY_IMAGE"])
    assert said_by(reference, "/opt/swath/bin/swath") == "the tool layer\n"


@pytest.mark.docker
@pytest.mark.slow
def test_what_another_pipeline_has_built_is_not_built_again(root: Path, real: dict[str, str]) -> None:
    image = task(root, SWATH_BUILD_ARG_BASE=real["BASE"])
    run(build_script(image, "docker"), root, real)
    said = run(build_script(image, "dind"), root, real)
    reference = image.reference.replace("$CI_REGISTRY_IMAGE", real["CI_REGISTRY_IMAGE"])
    assert said == f"{reference} is there already\n"
