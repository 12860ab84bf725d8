"""The services of a repository, and what their stages take from this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from swath.execute import services
from swath.local.resources import Demand

if TYPE_CHECKING:
    from swath.model.stage import Stage


class Services(services.Services):
    """As in a job, for a scheduler."""

    def demand(self, stage: Stage) -> Demand:
        """What a stage takes from the machine."""
        resources = self.options(stage).resources
        return Demand(resources.cpus or 0.0, int(resources.memory or 0), resources.gpus or 0)
