"""Record what a pipeline's jobs did: fragments of the remote ─▶ results ─▶ a commit, or an experiment, in Git.

Called by `cli/commands/job_collect.py` in the last job of a child pipeline, whatever became of the others, and by hand.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, Protocol

from swath.dvc_border.cache import Cache
from swath.dvc_border.content import Hasher
from swath.errors import DeniedError, PassingFaultError, UserError
from swath.model.bot_commit import is_second_in_a_row, record_message
from swath.model.content import Content
from swath.model.fragment import Fragment, pipeline_folder
from swath.record.branch import record_commit
from swath.record.changes import changes_at, entries_at, known_workflows
from swath.record.experiment import experiment_name, record_experiment
from swath.record.git import Signature, commit_date, commit_id, commit_message, open_clone
from swath.record.login import TOKEN_VARIABLE, Login
from swath.record.merge import Results, fault_of, merge_fragments
from swath.record.push import Server, fetch_by_id, without_credentials
from swath.record.recording import Recorded, Recording, files_below
from swath.record.run_data import note_run_data
from swath.schema.decisions_text import decode
from swath.schema.fragment_text import read_fragment

if TYPE_CHECKING:
    from collections.abc import Iterable

    from swath.dvc_border.repository import Repository
    from swath.job.origin import Origin
    from swath.model.settings import Record
    from swath.record.changes import Changes

Did = Literal["ran", "restored", "unchanged", "failed", "missing"]
_READERS: Final = 16  # at a time: a remote may be far
_BY_KEY: Final = re.compile(r"ssh://|[\w.-]+@[\w.-]+:")  # SSH: who pushes is told by a key


class Store(Protocol):
    """The DVC remote."""

    def list_files(self, folder: str) -> tuple[str, ...]:
        """Paths below a folder."""

    def read_text(self, path: str) -> str | None:
        """A file's text."""

    def pull(self, contents: Iterable[Content]) -> int:
        """Bring objects into the cache."""


@dataclass(frozen=True, slots=True)
class Gathered:
    """What the remote has of a pipeline.

    Attributes:
        refused: fragments that are not to be recorded, with the reason.
        broken: those among them that cannot be read: whose stages they had is unknown.
        taken: the others, each with its level.
        missing: stages that were planned and that no fragment has.
        continues: whether a further level was to follow; it records all, so whoever records before it sees a failure.
    """

    results: Results
    refused: Mapping[str, str] = field(default_factory=dict)
    broken: tuple[str, ...] = ()
    taken: tuple[tuple[int, Fragment], ...] = ()
    missing: tuple[str, ...] = ()
    continues: bool = False

    @property
    def is_complete(self) -> bool:
        """Whether all that was planned has a result."""
        return not (self.results.failed or self.broken or self.missing or self.continues)


class Row(NamedTuple):
    """A stage, and what became of it."""

    stage: str
    did: Did
    wall_s: float


@dataclass(frozen=True, slots=True)
class Bot:
    """Who records.

    Attributes:
        name: of author and committer.
        login: for the Git server.
    """

    name: str
    email: str
    login: Login = field(default_factory=Login)


@dataclass(frozen=True, slots=True)
class Collector:
    """What recording works with.

    Attributes:
        store: the DVC remote.
        record: `record` of swath.yaml.
    """

    repository: Repository
    store: Store
    origin: Origin
    record: Record
    bot: Bot


@dataclass(frozen=True, slots=True)
class Collected:
    """What was done.

    Attributes:
        rows: in the order of the results.
        recorded: None: nothing was recorded; `notes` say why.
        notes: for people, each a sentence or a few lines.
    """

    gathered: Gathered
    rows: tuple[Row, ...]
    recorded: Recorded | None
    notes: tuple[str, ...]


def gather(store: Store, origin: Origin, plan: str | None, subfolder: str = "") -> Gathered:
    """Read the fragments of all levels of a pipeline.

    Args:
        plan: the digest that fragments of this level must have; None: any.
        subfolder: the DVC repository's folder in Git's checkout; empty: the top.

    Raises:
        PassingFaultError: the remote does not answer.
    """
    taken: list[tuple[int, Fragment]] = []
    refused: dict[str, str] = {}
    broken: list[str] = []
    commit = origin.commit
    paths = sorted(_levels(store, pipeline_folder(origin.pipeline, subfolder)))
    with ThreadPoolExecutor(_READERS) as pool:
        texts = list(pool.map(store.read_text, [path for _, path in paths]))
    for (level, path), text in zip(paths, texts, strict=True):
        try:
            fragment = read_fragment(text or "", path)
        except UserError as error:
            refused[path] = error.message.removeprefix(f"the fragment {path} ")
            broken.append(path)
            continue
        commit = commit or fragment.commit
        fault = fault_of(fragment, commit, plan if level == origin.level else None)
        if fault:
            refused[path] = fault
        else:
            taken.append((level, fragment))
    results = merge_fragments(commit, (fragment for _, fragment in taken))
    return Gathered(results, refused, tuple(broken), tuple(taken))


