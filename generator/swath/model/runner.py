"""What machines offer: the runner classes of swath.yaml. No I/O.

What a stage asks for is `model/service.py: Resources`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from msgspec import Meta, Struct, field

from swath.model.units import Size

if TYPE_CHECKING:
    from swath.model.service import Resources

_GIB = 2**30


class Runner(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A class of equal GitLab runners.

    Attributes:
        tags: GitLab's tags that pick it; all of them are asked for.
        cpus: processor cores for one job.
        memory: bytes of memory for one job.
        disk: bytes of free disk space for one job.
        gpus: whole GPUs for one job.
        concurrency: jobs that run at the same time.
        cache: absolute path of a DVC cache that its jobs share; None: each job has its own.
        price_per_hour: of one job, in any currency; the cheapest runner that fits is taken.
    """

    tags: Annotated[list[Annotated[str, Meta(min_length=1)]], Meta(max_length=49)] = field(
        default_factory=lambda: ["docker"]
    )
    cpus: Annotated[float, Meta(gt=0)] = 4
    memory: Size = field(default_factory=lambda: Size(16 * _GIB))
    disk: Size = field(default_factory=lambda: Size(50 * _GIB))
    gpus: Annotated[int, Meta(ge=0)] = 0
    concurrency: Annotated[int, Meta(ge=1)] = 4
    cache: Annotated[str, Meta(pattern="^/")] | None = None
    price_per_hour: Annotated[float, Meta(ge=0)] = 0

    def lacking(self, demand: Resources) -> tuple[str, ...]:
        """The names of the resources of which it offers less than `demand`; empty: it covers the demand."""
        offered = {"cpus": self.cpus, "memory": self.memory, "disk": self.disk, "gpus": self.gpus}
        return tuple(name for name, offer in offered.items() if (getattr(demand, name) or 0) > offer)
