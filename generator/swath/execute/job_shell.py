"""Can GitLab's runner start a job in an image? It looks for a shell there, and writes its scripts for that one.

Called by `swath service build`, for images that jobs run in (`execution: image`).

The runner's Docker and Kubernetes executors start ``sh -c`` with a search for bash or else sh at fixed places, and feed
the scripts to what they find. These quote values as ``$'…'``, which bash and busybox read and most versions of dash do
not, and begin with `mkdir` and `touch`. FF_POSIXLY_CORRECT_ESCAPES quotes otherwise, but leaves ``;``, ``'`` and line
ends bare in values without a blank, so that a branch called ``a;id`` would run a command: Swath does not set it.

Source: gitlab-runner, shells/bash.go (BashDetectShellScript, Variable, SourceEnv), shells/abstract.go (writeExports),
helpers/shell_escape.go, read 2026-11-28.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

from docker import errors

from swath.execute.engine import translated

if TYPE_CHECKING:
    from swath.execute.engine import Engine

_PROGRAMS: Final = ("mkdir", "touch")
_PLACES: Final = "/usr/local/bin/bash /usr/bin/bash /bin/bash /usr/local/bin/sh /usr/bin/sh /bin/sh /busybox/sh"
_TIMEOUT_S: Final = 120


def job_shell_fault(engine: Engine, image: str) -> str | None:
    """Why no job can start in an image; None: it can.

    Args:
        image: its id or name; the engine has it.

    Raises:
        UserError: the engine refuses.
        PassingFaultError: the engine does not answer.
    """
    said = _run(engine, image)
    if said is None:
        return "there is no `sh` in it, with which GitLab's runner starts jobs: add bash or busybox"
    return fault_in(said)


def check_script(places: str = _PLACES) -> str:
    """What is run in the image; it prints a line for each fault.

    Args:
        places: where shells are looked for, with spaces between them.
    """
    return f"""\
found=
for shell in {places}; do
  if [ -x "$shell" ]; then
    found=yes
    [ "$("$shell" -c "printf %s \\$'a\\\\x62'")" = ab ] || echo "quoting $shell"
    break
  fi
done
[ "$found" ] || echo "place sh"
for name in {" ".join(_PROGRAMS)}; do
  command -v "$name" > /dev/null || echo "program $name"
done
"""


def fault_in(said: str) -> str | None:
    """The first fault in what the script prints, as a sentence; None: there is none."""
    lines = [line.split(" ", 1) for line in said.splitlines() if " " in line]
    for kind, name in lines:
        if kind == "place":
            return (
                "GitLab's runner looks for bash or sh in /usr/local/bin, /usr/bin and /bin, where it has none: add one"
            )
        if kind == "quoting":
            return f"its {name} does not read $'…', in which GitLab's runner writes scripts: add bash or busybox"
    absent = ", ".join(name for kind, name in lines if kind == "program")
    return f"GitLab's runner calls {absent} in it, which it lacks: add coreutils or busybox" if absent else None


def _run(engine: Engine, image: str) -> str | None:
    """What the check prints; None: it could not be started."""
    api = engine.api
    with translated(engine.address):
        made = api.create_container(image, command=["sh", "-c", check_script()], entrypoint=[], network_disabled=True)
        try:
            try:
                api.start(made["Id"])
            except errors.APIError as error:
                if "executable file not found" in str(error) or "no such file or directory" in str(error):
                    return None
                raise
            api.wait(made["Id"], timeout=_TIMEOUT_S)
            return bytes(api.logs(made["Id"], stdout=True, stderr=False)).decode(errors="replace")
        finally:
            with contextlib.suppress(errors.APIError):
                api.remove_container(made["Id"], force=True)
