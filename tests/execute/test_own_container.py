"""What our own container tells about paths on the engine's machine."""

from __future__ import annotations

import pytest

from swath.errors import UserError
from swath.execute.own_container import OwnContainer, container_id

ID = "66714799a3efda588358f980125aade7f51c530f6039d9d772f91764fba22936"
OWN = OwnContainer(ID, "sha256:1", (("/builds/a", "/srv/a"), ("/builds", "/var/lib/docker/volumes/x/_data")))


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (f"287 269 254:0 /var/lib/docker/containers/{ID}/hostname /etc/hostname rw - ext4 /dev/vda rw", ID),
        (f"287 269 0:24 /containers/overlay-containers/{ID}/userdata/hosts /etc/hosts rw - tmpfs tmpfs rw", ID),
        (f"287 269 254:0 /var/lib/docker/containers/{ID}/mounts/shm /dev/shm rw - tmpfs shm rw", None),
        ("22 1 254:0 / / rw,relatime - ext4 /dev/vda rw", None),
    ],
)
def test_the_id_of_the_container_that_we_are_in(line: str, expected: str | None) -> None:
    assert container_id(f"21 1 0:20 / /proc rw - proc proc rw\n{line}\n") == expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/builds", "/var/lib/docker/volumes/x/_data"),
        ("/builds/group/project", "/var/lib/docker/volumes/x/_data/group/project"),
        ("/builds/a/data", "/srv/a/data"),
        ("/builds/ab", "/var/lib/docker/volumes/x/_data/ab"),
    ],
)
def test_a_path_of_ours_on_the_engines_machine(path: str, expected: str) -> None:
    assert OWN.on_engine(path) == expected


def test_what_the_container_keeps_to_itself_cannot_be_shown_to_another() -> None:
    with pytest.raises(UserError) as error:
        OwnContainer(ID, "sha256:1", (("/builds", "/srv"),)).on_engine("/data/archive")
    assert str(error.value) == (
        "/data/archive is in the container that Swath runs in, and the Docker engine cannot show it to another one\n"
        "  let the repository lie in a volume or a folder of the machine, or use --runtime process"
    )
