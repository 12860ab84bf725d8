from __future__ import annotations

import os
from importlib.metadata import version
from pathlib import Path

import pytest

from images.conftest import git
from swath.errors import UserError
from swath.images.service_image import default_image, left_out, service_image, swath_image
from swath.load.content_tag import content_tag
from swath.load.services import load_service
from swath.model.service import Image, ImageVariant, Service
from swath.model.settings import Settings

DIGEST = "0123456789abcdef" * 4


def service(name: str = "task", image: Image | None = None) -> Service:
    return Service(name=name, kind="processing", description="", entrypoint=["sh"], image=image)


def test_a_built_image(root: Path) -> None:
    image = service_image(load_service(root, "task"), root, Settings(), gpus=False)
    assert image.reference == f"$CI_REGISTRY_IMAGE/task:{content_tag(root / 'services/task', root)}"
    assert (image.service, image.variant, image.build) == ("task", "", True)
    assert (image.context, image.dockerfile, image.programs) == ("services/task", "Dockerfile", ("run.sh",))
    assert image.left_out == ("README $(touch pwned).md", "tests")
    assert image.tool_layer == f"$CI_REGISTRY_IMAGE/swath:{version('swath')}"


def test_a_variant_has_its_own_repository(root: Path) -> None:
    plain, gpu = (service_image(load_service(root, "task"), root, Settings(), gpus=gpus) for gpus in (False, True))
    assert (gpu.repository, gpu.variant, gpu.dockerfile) == ("$CI_REGISTRY_IMAGE/task.gpu", "gpu", "Dockerfile.gpu")
    assert gpu.tag == plain.tag


def test_a_changed_argument_changes_the_tag(root: Path) -> None:
    one = load_service(root, "task")
    plain = service_image(one, root, Settings(), gpus=False)
    changed = service_image(one, root, Settings(), gpus=False, environ={"SWATH_BUILD_ARG_BASE": "mirror/base:1"})
    assert changed.tag.startswith(f"{plain.tag}-a")
    assert dict(changed.build_args)["BASE"] == "mirror/base:1"


def test_what_is_ignored_changes_nothing(root: Path) -> None:
    before = service_image(load_service(root, "task"), root, Settings(), gpus=False)
    (root / "services/task/__pycache__").mkdir()
    (root / "services/task/__pycache__/x.pyc").touch()
    (root / "services/task/run.log").touch()
    assert service_image(load_service(root, "task"), root, Settings(), gpus=False) == before


def test_a_public_image_is_named_by_its_digest() -> None:
    one = service(image=Image(reference=f"tensorflow/tensorflow:2.21.0@sha256:{DIGEST}"))
    image = service_image(one, Path("/nonexistent"), Settings(registry="registry.example.com/x/"), gpus=True)
    assert image.reference == "registry.example.com/x/task:0123456789ab-t1"
    assert (image.build, image.base) == (False, f"tensorflow/tensorflow:2.21.0@sha256:{DIGEST}")


def test_a_public_image_for_gpus_is_another_one() -> None:
    gpu = ImageVariant(reference=f"x/gpu@sha256:{DIGEST[::-1]}", gpus=True)
    one = service(image=Image(reference=f"x/cpu@sha256:{DIGEST}", variants={"gpu": gpu}))
    image = service_image(one, Path("/nonexistent"), Settings(), gpus=True)
    assert image.reference == "$CI_REGISTRY_IMAGE/task.gpu:fedcba987654-t1"
    assert (image.variant, image.base) == ("gpu", gpu.reference)
    assert service_image(one, Path("/nonexistent"), Settings(), gpus=False).variant == ""


def test_the_image_of_stages_without_a_service() -> None:
    assert default_image(Settings()) is None
    image = default_image(Settings(default_image="debian:12"))
    other = default_image(Settings(default_image="debian:13"))
    assert image is not None
    assert other is not None
    assert (image.repository, image.base, image.service) == ("$CI_REGISTRY_IMAGE/default.image", "debian:12", "")
    assert image.tag != other.tag


@pytest.mark.parametrize(
    ("one", "message"),
    [
        (
            service(),
            "the service task has no image\n  write `image: {build: .}` and a Dockerfile; in CI each job runs in its service's image",
        ),
        (
            service("swath", Image(build=".")),
            "the name swath is taken in the registry by Swath's own image\n  give the service another name",
        ),
    ],
)
def test_services_without_an_image_of_their_own(one: Service, message: str) -> None:
    with pytest.raises(UserError) as caught:
        service_image(one, Path("/nonexistent"), Settings(), gpus=False)
    assert str(caught.value) == f"services/{one.name}/service.yaml: image: {message}"


def test_swaths_own_image() -> None:
    assert swath_image(Settings(registry="r.example.com/x")) == f"r.example.com/x/swath:{version('swath')}"


def test_left_out() -> None:
    files = ["a/b/c", "a/b/d", "a/e", "f", "g/h", "g/i/j"]
    assert left_out(files, {"a/e", "g/h"}) == ("a/b", "f", "g/i")
    assert left_out(files, set(files)) == ()


def test_a_context_below_the_service(root: Path) -> None:
    folder = root / "services/task"
    (folder / "image").mkdir()
    os.rename(folder / "Dockerfile", folder / "image/Dockerfile")
    (folder / "image/tests").mkdir()
    (folder / "image/tests/x").touch()
    (root / ".dvcignore").write_text("tests\n")
    git(root, "add", "-A")
    one = service("task", Image(build="image", dockerfile="image/Dockerfile"))
    image = service_image(one, root, Settings(), gpus=False)
    assert (image.context, image.dockerfile, image.left_out) == ("services/task/image", "Dockerfile", ("tests",))
