"""The runtime `inside`: we are in the service's container already, so its entrypoint is started as it is.

Used by CI jobs whose image is the service's own. No environment is made; the image has what the service needs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from swath.errors import UserError
from swath.execute.child import find_program
from swath.execute.process import DEFAULT_PATH, host_environment, run_in_place
from swath.execute.service_argv import entrypoint_words

if TYPE_CHECKING:
    import threading
    from collections.abc import Mapping

    from swath.model.invocation import Invocation, Outcome, RuntimeName
    from swath.model.service import Service


@dataclass(frozen=True, slots=True)
class InsideRuntime:
    """Starts services in the present environment.

    Attributes:
        source: the environment that Swath was started with.
    """

    source: Mapping[str, str]

    @property
    def name(self) -> RuntimeName:
        """``inside``."""
        return "inside"

    def problem(self, service: Service) -> str | None:
        """Why the service cannot run here; None: it can. Starts nothing."""
        program = service.entrypoint[0]
        if "/" not in program and find_program(program, self.source.get("PATH", DEFAULT_PATH)) is None:
            return f"'{program}', which starts '{service.name}', is not on PATH: is this the service's container?"
        return None

    def run(self, invocation: Invocation, log: BinaryIO | None, stop: threading.Event) -> Outcome:
        """Run the service once."""
        problem = self.problem(invocation.service)
        if problem:
            raise UserError(problem)
        words = entrypoint_words(invocation, str(invocation.folder))
        return run_in_place(invocation, words, host_environment(invocation, self.source), log, stop)
