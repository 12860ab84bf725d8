from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest

from support.token_registry import token_registry
from swath.errors import UserError
from swath.images.push import push_image
from swath.images.service_image import service_image, swath_image
from swath.load.services import load_service
from swath.model.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

    from swath.images.service_image import ServiceImage


def task(root: Path, **environ: str) -> ServiceImage:
    return service_image(load_service(root, "task"), root, Settings(), gpus=False, environ=environ)


def test_swaths_own_image_must_be_there(root: Path) -> None:
    with token_registry() as registry:
        registry.challenge = ""
        variables = {"CI_REGISTRY_IMAGE": f"{registry.address}/x"}
        with pytest.raises(UserError) as caught:
            push_image(task(root), root, variables, io.BytesIO())
    name = swath_image(Settings()).replace("$CI_REGISTRY_IMAGE", f"{registry.address}/x")
    assert str(caught.value) == (
        f"{name}, which the tool layer comes from, is not in the registry\n  push it first: swath image push"
    )


def test_what_is_there_is_not_built(root: Path) -> None:
    with token_registry() as registry:
        registry.challenge = ""
        registry.images[f"x/task:{task(root).tag}"] = b"{}"
        variables = {"CI_REGISTRY_IMAGE": f"{registry.address}/x"}
        assert push_image(task(root), root, variables, io.BytesIO()) == f"{registry.address}/x/task:{task(root).tag}"


@pytest.mark.docker
@pytest.mark.slow
def test_an_image_is_built_and_pushed(root: Path, real: dict[str, str], tmp_path: Path) -> None:
    image = task(root, SWATH_BUILD_ARG_BASE=real["BASE"])
    with (tmp_path / "log").open("wb") as log:
        address = push_image(image, root, real, log)
        assert address == f"{real['CI_REGISTRY_IMAGE']}/task:{image.tag}"
        assert push_image(image, root, real, log) == address


@pytest.mark.docker
@pytest.mark.slow
def test_a_build_that_fails(root: Path, real: dict[str, str], tmp_path: Path) -> None:
    image = task(root, SWATH_BUILD_ARG_BASE=f"{real['BASE']}-gone")
    with (tmp_path / "log").open("wb") as log, pytest.raises(UserError, match="could not be built and pushed"):
        push_image(image, root, real, log)
