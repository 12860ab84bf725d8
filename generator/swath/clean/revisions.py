"""What a Git repository names: locks and `.dvc` files of all its refs, of its young commits, and of its work tree.

Refs of every kind count (branches, remote branches, tags, experiments, stashes), with what the servers have beyond
them. Young commits count too, on whatever branch: a pipeline may still be running one.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from swath.dvc_border.imports import address_for_job
from swath.errors import PassingFaultError, UserError
from swath.files.git_program import call_git
from swath.record.git import Clone, commit_id, run_git
from swath.schema import yaml12
from swath.schema.lock_text import read_lock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from swath.clean.references import References
    from swath.model.stage import JSONValue

_OURS: Final = "refs/swath/gc"
_SERVER_REFS: Final = ("heads", "tags", "exps")
_USER_IN_URL: Final = re.compile(r"(?<=://)[^/\s]+@")
_LIKE_SCP: Final = re.compile(r"(?:[^@/:]+@)?([^/:]+):(?!//)(.+)")
_WITHOUT_PROMPT: Final = {"GIT_TERMINAL_PROMPT": "0"}
# What submodules have is another repository's, and may be out of reach.
_FETCH: Final = ("fetch", "--quiet", "--no-tags", "--prune", "--no-write-fetch-head", "--no-recurse-submodules")
_WITH_LOG: Final = re.compile(r"refs/(?:.+/)?(?:stash|exps/celery/failed)")  # of these refs the log has what is kept
_SKIPPED_FOLDERS: Final = frozenset({".git", ".dvc"})


@dataclass(frozen=True, slots=True)
class Source:
    """A text that may name objects.

    Attributes:
        path: of its file.
        place: where that is: a commit, or the work tree.
        must_parse: whether it must be understood; of the past, what looks like a hash is enough.
    """

    path: str
    place: str
    text: str
    must_parse: bool = True

    @property
    def is_ours(self) -> bool:
        """Whether DVC would read it: a lock file may be another program's."""
        return self.path.endswith(".dvc") or os.path.basename(self.path) == "dvc.lock"


def check_whole(top: Path) -> None:
    """See that the clone has all of its history.

    Raises:
        UserError: it is shallow.
    """
    if run_git(top, "rev-parse", "--is-shallow-repository").strip() == b"true":
        message = "this clone is shallow: what older commits name is not known here"
        raise UserError(message, hint="fetch the rest (git fetch --unshallow); in GitLab CI: GIT_DEPTH: 0")


def repository_ids(top: Path) -> list[str]:
    """The first commits of HEAD's history, sorted: the same in all clones of a repository."""
    return sorted(run_git(top, "rev-list", "--max-parents=0", "HEAD").decode().split())


def server_names(top: Path, environ: Mapping[str, str]) -> list[str]:
    """The addresses of the clone's Git servers, each in one form for HTTP and SSH, sorted.

    Args:
        environ: of a job, whose runner may reach its server by another address.
    """
    path, project = environ.get("CI_PROJECT_PATH", ""), environ.get("CI_PROJECT_URL", "")
    found: set[str] = set()
    for server in run_git(top, "remote").decode().split():
        name = server_name(run_git(top, "remote", "get-url", server).decode().strip(), top)
        is_own = server == "origin" and path and name.endswith(f"/{path.lower()}")
        found.add(server_name(project, top) if is_own and project else name)
    return sorted(found)


def server_name(url: str, top: Path) -> str:
    """A repository's address: host and path, the same by HTTP and SSH; of a folder on this machine its real path.

    Args:
        top: where a relative path begins.
    """
    url = url.removeprefix("file://")
    if "://" in url:
        try:
            parts = urlsplit(url)
            name = f"{parts.hostname or ''}/{parts.path.strip('/')}".lower()
        except ValueError:  # Git will say what is wrong with it
            name = _USER_IN_URL.sub("", url)
    elif match := _LIKE_SCP.fullmatch(url):
        name = f"{match[1]}/{match[2].strip('/')}".lower()
    else:
        name = os.path.realpath(top / url)
    return name.rstrip("/").removesuffix(".git")


