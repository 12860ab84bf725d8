"""The runtime `inside`: we are in the service's container already, so its entrypoint is started as it is.

Used by CI jobs whose image is the service's own. No environment is made; the image has what the service needs. As with
the docker runtime, the code is that of the image, in /opt/service, where what was installed or compiled beside it lies;
a file that is not there is the checkout's.

The service may read all that Swath may read. So that none of it gets into the remote, what the service left behind is
looked at when it has ended, as with the docker runtime.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from swath.errors import UserError
from swath.execute.child import find_program
from swath.execute.environment import SERVICE_DIR
from swath.execute.outputs import left_behind, resolved_folders
from swath.execute.process import DEFAULT_PATH, host_environment, run_in_place
from swath.execute.service_argv import entrypoint_words

if TYPE_CHECKING:
    import threading
    from collections.abc import Mapping

    from swath.model.invocation import Invocation, Outcome, RuntimeName
    from swath.model.service import Service


IMAGE_FOLDER: Final = Path("/opt/service")


@dataclass(frozen=True, slots=True)
class InsideRuntime:
    """Starts services in the present environment.

    Attributes:
        source: the environment that Swath was started with.
        image_folder: where an image has its service's files.
    """

    source: Mapping[str, str]
    image_folder: Path = IMAGE_FOLDER

    @property
    def name(self) -> RuntimeName:
        """``inside``."""
        return "inside"

    def problem(self, service: Service) -> str | None:
        """Why the service cannot run here; None: it can. Starts nothing."""
        program = service.entrypoint[0]
        if "/" in program or self._of_image(service, program) is not None:
            return None
        if find_program(program, self.source.get("PATH", DEFAULT_PATH)) is None:
            return f"'{program}', which starts '{service.name}', is not on PATH: is this the service's container?"
        return None

    def run(self, invocation: Invocation, log: BinaryIO | None, stop: threading.Event) -> Outcome:
        """Run the service once."""
        service = invocation.service
        problem = self.problem(service)
        if problem:
            raise UserError(problem)
        checkout = entrypoint_words(invocation, str(invocation.folder))
        words = [
            self._of_image(service, said) or found for said, found in zip(service.entrypoint, checkout, strict=True)
        ]
        variables = host_environment(invocation, self.source)
        if self._has_code(service):
            variables[SERVICE_DIR] = str(self.image_folder)
        folders = resolved_folders(invocation)
        outcome = run_in_place(invocation, words, variables, log, stop)
        problems = [] if outcome.exit_code else left_behind(invocation, folders)
        return replace(outcome, exit_code=1, reason="; ".join(problems)) if problems else outcome

    def _has_code(self, service: Service) -> bool:
        """Whether the image has the service's code: it was built from it, and copies it where all images do."""
        return service.image is not None and service.image.build is not None and self.image_folder.is_dir()

    def _of_image(self, service: Service, word: str) -> str | None:
        """The file of the image that a word of the entrypoint means; None: it means none."""
        if not word or word.startswith(("/", "-")) or not self._has_code(service):
            return None
        file = self.image_folder / word
        return str(file) if file.is_file() else None
