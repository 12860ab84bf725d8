"""Look-ups in registries: a real one, and one on the loopback that wants tokens and fails as told."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from support.docker_engine import BUSYBOX_IMAGE
from support.token_registry import PASSWORD, TOKEN, USER, TokenRegistry, token_registry
from swath.errors import PassingFaultError, UserError
from swath.images.registry import (
    Patience,
    add_tags,
    is_loopback,
    missing_images,
    name_images,
    present_references,
    push_image_parts,
)
from swath.images.service_image import ServiceImage
from swath.images.swath_image import Blob, BuiltImage

if TYPE_CHECKING:
    from collections.abc import Iterator

QUICK = Patience(pauses_s=(0.01, 0.01), connect_s=1, read_s=0.3)


@pytest.fixture
def server() -> Iterator[TokenRegistry]:
    with token_registry() as registry:
        registry.images = {"group/project/crop:1a2b-t1": b"{}", "group/project/train.gpu:3c4d-t1": b"{}"}
        yield registry


def environ(server: TokenRegistry, **others: str) -> dict[str, str]:
    return {
        "CI_REGISTRY": server.address,
        "CI_REGISTRY_IMAGE": f"{server.address}/group/project",
        "CI_REGISTRY_USER": USER,
        "CI_REGISTRY_PASSWORD": PASSWORD,
        "HOME": "/nonexistent",
        **others,
    }


def image(name: str, tag: str) -> ServiceImage:
    return ServiceImage(
        service=name, variant="", repository=f"$CI_REGISTRY_IMAGE/{name}", tag=tag, build=True, tool_layer=""
    )


CROP, TRAIN, SPLIT = image("crop", "1a2b-t1"), image("train.gpu", "3c4d-t1"), image("split", "5e6f-t1")


def test_what_is_missing(server: TokenRegistry) -> None:
    asked = [CROP, TRAIN, SPLIT, image("crop", "other-t1")]
    expected = {"$CI_REGISTRY_IMAGE/split:5e6f-t1", "$CI_REGISTRY_IMAGE/crop:other-t1"}
    assert missing_images(asked, environ(server)) == expected


def test_nothing_to_ask_asks_nothing() -> None:
    assert missing_images([], {}) == frozenset()


def test_each_scope_wants_one_token_and_connections_are_kept(server: TokenRegistry) -> None:
    tags = [f"$CI_REGISTRY_IMAGE/crop:tag-{number}" for number in range(40)]
    assert present_references(tags, environ(server)) == frozenset()
    threads = 8
    assert len([path for path in server.asked if path.startswith("GET /jwt/auth")]) <= threads
    assert server.connections <= threads


def test_a_registry_that_asks_for_name_and_password(server: TokenRegistry) -> None:
    server.challenge = "Basic"
    assert missing_images([CROP, SPLIT], environ(server)) == {SPLIT.reference}


def test_an_open_registry(server: TokenRegistry) -> None:
    server.challenge = ""
    variables = {"CI_REGISTRY_IMAGE": f"{server.address}/group/project", "HOME": "/nonexistent"}
    assert missing_images([CROP, SPLIT], variables) == {SPLIT.reference}


@pytest.mark.parametrize("fault", [500, 503, 429, 0, -1], ids=["500", "503", "429", "closed", "stall"])
def test_a_fault_that_passes(server: TokenRegistry, fault: int) -> None:
    server.faults = [fault, fault]
    assert missing_images([CROP], environ(server), patience=QUICK) == frozenset()


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (500, "it answers 500 Internal Server Error"),
        (429, "it answers 429 Too Many Requests"),
        (-1, "no answer in time"),
        (0, "closed connection"),
    ],
)
def test_a_fault_that_stays(server: TokenRegistry, fault: int, said: str) -> None:
    server.faults = [fault] * 3
    with pytest.raises(PassingFaultError) as caught:
        missing_images([CROP], environ(server), patience=QUICK)
    assert str(caught.value) == f"the registry {server.address} does not answer: {said}"


def test_no_registry_there(server: TokenRegistry) -> None:
    address = "127.0.0.1:9"
    with pytest.raises(PassingFaultError) as caught:
        missing_images([CROP], {"CI_REGISTRY_IMAGE": f"{address}/x"}, patience=QUICK)
    assert str(caught.value) == f"the registry {address} does not answer: connection refused"


def test_a_token_service_that_fails(server: TokenRegistry) -> None:
    server.token_status = 502
    with pytest.raises(PassingFaultError, match="it answers 502 Bad Gateway"):
        missing_images([CROP], environ(server), patience=QUICK)


def test_a_wrong_password_is_not_said(server: TokenRegistry) -> None:
    variables = environ(server, CI_REGISTRY_PASSWORD="an-expired-secret")
    with pytest.raises(UserError) as caught:
        missing_images([CROP], variables, patience=QUICK)
    assert str(caught.value) == (
        f"the registry {server.address} refuses access to group/project/crop for 'gitlab-ci-token' "
        "(CI_REGISTRY_USER and CI_REGISTRY_PASSWORD)\n"
        "  the password may have expired or lack the right: it needs read_registry, and write_registry to push"
    )


@pytest.mark.parametrize("challenge", ["Bearer", "Basic"])
def test_without_credentials(server: TokenRegistry, challenge: str) -> None:
    server.challenge = challenge
    variables = {"CI_REGISTRY_IMAGE": f"{server.address}/group/project", "HOME": "/nonexistent"}
    with pytest.raises(UserError) as caught:
        missing_images([CROP], variables)
    assert str(caught.value) == (
        f"the registry {server.address} refuses access to group/project/crop without credentials\n"
        "  in CI, switch the project's container registry on, which sets CI_REGISTRY_USER and CI_REGISTRY_PASSWORD; "
        "for another registry set DOCKER_AUTH_CONFIG; elsewhere: docker login"
    )


def test_credentials_are_not_shown_to_a_token_service_without_tls(server: TokenRegistry) -> None:
    server.challenge = "Bearer http://tokens.example.com/auth"
    with pytest.raises(
        UserError, match=r"sends us to http://tokens\.example\.com/auth for a token, which is no address"
    ):
        missing_images([CROP], environ(server))


def test_a_registry_without_tls_that_is_not_known_as_such(server: TokenRegistry) -> None:
    port = server.address.partition(":")[2]
    name = f"registry.invalid:{port}"
    with pytest.raises(PassingFaultError, match=f"the registry {name} does not answer: "):
        missing_images([CROP], {"CI_REGISTRY_IMAGE": f"{name}/x"}, patience=QUICK)


def test_a_variable_that_is_not_set() -> None:
    with pytest.raises(UserError) as caught:
        missing_images([CROP], {})
    assert str(caught.value) == (
        "the image $CI_REGISTRY_IMAGE/crop:1a2b-t1 is in a registry that is not known: CI_REGISTRY_IMAGE is not set\n"
        "  GitLab sets it in jobs of projects whose container registry is on (Settings > General > Visibility); "
        "elsewhere set it, or write `registry: HOST/PATH` into swath.yaml"
    )


def test_a_further_tag(server: TokenRegistry) -> None:
    server.images["group/project/crop:1a2b-t1"] = b'{"schemaVersion": 2}'
    add_tags(CROP.reference, ["v1.0", "main"], environ(server))
    assert (
        server.images["group/project/crop:v1.0"] == server.images["group/project/crop:main"] == b'{"schemaVersion": 2}'
    )


def test_a_further_tag_of_nothing(server: TokenRegistry) -> None:
    with pytest.raises(UserError, match=f"the registry has no image {server.address}/group/project/split:5e6f-t1"):
        add_tags(SPLIT.reference, ["v1.0"], environ(server))


def test_images_that_are_there_get_the_tags_of_branch_and_release(server: TokenRegistry) -> None:
    server.images["group/project/crop:1a2b-t1"] = b'{"schemaVersion": 2}'
    pipeline = {**environ(server), "CI_COMMIT_REF_SLUG": "main", "CI_COMMIT_TAG": "v1/0"}
    references = [SPLIT.reference, CROP.reference]
    assert name_images(references, pipeline) == ""
    crop = [name for name in sorted(server.images) if "crop" in name]
    assert crop == ["group/project/crop:1a2b-t1", "group/project/crop:main", "group/project/crop:v1-0"]
    server.asked.clear()
    assert name_images(references, pipeline) == ""
    assert not [question for question in server.asked if question.startswith("PUT")]


def test_without_a_branch_no_registry_is_asked() -> None:
    assert name_images([CROP.reference], {}) == ""


def test_a_registry_that_refuses_tags_is_told_and_stops_nothing(server: TokenRegistry) -> None:
    server.images["group/project/crop:1a2b-t1"] = b'{"schemaVersion": 2}'
    pipeline = {**environ(server), "CI_COMMIT_REF_SLUG": "main", "CI_REGISTRY_PASSWORD": "wrong"}
    said = name_images([CROP.reference], pipeline)
    assert said.startswith("images have no tags of the branch (main): ")
    assert "wrong" not in said


@pytest.fixture
def built(tmp_path: Path) -> BuiltImage:
    """An image of one layer."""
    blobs = []
    for name, data in (("layer", b"l" * 3_000_000), ("config", b"{}")):
        (tmp_path / name).write_bytes(data)
        blobs.append(Blob(tmp_path / name, f"sha256:{hashlib.sha256(data).hexdigest()}", len(data)))
    return BuiltImage((blobs[0],), blobs[1], b'{"schemaVersion": 2}')


def push(server: TokenRegistry, image: BuiltImage, *tags: str) -> int:
    return push_image_parts(image, "$CI_REGISTRY_IMAGE/swath:0.1.0", tags, environ(server), patience=QUICK)


def test_the_parts_of_an_image_go_once(server: TokenRegistry, built: BuiltImage) -> None:
    assert push(server, built, "latest") == 3_000_002
    assert {digest: len(data) for digest, data in server.blobs.items()} == {b.digest: b.size for b in built.blobs}
    assert server.images["group/project/swath:0.1.0"] == server.images["group/project/swath:latest"] == built.manifest
    assert push(server, built) == 0


@pytest.mark.parametrize("passing", [[401], [500], [503, 500]])
def test_an_upload_for_which_the_token_was_too_old_or_that_fails_goes_again(
    server: TokenRegistry, built: BuiltImage, passing: list[int]
) -> None:
    server.uploads = list(passing)
    assert push(server, built) == 3_000_002
    assert server.blobs[built.layers[0].digest] == b"l" * 3_000_000


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (
            403,
            (
                "the registry {address} refuses access to group/project/swath for 'gitlab-ci-token' "
                "(CI_REGISTRY_USER and CI_REGISTRY_PASSWORD)\n"
                "  the password may have expired or lack the right: it needs read_registry, and write_registry to push"
            ),
        ),
        (
            413,
            (
                "the registry {address} takes no part of 3 MB\n"
                "  let whatever stands before it pass more: client_max_body_size of nginx (0: any size)"
            ),
        ),
        (
            400,
            "the registry says 400 Bad Request to {address}/group/project/swath:0.1.0\n  see `registry:` in swath.yaml",
        ),
    ],
)
def test_an_upload_that_is_refused(server: TokenRegistry, built: BuiltImage, status: int, message: str) -> None:
    server.uploads = [status]
    with pytest.raises(UserError) as caught:
        push(server, built)
    assert str(caught.value) == message.format(address=server.address)
    assert "group/project/swath:0.1.0" not in server.images


def test_no_secret_is_in_what_can_be_printed(server: TokenRegistry, capfd: pytest.CaptureFixture[str]) -> None:
    server.token_status = 500
    with pytest.raises(PassingFaultError) as caught:
        missing_images([CROP], environ(server), patience=QUICK)
    said = repr(caught.value) + repr(caught.value.__cause__) + "".join(capfd.readouterr())
    assert PASSWORD not in said
    assert TOKEN not in said


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost:5000", True),
        ("127.0.0.1", True),
        ("[::1]:80", True),
        ("registry.example.com", False),
        ("10.0.0.1", False),
    ],
)
def test_loopback(host: str, *, expected: bool) -> None:
    assert is_loopback(host) is expected


@pytest.mark.docker
def test_a_real_registry(registry: str) -> None:
    """The distribution registry, with an image that Docker pushed."""
    reference = f"{registry}/group/crop:1a2b-t1"
    for words in (["tag", BUSYBOX_IMAGE, reference], ["push", reference], ["rmi", reference]):
        subprocess.run(["docker", *words], check=True, capture_output=True)
    variables = {"CI_REGISTRY_IMAGE": f"{registry}/group"}
    assert missing_images([CROP, SPLIT], variables) == {SPLIT.reference}
    add_tags(CROP.reference, ["v1.0"], variables)
    assert missing_images([image("crop", "v1.0")], variables) == frozenset()