@contextlib.contextmanager
def server_refs(top: Path, environ: Mapping[str, str]) -> Iterator[Callable[[], None]]:
    """Within the block, what the Git servers have can be fetched, below refs of our own.

    Args:
        environ: of a job, whose token may read its own server.

    Yields:
        Fetches it; raises `PassingFaultError` when a server does not answer, or refuses.
    """
    servers = run_git(top, "remote").decode().split()

    def fetch() -> None:
        for number, server in enumerate(servers):
            specs = [f"+refs/{kind}/*:{_OURS}/{number}/{kind}/*" for kind in _SERVER_REFS]
            url = address_for_job(run_git(top, "remote", "get-url", server).decode().strip(), environ)
            try:
                run_git(top, *_FETCH, "--", url, *specs, environ=_WITHOUT_PROMPT)
            except UserError as error:
                said = _USER_IN_URL.sub("", str(error))
                message = f"what the Git server {server!r} has cannot be read, so it is not known what it names: {said}"
                raise PassingFaultError(message) from error

    try:
        yield fetch
    finally:
        refs = run_git(top, "for-each-ref", "--format=delete %(refname)", _OURS)
        if refs.strip():
            run_git(top, "update-ref", "--stdin", stdin=refs)


def committed(top: Path, since: float) -> Iterator[Source]:
    """Locks and `.dvc` files of all refs, of all work trees' indexes, and of commits since then; each text once.

    Args:
        since: seconds since 1970.

    Raises:
        UserError: an object of Git is missing.
    """
    commits = _roots(top)
    blobs = {blob: (path, commit[:12], True) for commit in commits for blob, path in _of_tree(top, commit)}
    for tree in work_trees(top):
        for blob, path in _of_index(tree):
            blobs.setdefault(blob, (path, _in_words("the index", tree, top), True))
    for blob, path in _of_history(top, commits, since):
        blobs.setdefault(blob, (path, "the history", False))
    yield from _texts(top, blobs)


def _roots(top: Path) -> list[str]:
    """The commits of all refs, of stashed and queued work, and of all work trees."""
    found: dict[str, None] = {}
    for line in run_git(top, "for-each-ref", "--format=%(objecttype) %(objectname) %(refname)").splitlines():
        kind, commit, name = os.fsdecode(line).split(" ", 2)
        if kind == "tag":
            kind, commit = _peeled(top, commit)
        if kind == "commit":
            found[commit] = None
        if _WITH_LOG.fullmatch(name):  # older ones are in its log alone; parents hold what was in the index
            found.update(dict.fromkeys(run_git(top, "log", "-g", "--format=%H %P", name, "--").decode().split()))
    for line in run_git(top, "worktree", "list", "--porcelain").splitlines():
        word, _, commit = line.decode(errors="replace").partition(" ")
        if word == "HEAD" and commit.strip("0"):
            found[commit] = None
    return list(found)


def work_trees(top: Path) -> list[Path]:
    """The top of this work tree, and of the other work trees of the clone that are there."""
    found = {os.path.realpath(top): top}
    for line in run_git(top, "worktree", "list", "--porcelain").splitlines():
        word, _, name = os.fsdecode(line).partition(" ")
        if word == "worktree" and os.path.isdir(name):  # for a submodule or a bare clone it may be Git's own folder
            inside = call_git(Path(name), "rev-parse", "--is-inside-work-tree").stdout.strip() == b"true"
            if inside:
                found.setdefault(os.path.realpath(name), Path(name))
    return list(found.values())


def _peeled(top: Path, tag: str) -> tuple[str, str]:
    """The type and the id of what a tag means in the end."""
    target = run_git(top, "rev-parse", "--verify", f"{tag}^{{}}").decode().strip()
    return run_git(top, "cat-file", "-t", target).decode().strip(), target


def names_data(path: str) -> bool:
    """Whether a file of that path may name objects: a lock, or a `.dvc` file."""
    return path.endswith((".lock", ".dvc"))


def _of_tree(top: Path, commit: str) -> Iterator[tuple[str, str]]:
    for line in run_git(top, "ls-tree", "-r", "-z", "--full-tree", commit).split(b"\0"):
        about, _, path = os.fsdecode(line).partition("\t")
        if path and names_data(path) and about.split(" ")[1] == "blob":
            yield about.split(" ")[2], path


def _of_index(top: Path) -> Iterator[tuple[str, str]]:
    for line in run_git(top, "ls-files", "--stage", "-z").split(b"\0"):
        about, _, path = os.fsdecode(line).partition("\t")
        if path and names_data(path) and about.startswith("10"):
            yield about.split(" ")[1], path


