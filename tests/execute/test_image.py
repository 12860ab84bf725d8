"""Recipes: what goes into an image, and when its tag changes."""

from __future__ import annotations

import io
import re
import tarfile
from typing import TYPE_CHECKING

import pytest

from swath.errors import UserError
from swath.execute.image import Recipe, declared_args, recipe_for, repository_name, write_context
from swath.load.content_tag import content_tag
from swath.model.service import Image, ImageVariant, Service

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository with a service that has an image for CPUs and one for GPUs."""
    files = {
        "Dockerfile": "ARG BASE=python:3.11-slim\nFROM ${BASE}\nCOPY . .\n",
        "Dockerfile.gpu": "ARG BASE=cuda\nARG OTHER\nFROM ${BASE}\n",
        "program.py": "print(1)\n",
        "lib/more.py": "",
        "tests/test_it.py": "",
        "README.md": "",
        "__pycache__/x.pyc": "",
        "notes.tmp": "",
    }
    for name, text in files.items():
        path = tmp_path / "services/task" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / ".dvcignore").write_text("# ours\n*.tmp\nservices/*/tests\nservices/*/README*\n__pycache__\n")
    return tmp_path


def recipe(root: Path, image: Image | None = None, *, gpus: bool = False, **environ: str) -> Recipe:
    """The recipe of the service with this image."""
    variants = {"gpu": ImageVariant(dockerfile="Dockerfile.gpu", build_args={"OTHER": "1"}, gpus=True)}
    image = image or Image(build=".", variants=variants)
    service = Service(
        name="my_task", kind="processing", description="", entrypoint=["python", "program.py"], image=image
    )
    return recipe_for(service, root / "services/task", root, gpus=gpus, environ=environ)


def test_ignored_files_are_no_part(root: Path) -> None:
    assert [file.path for file in recipe(root).files] == ["Dockerfile", "Dockerfile.gpu", "lib/more.py", "program.py"]


def test_the_tag_is_the_services_name_and_its_content(root: Path) -> None:
    assert recipe(root).tag == f"swath/my_task:{content_tag(root / 'services/task', root, tool_layer=0)}"


def test_only_arguments_that_service_yaml_does_not_say_count_beside_the_content(root: Path) -> None:
    image = Image(build=".", build_args={"BASE": "said:1"})
    plain = recipe(root, image).tag
    assert recipe(root, image, SWATH_BUILD_ARG_BASE="said:1").tag == plain
    assert re.fullmatch(f"{plain}-a[0-9a-f]{{8}}", recipe(root, image, SWATH_BUILD_ARG_BASE="other:1").tag)


@pytest.mark.parametrize(
    ("service", "variant", "name"),
    [
        ("train", "", "train"),
        ("train", "gpu", "train.gpu"),
        ("a_b-c", "", "a_b-c"),
        ("a_-b", "", "a.ud.b"),
        ("a-", "x", "a.d.x"),
    ],
)
def test_repository_names(service: str, variant: str, name: str) -> None:
    assert repository_name(service, variant) == name


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "program.py").write_text("print(2)\n"),
        lambda folder: (folder / "program.py").chmod(0o755),
        lambda folder: (folder / "lib/more.py").rename(folder / "more.py"),
        lambda folder: (folder / "link").symlink_to("program.py"),
    ],
    ids=["content", "mode", "name", "link"],
)
def test_the_tag_changes_with_the_content(root: Path, change: Callable[[Path], object]) -> None:
    before = recipe(root).tag
    change(root / "services/task")
    assert recipe(root).tag != before


def test_the_tag_stays_when_what_is_ignored_changes(root: Path) -> None:
    before = recipe(root).tag
    for name in ("tests/test_it.py", "README.md", "notes.tmp"):
        (root / "services/task" / name).write_text("changed")
    (root / "services/task/program.py").touch()
    assert recipe(root).tag == before


def test_a_build_argument_is_overridden_by_the_environment(root: Path) -> None:
    changed = recipe(root, SWATH_BUILD_ARG_BASE="local:1", SWATH_BUILD_ARG_UNKNOWN="x")
    assert changed.build_args == {"BASE": "local:1"}
    assert changed.tag != recipe(root).tag


def test_the_gpu_variant(root: Path) -> None:
    chosen = recipe(root, gpus=True)
    assert (chosen.variant, chosen.dockerfile, chosen.build_args) == ("gpu", "Dockerfile.gpu", {"OTHER": "1"})
    assert chosen.tag == recipe(root).tag.replace("swath/my_task", "swath/my_task.gpu")


def test_a_service_without_a_gpu_variant_has_one_image(root: Path) -> None:
    assert recipe(root, Image(build="."), gpus=True) == recipe(root, Image(build="."))


def test_the_context_is_the_same_whatever_the_modes_and_times(root: Path) -> None:
    def context() -> bytes:
        file = io.BytesIO()
        write_context(recipe(root), file)
        return file.getvalue()

    before = context()
    (root / "services/task/lib/more.py").chmod(0o600)
    (root / "services/task/program.py").touch()
    assert context() == before
    with tarfile.open(fileobj=io.BytesIO(before)) as archive:
        assert {(entry.mode, entry.uid, entry.mtime) for entry in archive} == {(0o644, 0, 0)}


def test_declared_args() -> None:
    assert declared_args("ARG A=1 B\nFROM x\n  arg C\n# ARG D\nARG A\n") == ("A", "B", "C")


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (Image(build="nowhere"), "build: nowhere is no folder inside the service's"),
        (Image(build=".."), "build: .. is no folder inside the service's"),
        (Image(build=".", dockerfile="None"), "there is no None to build the image from"),
        (Image(build="lib"), "there is no Dockerfile to build the image from"),
    ],
)
def test_what_cannot_be_built(root: Path, image: Image, message: str) -> None:
    with pytest.raises(UserError) as caught:
        recipe(root, image)
    assert str(caught.value) == f"services/my_task/service.yaml: image: {message}"
