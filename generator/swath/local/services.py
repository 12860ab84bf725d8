"""Start the services of plain `swath exec` commands inside the runner's process, and say what stages may use."""

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
from swath.local.scheduler import Demand
from swath.model.shell_words import exec_words

if TYPE_CHECKING:
    import threading
    from collections.abc import Mapping
    from pathlib import Path
    from typing import BinaryIO

    from swath.execute.runtime import Runtime
    from swath.model.invocation import Outcome, RuntimeChoice
    from swath.model.service import Service
    from swath.model.settings import Settings, StageOptions
    from swath.model.stage import Stage


class Services:
    """The services of one repository, for one run. Thread-safe."""

    def __init__(self, root: Path, settings: Settings, choice: RuntimeChoice, environ: Mapping[str, str]) -> None:
        self._root, self._settings, self._choice = root, settings, choice
        self._volumes = read_volumes(root, environ)
        self._service = cache(lambda name: load_service(root, name))
        self._runtimes = Runtimes(environ)
        self._runtime = cache(self._choose)

    def service_of(self, stage: Stage) -> Service | None:
        """The service that a stage's first plain `swath exec` command starts.

        Raises:
            UserError: there is no such service, or its service.yaml is wrong.
        """
        for command in stage.commands:
            words = exec_words(command)
            if words:
                service: Service = self._service(words[0])
                return service
        return None

    def options(self, stage: Stage) -> StageOptions:
        """Resources, timeout and retries of a stage, from all levels of settings."""
        return stage_options(stage, self.service_of(stage), self._settings)

    def demand(self, stage: Stage) -> Demand:
        """What a stage takes from the machine."""
        resources = self.options(stage).resources
        return Demand(resources.cpus or 0.0, int(resources.memory or 0), resources.gpus or 0)

    def start(
        self, stage: Stage, words: tuple[str, ...], gpus: tuple[int, ...], log: BinaryIO, stop: threading.Event
    ) -> Outcome:
        """Run the service of a plain command once.

        Raises:
            UserError: the arguments are wrong, or no runtime can run it.
        """
        workplace = Workplace(
            root=self._root,
            wdir=stage.wdir,
            scratch=scratch_path(self._root, stage.wdir, words),
            volumes=self._volumes,
            environment={"DVC_ROOT": str(self._root), "DVC_STAGE": stage.name},
            keep_outputs=any(out.persist for out in stage.outs),
        )
        options = self.options(stage)
        invocation = replace(
            invocation_from_words(words, workplace), resources=options.resources, timeout_s=options.timeout_s, gpus=gpus
        )
        open_scratch(invocation)
        outcome = self._runtime(invocation.service.name).run(invocation, log, stop)
        if outcome.exit_code == os.EX_OK:
            drop_scratch(invocation)
        return outcome

    def _choose(self, name: str) -> Runtime:
        return self._runtimes.choose(self._service(name), self._choice)
