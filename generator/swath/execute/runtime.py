"""What a runtime is: the way a service is started.

`process.py` (an isolated environment on this machine), `container.py` (docker) and `inside.py` (we are in the service's
container already) each give one. To add another: a module with a class that has these three members, and its name in
`model/invocation.py: RuntimeName`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import threading
    from typing import BinaryIO

    from swath.model.invocation import Invocation, Outcome, RuntimeName
    from swath.model.service import Service


class Runtime(Protocol):
    """Starts services one way."""

    @property
    def name(self) -> RuntimeName:
        """The name that users choose it by."""

    def problem(self, service: Service) -> str | None:
        """Why it cannot run this service on this machine, with what to do about it; None: it can. Starts nothing."""

    def run(self, invocation: Invocation, log: BinaryIO | None, stop: threading.Event) -> Outcome:
        """Run the service once, to its end.

        Everything the service needs is made here when it is not there yet (an environment, an image). Missing parent
        folders of outputs are made, and outputs that are still there from before are removed first. Thread-safe.

        Args:
            invocation: what to run.
            log: where the service's stdout and stderr go; None: to this process's own.
            stop: when it is set, the service and its children are ended (SIGTERM, then SIGKILL) and the call returns.

        Raises:
            UserError: the service cannot be started as its service.yaml says.
            PassingFaultError: a registry or an engine did not answer.
        """