def _levels(store: Store, folder: str) -> list[tuple[int, str]]:
    """The fragments among a pipeline's files, each with its level."""
    parts = ((path.removeprefix(f"{folder}/").split("/"), path) for path in store.list_files(folder))
    return [
        (int(names[0]), path)
        for names, path in parts
        if len(names) == 2 and names[0].isdigit() and path.endswith(".json")
    ]


def with_plan(repository: Repository, gathered: Gathered, origin: Origin, decisions: str) -> Gathered:
    """The same, knowing which stages this level was to do.

    Args:
        decisions: `SWATH_DECISIONS`.

    Raises:
        UserError: the commit is not in this clone, or has other stages than the decisions are about.
    """
    below = merge_fragments(gathered.results.commit, (each for level, each in gathered.taken if level < origin.level))
    loaded = known_workflows(repository, below)
    graph = loaded.graph
    planned = [name for name, kind in decode(decisions, list(graph.stages)).items() if kind != "unchanged"]
    missing = tuple(name for name in planned if name not in gathered.results.stages)
    continues = not graph.before(loaded.generators).isdisjoint(planned)
    return replace(gathered, missing=missing, continues=continues)


def collect_results(collector: Collector, gathered: Gathered) -> Collected:
    """Record what was gathered, as swath.yaml's `record` says; a pipeline that is not complete as an experiment.

    Raises:
        UserError: the Git server refuses; says what to renew.
        PassingFaultError: the Git server or the remote does not answer.
    """
    origin, record = collector.origin, collector.record
    rows = tuple(_rows(collector.repository, gathered))
    notes: list[str] = []
    recorded = None
    by_hand = _by_hand(origin, gathered, collector.repository.subfolder)
    wanted = record.default_branch if origin.is_default else record.merge_request
    if not any(entry.lock for entry in gathered.results.stages.values()):
        notes.append("no stage has a result: there is nothing to record")
    elif wanted == "none":
        notes.append("swath.yaml says `record: none` for this kind of pipeline: results stay in the DVC remote")
    elif origin.in_merge_train:
        notes.append(_IN_TRAIN)
    elif origin.from_fork:
        notes.append(f"the merge request comes from a fork: nothing is pushed for it.\n{by_hand}")
    elif not _may_push(origin, collector.bot):
        why = f"{TOKEN_VARIABLE} is not set: nothing is pushed to Git."
        notes.append(f"{why}\n{by_hand}\n{_TOKEN_HINT}{_if_unprotected(origin)}")
    else:
        try:
            recorded = _record(_recording(collector, gathered), origin, gathered, wanted, notes)
        except DeniedError as error:
            if not collector.bot.login.is_job_token:
                raise
            told = f"To have it recorded: {error.hint}.{_if_unprotected(origin)}"
            notes.append(f"{error.message}: nothing is pushed to Git.\n{by_hand}\n{told}")
    return Collected(gathered, rows, recorded, tuple(notes))


_IN_TRAIN: Final = (
    "a merge train records nothing: the results are in the DVC remote, and the target branch's pipeline restores them"
)


_TOKEN_HINT: Final = (
    f"To have it recorded: set {TOKEN_VARIABLE} to a project access token with the scope write_repository "
    "(Settings > CI/CD > Variables, masked), and retry this job."
)


def _if_unprotected(origin: Origin) -> str:
    if origin.is_protected:
        return ""
    return f"\nIf {TOKEN_VARIABLE} is a protected variable: jobs on this unprotected branch do not receive it."


def _by_hand(origin: Origin, gathered: Gathered, subfolder: str) -> str:
    where = pipeline_folder(origin.pipeline, subfolder)
    enter = f"  cd {shlex.quote(f'./{subfolder}')}\n" if subfolder else ""
    commit = gathered.results.commit  # which may be GitLab's own merge, on no branch
    return (
        f"The results are in the DVC remote, under {where}. Into a clone they come with:\n"
        f"  git fetch origin {commit}\n  git checkout {commit}\n{enter}"
        f"  SWATH_PIPELINE={origin.pipeline} swath job collect --write && dvc pull"
    )


