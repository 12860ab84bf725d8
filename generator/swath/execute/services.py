"""Start the services of plain `swath exec` commands inside this process, and say what stages may use."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

from swath.execute.choose import Runtimes
from swath.execute.command import Workplace, invocation_from_words
from swath.execute.scratch import drop_scratch, open_scratch, scratch_path
from swath.load.options import stage_options
from swath.load.services import load_service
from swath.load.volumes import read_volumes
from swath.model.invocation import Origins
from swath.model.shell_words import first_service

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Mapping
    from pathlib import Path
    from typing import BinaryIO

    from swath.execute.attempts import ServiceCall
    from swath.execute.runtime import Runtime
    from swath.model.invocation import Outcome, RuntimeChoice
    from swath.model.service import Service
    from swath.model.settings import Settings, StageOptions
    from swath.model.stage import Stage


class Services:
    """The services of one repository, for one run. Thread-safe.

    Args:
        in_ci: what swath.yaml says for CI alone counts as well.
        scratch: the folder that a command keeps between its attempts, which the caller looks after; None: one in
            `.dvc/tmp`, emptied when the work is another.

    Attributes:
        origins: where the files of the workspace come from; set it when the graph is known.
    """

    origins = Origins()

    def __init__(
        self,
        root: Path,
        settings: Settings,
        choice: RuntimeChoice,
        environ: Mapping[str, str],
        *,
        in_ci: bool = False,
        scratch: Callable[[Stage, tuple[str, ...]], Path] | None = None,
    ) -> None:
        self._root, self._settings, self._choice = root, settings, choice
        self._in_ci, self._scratch = in_ci, scratch
        self._volumes = read_volumes(root, environ)
        self._service = cache(lambda name: load_service(root, name))
        self._runtimes = Runtimes(environ)
        self._runtime = cache(self._choose)

    def service_of(self, stage: Stage) -> Service | None:
        """The service that a stage's commands start first, and whose image and resources are the stage's.

        Raises:
            UserError: there is no such service, or its service.yaml is wrong.
        """
        name = first_service(stage.commands)
        return self._service(name) if name else None

    def options(self, stage: Stage) -> StageOptions:
        """Resources, timeout and retries of a stage, from all levels of settings."""
        return stage_options(stage, self.service_of(stage), self._settings, in_ci=self._in_ci)

    def start(self, call: ServiceCall, log: BinaryIO, stop: threading.Event) -> Outcome:
        """Run the service of a plain command once.

        Raises:
            UserError: the arguments are wrong, or no runtime can run it.
            PassingFaultError: an index, a registry or an engine did not answer.
            InterruptedRunError: `stop` was set while its environment or image was made.
        """
        stage, words = call.stage, call.words
        kept = self._scratch(stage, words) if self._scratch else None
        workplace = Workplace(
            root=self._root,
            wdir=stage.wdir,
            scratch=kept or scratch_path(self._root, stage.wdir, words),
            volumes=self._volumes,
            environment={"DVC_ROOT": str(self._root), "DVC_STAGE": stage.name},
            keep_outputs=any(out.persist for out in stage.outs),
            origins=self.origins,
        )
        invocation = replace(
            invocation_from_words(words, workplace),
            resources=self.options(stage).resources,
            timeout_s=call.timeout_s,
            gpus=call.gpus,
        )
        if kept is None:
            open_scratch(invocation)
        outcome = self._runtime(invocation.service.name).run(invocation, log, stop)
        if kept is None and outcome.exit_code == os.EX_OK:
            drop_scratch(invocation)
        return outcome

    def _choose(self, name: str) -> Runtime:
        return self._runtimes.choose(self._service(name), self._choice)
