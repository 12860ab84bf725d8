"""`core.autostage`: after a run, what was written into dvc.lock and `.gitignore` files is staged in Git, as DVC does.

Source: DVC 3.67.1 `repo/scm_context.py`, read 2026-11-28: only after a run without a failure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from swath.errors import NoGitError, UserError
from swath.files.git_program import call_git

if TYPE_CHECKING:
    from swath.dvc_border.repository import Repository


def stage_written(repository: Repository) -> None:
    """Stage the files that were written through this object (`Repository.written`), where DVC is set up so.

    Raises:
        UserError: Git does not take them.
    """
    files = sorted(repository.written)
    repository.written.clear()
    if not files or not repository.has_git or not repository.config["core"].get("autostage", False):
        return
    hint = f"stage them by hand: git add {' '.join(files)}"
    try:
        done = call_git(repository.root, "add", "--", *(f":(literal){file}" for file in files))
    except NoGitError as error:
        raise UserError("core.autostage is set, but there is no `git` here", hint=hint) from error
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip()
        message = f"all is recorded, but could not be staged (core.autostage): {said}"
        raise UserError(message, hint=hint)