def _may_push(origin: Origin, bot: Bot) -> bool:
    return bool(bot.login.token or _BY_KEY.match(origin.url))


def _rows(repository: Repository, gathered: Gathered) -> Iterable[Row]:
    before = entries_at(repository, gathered.results.commit) if gathered.results.stages else {}
    for name, entry in gathered.results.stages.items():
        did: Did = "ran"
        if entry.lock is None:
            did = "failed"
        elif not entry.wall_s:
            did = "unchanged" if before.get(name) == entry.lock else "restored"
        yield Row(name, did, entry.wall_s)
    for name in gathered.missing:
        yield Row(name, "missing", 0.0)


def _recording(collector: Collector, gathered: Gathered) -> Recording:
    repository, origin, bot = collector.repository, collector.origin, collector.bot
    clone = open_clone(repository.root)
    if not origin.url:
        raise UserError("where is the Git server?", hint="set SWATH_GIT_URL to the repository's address")
    commit = gathered.results.commit
    done = sum(entry.lock is not None for entry in gathered.results.stages.values())
    return Recording(
        repository=repository,
        clone=clone,
        server=Server(without_credentials(origin.url), bot.login),
        results=gathered.results,
        pipeline=origin.pipeline,
        signature=Signature(bot.name, bot.email, origin.created or commit_date(clone, commit)),
        message=record_message(origin.pipeline, done, origin.link),
        read_object=_object_reader(repository, collector.store),
    )


def _object_reader(repository: Repository, store: Store) -> Callable[[str], Path]:
    cache = Cache(repository, Hasher(repository))

    def read(md5: str) -> Path:
        content = Content(md5)
        if not cache.has(content):
            store.pull([content])
        if not cache.has(content):
            raise PassingFaultError(f"the DVC remote does not have the object {md5}; retry this job")
        return Path(cache.path(content))

    return read


def _record(recording: Recording, origin: Origin, gathered: Gathered, wanted: str, notes: list[str]) -> Recorded:
    commit = recording.results.commit
    as_commit = wanted == "commit" and gathered.is_complete and origin.branch is not None
    if as_commit and is_second_in_a_row(commit_message(recording.clone, commit), origin.source):
        notes.append(_SECOND)
        as_commit = False
    if as_commit and origin.branch is not None:
        recorded = record_commit(recording, origin.branch)
    else:
        baseline = origin.head or commit
        fetch_by_id(recording.clone, recording.server, baseline)
        name = experiment_name(
            origin.pipeline,
            merge_request=origin.merge_request,
            branch=origin.branch,
            failed=not gathered.is_complete,
            subfolder=recording.repository.subfolder,
        )
        recorded = record_experiment(recording, baseline, name)
        if not gathered.is_complete:
            notes.append(_INCOMPLETE)
    notes.extend(_note(recording, recorded))
    return recorded


_INCOMPLETE: Final = "after a retry of failed jobs, retry this job as well: GitLab does not run it again by itself"
_SECOND: Final = (
    "the commit that was run is one of Swath's own, and its results differ again: a second such commit in a row would "
    "go round in circles, so this is an experiment. `swath verify` finds the stages that are not deterministic."
)


def _note(recording: Recording, recorded: Recorded) -> list[str]:
    """Push the figures; that they could not be is no reason to fail."""
    if recorded.commit is None:
        return []
    try:
        there = note_run_data(recording, recorded.commit)
    except (UserError, PassingFaultError) as error:
        return [f"the figures of the stages could not be noted: {error}"]
    return [] if there else ["the figures of the stages could not be noted: others were always quicker"]


def write_here(repository: Repository, store: Store, gathered: Gathered) -> Changes:
    """Write what would be recorded into the working tree, for a pipeline that could not push.

    Raises:
        UserError: the working tree's files are wrong.
        PassingFaultError: the remote does not answer.
    """
    clone = open_clone(repository.root)
    head = commit_id(clone, "HEAD")
    commit = gathered.results.commit
    if head is None or commit_id(clone, commit) is None:
        raise UserError(
            f"this clone does not have the commit {commit[:12]}", hint=f"fetch it: git fetch origin {commit}"
        )

    changes = changes_at(
        repository, head, gathered.results, _object_reader(repository, store), files_below(clone, head)
    )
    for path, content in changes.files.items():
        target = repository.root / path
        if content is None:
            target.unlink(missing_ok=True)
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f".{target.name}.swath.tmp")
        temporary.write_bytes(content.read_bytes() if isinstance(content, Path) else content)
        temporary.replace(target)
    return changes
