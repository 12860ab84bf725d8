"""`job/store.py`: how long a remote is waited for."""

from __future__ import annotations

import pytest

from swath.dvc_border.patience import Patience
from swath.errors import UserError
from swath.job.store import patience_of

USUAL = Patience(pauses_s=(7.0,))


@pytest.mark.parametrize(
    ("environ", "patience"),
    [({}, USUAL), ({"SWATH_REMOTE_WAIT": ""}, USUAL), ({"SWATH_REMOTE_WAIT": "2m"}, Patience.lasting(120))],
)
def test_the_variable_says_how_long(environ: dict[str, str], patience: Patience) -> None:
    assert patience_of(environ, USUAL) == patience


def test_what_is_no_duration_is_told() -> None:
    with pytest.raises(UserError) as caught:
        patience_of({"SWATH_REMOTE_WAIT": "long"}, USUAL)
    assert str(caught.value) == "SWATH_REMOTE_WAIT: 'long' is not a duration: write it as 45s, 30m or 2h30m"
