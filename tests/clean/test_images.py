"""`clean/images.py`: which images of an engine go; none is removed here, since others use the same engine."""

from __future__ import annotations

from swath.clean.environments import OldThing
from swath.clean.images import old_images


def test_old_images_of_ours_go_that_no_service_has_now() -> None:
    def image(created: float | None, *names: str) -> dict[str, object]:
        return {"Created": created, "Size": 5, "RepoTags": list(names)}

    images = [
        image(99, "swath/train:old", "swath/train:now", "registry.invalid/train:old"),
        image(100, "swath/train:young"),
        image(None, "swath/train:unknown"),
        image(1),
        {"Created": 1, "RepoTags": None},
    ]
    assert old_images(images, {"swath/train:now"}, 100) == [OldThing("swath/train:old", 5)]
