from __future__ import annotations

import pytest

from swath.errors import UserError
from swath.model.invocation import Volume
from swath.model.volumes import needed_volumes, volume_variable


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("archiv", "swath.yaml names no volume 'archiv'\n  did you mean 'archive'?"),
        (
            "archive",
            "the volume 'archive' has no path on this machine\n  set SWATH_VOLUME_ARCHIVE, or `path` under volumes.archive in swath.yaml",
        ),
    ],
)
def test_what_a_command_needs_must_be_there(name: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        needed_volumes([name], {"archive": Volume("archive", "")})
    assert str(caught.value) == message


def test_variable_names() -> None:
    assert volume_variable("my-archive_2") == "SWATH_VOLUME_MY_ARCHIVE_2"
