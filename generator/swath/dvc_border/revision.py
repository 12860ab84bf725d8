"""A Git revision without data: its files in a folder of their own, and what is so there."""

from __future__ import annotations

import os
import re
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from swath.dvc_border.repository import Repository
from swath.dvc_border.without_git import head_commit
from swath.dvc_border.workspace import Workspace
from swath.errors import NoGitError, UserError
from swath.files.git_program import call_git
from swath.model.content import content_from_lock_item
from swath.model.lock_entry import Item, LockEntry, items_by_path

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from swath.model.content import Content
    from swath.model.graph import StageGraph
    from swath.model.stage import Dependency, Output, Stage

# Git refuses to look: another owner's repository, broken settings.
_REFUSED: Final = re.compile("fatal: (?!not a git repository)")


@contextmanager
def exported_revision(repository: Repository, rev: str) -> Iterator[Repository]:
    """The files of a revision in a temporary folder, as a repository; the working tree is not touched.

    Raises:
        UserError: there is no such revision, or it does not have the repository's folder.
    """
    commit = commit_id(repository, rev)
    below = repository.subfolder
    if below and not _git(repository.root, "rev-parse", "--verify", "--quiet", f"{commit}:{below}"):
        raise UserError(f"the revision {rev!r} has no folder {below}", hint="choose one that has: git log -- .")
    with tempfile.TemporaryDirectory(prefix="swath-revision-") as folder:
        environ = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
        # Under their paths in Git: .gitattributes of the folders above count.
        words = [f"--prefix={below}/", f"{commit}:{below}"] if below else [commit]
        _git(repository.checkout, "read-tree", *words, environ=environ)
        tree = Path(folder) / "tree"
        (tree / below).mkdir(parents=True)
        _git(repository.checkout, "checkout-index", "--all", "--quiet", f"--prefix={tree}/", environ=environ)
        yield Repository(tree / below, home=repository.root)


def commit_id(repository: Repository, rev: str = "HEAD") -> str:
    """The full id of a revision's commit.

    Raises:
        UserError: there is no such revision.
    """
    try:
        commit = _git(repository.root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{rev}^{{commit}}")
    except NoGitError:
        if rev == "HEAD":
            return head_commit(repository)
        raise
    if not commit:
        raise UserError(
            f"there is no revision {rev!r}", hint="see: git log; a shallow clone may lack it (git fetch --unshallow)"
        )
    return commit


def _git(folder: Path, *arguments: str, environ: Mapping[str, str] | None = None) -> str:
    result = call_git(folder, *arguments, environ=environ)
    said = result.stderr.decode(errors="replace").strip()
    is_unknown = arguments[0] == "rev-parse" and not _REFUSED.match(said)  # with --quiet it says nothing about that
    if result.returncode and not is_unknown:
        hint = "see: git status" if arguments[0] == "rev-parse" else "see whether the repository is whole: git fsck"
        raise UserError(f"git {arguments[0]} failed: {said}", hint=hint)
    return os.fsdecode(result.stdout).strip()


class Revision(Workspace):
    """The facts of a revision: Git, the locks and the cache alone.

    A dep that another stage makes is what that stage's lock entry says; one behind a `.dvc` file is what that says; all
    others are files of Git.
    """

    checks_outputs = False

    def __init__(
        self,
        repository: Repository,
        entries: Mapping[str, LockEntry],
        graph: StageGraph,
        tracked: Mapping[str, Content | None],
    ) -> None:
        super().__init__(repository, entries)
        self._tracked = tracked
        self._makers = {out.path: (stage, out) for stage in graph.stages.values() for out in stage.outs}
        self._folders = {parent for path in (*self._makers, *tracked) for parent in _parents(path)}

    def dep(self, stage: Stage, dep: Dependency, locked: Item | None) -> Item | None:
        """The dep as its maker's lock entry, its `.dvc` file, or Git says it."""
        made = self._makers.get(dep.path)
        if dep.path in self._assumed:
            return self._assumed[dep.path].lock_item(dep.text)
        if made:
            return self._from_lock(*made, dep)
        if dep.path in self._tracked:
            content = self._tracked[dep.path]
            return content.lock_item(dep.text) if content else None
        if self._is_partly_made(dep.path):
            return locked  # what is inside is judged at its maker, which this stage then stands behind
        return super().dep(stage, dep, locked)

    def _from_lock(self, maker: Stage, out: Output, dep: Dependency) -> Item | None:
        item = items_by_path(self.locked(maker) or {}, "outs").get(out.text)
        content = content_from_lock_item(item) if item else None
        return content.lock_item(dep.text) if content else None

    def _is_partly_made(self, path: str) -> bool:
        """Whether an output or tracked data lies inside the path, or around it."""
        return path in self._folders or any(up in self._makers or up in self._tracked for up in _parents(path))


def _parents(path: str) -> Iterator[str]:
    """``a/b`` and ``a`` of ``a/b/c``."""
    end = path.rfind("/")
    while end > 0:
        yield path[:end]
        end = path.rfind("/", 0, end)
