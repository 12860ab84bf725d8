"""Waits for what another thread or process does."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_LOOK_S: Final = 0.01


def until(condition: Callable[[], object], timeout_s: float = 120) -> None:
    """Return as soon as a condition holds.

    Raises:
        TimeoutError: it never did.
    """
    end = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"nothing of it for {timeout_s:g} s: {condition}")
        time.sleep(_LOOK_S)
