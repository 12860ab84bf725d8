"""Which volumes a command needs, out of those that swath.yaml names. Pure; read by `load/volumes.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from swath.errors import UserError
from swath.model.suggestion import did_you_mean, one_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from swath.model.invocation import Volume

SETTINGS_FILE: Final = "swath.yaml"


def volume_variable(name: str) -> str:
    """The environment variable that overrides a volume's path: ``SWATH_VOLUME_MY_ARCHIVE`` for ``my-archive``."""
    return "SWATH_VOLUME_" + name.upper().replace("-", "_")


def needed_volumes(names: Iterable[str], volumes: Mapping[str, Volume]) -> dict[str, Volume]:
    """The named volumes.

    Raises:
        UserError: one is not in swath.yaml, or has no path on this machine.
    """
    needed: dict[str, Volume] = {}
    for name in names:
        if name not in volumes:
            hint = did_you_mean(name, volumes) or (one_of(volumes) if volumes else "add it under `volumes`")
            raise UserError(f"{SETTINGS_FILE} names no volume '{name}'", hint=hint)
        if not volumes[name].path:
            hint = f"set {volume_variable(name)}, or `path` under volumes.{name} in {SETTINGS_FILE}"
            raise UserError(f"the volume '{name}' has no path on this machine", hint=hint)
        needed[name] = volumes[name]
    return needed
