"""Commands that are no plain `swath exec`, in a CI job: in a shell, with as few of its variables as services get.

On a machine of one's own such a command has the user's environment, as with DVC. A job's environment holds the tokens
of GitLab, the registry and the remote; here it has what a service would have, and what a shell needs.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from swath.emit.script import SWATH
from swath.execute.child import Child, run_child
from swath.execute.environment import HOST_NAMES, NETWORK_NAMES, is_passed, sounds_secret
from swath.execute.process import DEFAULT_PATH
from swath.execute.shell import shell_words

if TYPE_CHECKING:
    import threading
    from collections.abc import Mapping
    from typing import BinaryIO

    from swath.dvc_border.workspace import Workspace
    from swath.execute.attempts import ShellCall
    from swath.model.invocation import Outcome

_NAMES: Final = (
    frozenset({"PATH", "VIRTUAL_ENV", "CI", "GITLAB_CI", "SWATH_RUNTIME", "DOCKER_HOST"}) | HOST_NAMES | NETWORK_NAMES
)
# The place of a volume on this machine, for a `swath exec` amid other commands; volumes have names of one's own.
_VOLUME: Final = re.compile(r"SWATH_VOLUME_[A-Z0-9_]+")


class PlainCommands:
    """Runs commands in a shell."""

    def __init__(self, disk: Workspace, environ: Mapping[str, str]) -> None:
        self._disk, self._environ = disk, environ

    def start(self, call: ShellCall, log: BinaryIO, stop: threading.Event) -> Outcome:
        """Run a command once.

        Raises:
            UserError: there is no such shell.
        """
        environment = self.environment(call)
        child = Child(
            shell_words(call.command, environment),
            Path(self._disk.absolute(call.stage.wdir)),
            environment,
            timeout_s=call.timeout_s,
        )
        return run_child(child, log, stop)

    def environment(self, call: ShellCall) -> dict[str, str]:
        """All variables of a command."""
        chosen = {
            name: value
            for name, value in self._environ.items()
            if name in _NAMES or is_passed(name) or (_VOLUME.fullmatch(name) and not sounds_secret(name))
        }
        # A service's image does not know where Swath is; a command may call `swath exec` amid others.
        chosen["PATH"] = f"{chosen.get('PATH', DEFAULT_PATH)}{os.pathsep}{os.path.dirname(SWATH)}"
        chosen["DVC_ROOT"] = str(self._disk.repository.root)
        chosen["DVC_STAGE"] = call.stage.name
        chosen["CUDA_VISIBLE_DEVICES"] = ",".join(call.gpus)
        return chosen
