"""What tasks take from a machine, what a machine has, and what of it is free. No I/O."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

CPU_ROUNDING: Final = 1e-9  # cores are sums of fractions


@dataclass(frozen=True, slots=True)
class Demand:
    """What a task takes from the machine while it runs."""

    cpus: float = 0.0
    memory_bytes: int = 0
    gpus: int = 0


@dataclass(frozen=True, slots=True)
class Machine:
    """What there is to give.

    Attributes:
        jobs: most tasks at a time.
        gpus: names of the GPUs, as CUDA_VISIBLE_DEVICES takes them.
    """

    jobs: int
    cpus: float
    memory_bytes: int
    gpus: tuple[str, ...] = ()

    def shortage(self, demand: Demand) -> str:
        """Why the demand can never be met here; empty: it can."""
        if demand.gpus > len(self.gpus):
            return f"it asks for {demand.gpus} GPUs, this machine has {len(self.gpus)}"
        if demand.memory_bytes > self.memory_bytes:
            there = f"{self.memory_bytes / 2**30:.1f}GiB"
            return f"it asks for {demand.memory_bytes / 2**30:.1f}GiB of memory, this machine has {there}"
        return ""

    def most_of(self, demand: Demand) -> Demand:
        """The demand, cut to what there is: a stage that asks for more cores runs alone."""
        cpus, memory = min(demand.cpus, self.cpus), min(demand.memory_bytes, self.memory_bytes)
        return Demand(cpus, memory, min(demand.gpus, len(self.gpus)))


class Free:
    """What of a machine nobody has."""

    def __init__(self, machine: Machine) -> None:
        self.cpus, self.memory_bytes, self.gpus = machine.cpus, machine.memory_bytes, machine.gpus
        self._place = {gpu: place for place, gpu in enumerate(machine.gpus)}

    def fits(self, demand: Demand) -> bool:
        """Whether all that is asked for is there."""
        enough_cpus = demand.cpus <= self.cpus + CPU_ROUNDING
        return enough_cpus and demand.memory_bytes <= self.memory_bytes and demand.gpus <= len(self.gpus)

    def take(self, demand: Demand) -> tuple[str, ...]:
        """Take what fits; the GPUs, the machine's first ones first."""
        self.cpus -= demand.cpus
        self.memory_bytes -= demand.memory_bytes
        taken, self.gpus = self.gpus[: demand.gpus], self.gpus[demand.gpus :]
        return taken

    def give(self, demand: Demand, gpus: tuple[str, ...]) -> None:
        """Give back what was taken."""
        self.cpus += demand.cpus
        self.memory_bytes += demand.memory_bytes
        self.gpus = tuple(sorted((*self.gpus, *gpus), key=self._place.__getitem__))