def _of_history(top: Path, commits: Sequence[str], since: float) -> Iterator[tuple[str, str]]:
    """What commits since then brought, and what they took away.

    Git's own `--since` stops at the first older commit, behind which a younger one may be: clocks differ.
    """
    dated = run_git(top, "rev-list", "--timestamp", "--stdin", stdin="".join(f"{each}\n" for each in commits).encode())
    pairs = (line.split() for line in dated.splitlines())
    young = [commit for date, commit in pairs if int(date) >= since]
    if not young:
        return
    words = ["log", "--no-walk", "--stdin", "--format=", "--raw", "--no-abbrev", "--no-renames", "-m", "--root"]
    said = run_git(top, *words, stdin=b"".join(commit + b"\n" for commit in young))
    for line in os.fsdecode(said).splitlines():
        about, _, path = line.partition("\t")
        words = about[1:].split(" ")
        if about.startswith(":") and names_data(path.rstrip('"')) and len(words) > 4:
            for mode, blob in zip(words[:2], words[2:4], strict=True):
                if mode.startswith("10"):
                    yield blob, path


def _texts(top: Path, blobs: dict[str, tuple[str, str, bool]]) -> Iterator[Source]:
    said = run_git(top, "cat-file", "--batch", stdin="".join(f"{blob}\n" for blob in blobs).encode()) if blobs else b""
    position = 0
    for path, place, must_parse in blobs.values():
        end = said.index(b"\n", position)
        words = said[position:end].split()
        if len(words) != 3:
            message = f"{path} of {place} is not in this clone: what it names is not known"
            raise UserError(message, hint="see whether the clone is whole: git fsck")
        size = int(words[2])
        yield Source(path, place, said[end + 1 : end + 1 + size].decode(errors="surrogateescape"), must_parse)
        position = end + 1 + size + 1


def _in_words(what: str, tree: Path, top: Path) -> str:
    return what if tree == top else f"{what} of {tree}"


def in_work_tree(tree: Path, top: Path) -> Iterator[Source]:
    """Locks and `.dvc` files as they are in a work tree, committed or not, ignored or not.

    Args:
        top: of the work tree that we are in.

    Raises:
        OSError: one that DVC would read cannot be read.
    """
    for folder, folders, names in os.walk(tree):
        folders[:] = [name for name in folders if name not in _SKIPPED_FOLDERS]
        for name in names:
            path = os.path.join(folder, name)
            if names_data(name) and os.path.isfile(path):
                source = Source(os.path.relpath(path, tree), _in_words("the work tree", tree, top), "")
                try:
                    text = Path(path).read_text(encoding="utf-8", errors="surrogateescape")
                except OSError:
                    if source.is_ours:
                        raise
                    continue  # another program's
                yield replace(source, text=text)


def linked_values(top: Path, cache: str) -> Iterator[str]:
    """Hashes of objects of the cache that links in the work tree lead to, whatever a lock says."""
    base = os.path.realpath(cache)
    for folder, folders, names in os.walk(top):
        folders[:] = [name for name in folders if name not in _SKIPPED_FOLDERS]
        for name in names:
            path = os.path.join(folder, name)
            if os.path.islink(path):
                target = os.path.realpath(path)
                if target.startswith(f"{base}{os.sep}"):
                    yield "".join(target.split(os.sep)[-2:])


def add_sources(references: References, sources: Iterable[Source], seen: set[bytes]) -> None:
    """Add what texts name.

    Args:
        seen: digests of texts that were added before; grows.

    Raises:
        UserError: one that DVC would read cannot be read: what it names is not known.
    """
    for source in sources:
        digest = hashlib.sha256(source.text.encode(errors="surrogateescape")).digest()
        if digest in seen:
            continue
        references.add_text(source.text)
        where = f"{source.path} of {source.place}"
        try:
            document = _document(source)
            references.add_entries(document)
            if "\\" in source.text:  # an escape could hide a hash from who does not parse
                references.add_document(document)
        except (UserError, RecursionError) as error:
            if source.is_ours and source.must_parse:
                message = f"{where} cannot be read, so it is not known what it names: {error}"
                hint = "correct it, or remove the branch, tag or experiment that has it"
                raise UserError(message, hint=hint) from error
            continue  # not seen: where it must be understood, it is told
        seen.add(digest)


def _document(source: Source) -> JSONValue:
    if os.path.basename(source.path) == "dvc.lock":
        with contextlib.suppress(UserError):  # one of DVC 1: in another form, or broken
            return dict(read_lock(source.text, source.path))
    return yaml12.parse(source.text, source.path)


def is_git_here(top: Path) -> bool:
    """Whether there is a Git repository, and a commit in it."""
    return commit_id(Clone(top, ""), "HEAD") is not None
