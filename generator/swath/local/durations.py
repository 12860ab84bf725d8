"""How long stages took when they last ran, for the estimates of a run."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from swath.local.stage_work import StageReport


class Durations:
    """How long stages took when they last ran, for estimates."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "durations.json"
        self.known: dict[str, float] = {}
        with contextlib.suppress(OSError, ValueError):
            content = json.loads(self._path.read_text(encoding="utf-8"))
            self.known = {str(name): float(seconds) for name, seconds in content.items()}

    def note(self, report: StageReport) -> None:
        """Keep the time of a stage that ran."""
        if report.did == "ran":
            self.known[report.stage.name] = round(report.wall_s, 3)

    def save(self) -> None:
        """Write them down."""
        temporary = self._path.with_suffix(".tmp")
        with contextlib.suppress(OSError):
            temporary.write_text(json.dumps(self.known), encoding="utf-8")
            temporary.replace(self._path)
