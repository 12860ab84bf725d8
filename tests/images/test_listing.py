from __future__ import annotations

from typing import TYPE_CHECKING

from support.token_registry import token_registry
from swath.images.listing import image_states, repository_images
from swath.load.services import load_services
from swath.model.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

NONE = "name: none\nkind: processing\ndescription: d\nentrypoint: [sh]\nprocess: {}\n"


def test_all_images_and_where_they_are(root: Path) -> None:
    (root / "services/none").mkdir()
    (root / "services/none/service.yaml").write_text(NONE)
    services = load_services(root).values()
    images = repository_images(services, root, Settings(default_image="debian:12"), {})
    assert [(image.service, image.variant) for image in images] == [("task", ""), ("task", "gpu"), ("", "")]
    with token_registry() as registry:
        registry.challenge = ""
        registry.images[f"x/task.gpu:{images[1].tag}"] = b"{}"
        variables = {"CI_REGISTRY_IMAGE": f"{registry.address}/x"}
        states = image_states(images, variables)
    assert [state.is_present for state in states] == [False, True, False]
    assert states[0].address == f"{variables['CI_REGISTRY_IMAGE']}/task:{images[0].tag}"


def test_a_changed_argument_is_another_image(root: Path) -> None:
    services = load_services(root).values()
    plain = repository_images(services, root, Settings(), {})
    changed = repository_images(services, root, Settings(), {"SWATH_BUILD_ARG_BASE": "x"})
    assert not {image.reference for image in plain} & {image.reference for image in changed}
