from __future__ import annotations

import pytest

from swath.execute.services import _with_registry


@pytest.mark.parametrize(
    ("registry", "variables", "known"),
    [
        ("$CI_REGISTRY_IMAGE", {"CI_REGISTRY_IMAGE": "r.example.com/a"}, "r.example.com/a"),
        ("${CI_REGISTRY}/x", {"CI_REGISTRY": "r"}, "r/x"),
        ("$CI_REGISTRY_IMAGE", {}, None),
        ("$CI_REGISTRY_IMAGE", {"CI_REGISTRY_IMAGE": ""}, None),
        ("r.example.com/a", {"SWATH_REGISTRY": "mine"}, "mine"),
    ],
)
def test_the_registry_of_a_pipelines_images(registry: str, variables: dict[str, str], known: str | None) -> None:
    assert _with_registry(registry, variables).get("SWATH_REGISTRY") == known
