"""`swath compile`: a commit -> the GitLab child pipeline that brings its stages up to date.

    HEAD's files ─▶ decisions ─▶ jobs ─▶ images that are missing ─▶ YAML ─▶ checked

No data is needed on this machine; the DVC remote is asked what can be restored, the registry which images are there.
Nothing is written here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from swath.dvc_border.revision import commit_id
from swath.emit.check import check
from swath.emit.own_jobs import Build, Own
from swath.emit.pipeline import Context, child_pipeline
from swath.emit.script import enter
from swath.emit.yaml import to_yaml
from swath.errors import UserError
from swath.images.build_script import build_job
from swath.images.reference import resolved
from swath.images.registry import missing_images
from swath.images.service_image import swath_image
from swath.job.earlier_levels import files_and_entries
from swath.job.merge_train import check_merge_train, in_merge_train
from swath.job.origin import is_from_fork
from swath.job.planned import Workloads, planned_jobs
from swath.job.remote_facts import RemoteFacts, decide_with_remote
from swath.job.server_version import at_server
from swath.load.revision import opened_revision
from swath.load.settings import read_settings
from swath.load.targets import select_stages
from swath.model.bot_commit import is_second_in_a_row
from swath.model.plan import Decision
from swath.plan.choose_runner import cheapest_runner
from swath.plan.scope import Scope, scope
from swath.plan.work_key import work_keys
from swath.record.git import commit_message, open_clone
from swath.schema.decisions_text import encode

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from swath.dvc_border.remote_store import RemoteStore
    from swath.dvc_border.repository import Repository
    from swath.images.service_image import ServiceImage
    from swath.load.revision import OpenRevision
    from swath.model.graph import StageGraph
    from swath.model.jobs import PipelinePlan
    from swath.model.settings import Settings
    from swath.schema.yaml12 import Document

_MOST_FINDINGS: Final = 10  # that a message names


@dataclass(frozen=True, slots=True)
class CompileOptions:
    """What the user asked for.

    Attributes:
        targets: as DVC takes them; none: what swath.yaml says under `ci.workflows`, or all workflows.
        below: the user's working directory, from the root.
        level: of the child pipeline: 2 for stages that a level before made known.
        ask_registry: else all images count as missing.
    """

    targets: tuple[str, ...] = ()
    below: str = "."
    level: int = 1
    ask_registry: bool = True


@dataclass(frozen=True, slots=True)
class Compiled:
    """A pipeline, ready to be written.

    Attributes:
        services: stage name to service name.
        builds: images that it makes.
        images: of all stages' services, by reference; those that the registry has and those that it has not.
        notes: what the user should know, one sentence each.
    """

    text: str
    plan: PipelinePlan
    decisions: Mapping[str, Decision]
    services: Mapping[str, str | None]
    builds: tuple[str, ...]
    images: tuple[str, ...]
    notes: tuple[str, ...]


def compile_pipeline(
    repository: Repository, options: CompileOptions, environ: Mapping[str, str], store: RemoteStore | None
) -> Compiled:
    """Compile HEAD.

    Args:
        environ: GitLab's variables, when there are any.
        store: the DVC remote; None: there is none, or it is not to be asked.

    Raises:
        UserError: files are wrong, or GitLab would refuse the pipeline; says which limit.
        PassingFaultError: the registry or the remote does not answer.
    """
    commit = commit_id(repository)
    earlier = None
    if options.level > 1:
        earlier = files_and_entries(store, environ, commit, options.level, repository.subfolder)
    with opened_revision(repository, commit, earlier) as opened:
        settings, findings, document = read_settings(opened.repository.root)
        if findings:
            raise UserError("\n".join(str(finding) for finding in findings))
        settings = at_server(settings, environ)
        graph = opened.loaded.graph
        facts = RemoteFacts(opened, store)
        settled = is_second_in_a_row(commit_message(open_clone(repository.root), commit), _source(environ))
        decisions = _decisions(graph, facts, settled=settled)
        chosen = _chosen(opened, options, document)
        wanted = scope(graph, decisions, chosen, opened.loaded.generators)
        loads = Workloads(opened.repository.root, settings, environ)
        if in_merge_train(environ) and not is_from_fork(environ):  # a fork's is planned only, whatever comes out
            check_merge_train(graph, wanted.kinds, loads.long(graph.stages.values()))
        plan = planned_jobs(
            opened.repository,
            graph,
            wanted.kinds,
            settings,
            commit=commit,
            level=options.level,
            keys=work_keys(graph, wanted.kinds, facts),
            continues=wanted.continues,
            loads=loads,
        )
        notes = (*_pending_notes(opened, wanted), *_runner_notes(plan, settings))
        used = {reference for job in plan.jobs for reference in job.images}
        images = tuple(image for image in loads.images() if image.reference in used)
        missing, more = _missing(images, options, environ)
    builds = tuple(_build(image, settings, repository.subfolder) for image in images if image.reference in missing)
    text = _checked_text(plan, settings, builds, encode(wanted.kinds.values()))
    names = tuple(build.reference for build in builds)
    every = tuple(image.reference for image in loads.images())
    return Compiled(text, plan, decisions, loads.services, names, every, (*notes, *more))


def _source(environ: Mapping[str, str]) -> str:
    return environ.get("SWATH_PIPELINE_SOURCE") or environ.get("CI_PIPELINE_SOURCE") or ""


def _decisions(graph: StageGraph, facts: RemoteFacts, *, settled: bool) -> dict[str, Decision]:
    """Decisions about all stages.

    Args:
        settled: the commit records a pipeline, and only its push asks: what always changes counts as done.
    """
    if not settled:
        return decide_with_remote(graph, facts)
    calm = replace(graph, stages={name: replace(s, always_changed=False) for name, s in graph.stages.items()})
    decisions = decide_with_remote(calm, facts)
    for name, decision in decisions.items():
        if {reason.kind for reason in decision.reasons} == {"always"}:  # neither deps nor outs: nothing is behind it
            decisions[name] = Decision("unchanged")
    return decisions


def _chosen(opened: OpenRevision, options: CompileOptions, document: Document | None) -> set[str]:
    """The stages that the pipeline is about, and what they need.

    `ci.workflows` counts when swath.yaml says it; else all workflows are meant, as for `swath run`.
    """
    loaded = opened.loaded
    files: Sequence[str] = ()
    said: Any = document.value if document else None
    if not options.targets and isinstance(said, dict) and isinstance(said.get("ci"), dict):
        files = said["ci"].get("workflows") or ()
        absent = [file for file in files if file not in loaded.workflows]
        if absent and document:
            place = document.place("ci", "workflows")
            raise UserError(f"there is no {absent[0]}", place=place, hint="correct the path, or commit the file")
    if files:
        return loaded.graph.before(name for name, stage in loaded.graph.stages.items() if stage.file in files)
    return loaded.graph.before(select_stages(loaded, options.targets, below=options.below))


def _pending_notes(opened: OpenRevision, wanted: Scope) -> tuple[str, ...]:
    if wanted.continues:
        return ()
    return tuple(f"{group} is not known yet: {why}" for group, why in opened.loaded.pending.items())


def _runner_notes(plan: PipelinePlan, settings: Settings) -> tuple[str, ...]:
    """What it means that long jobs hold the only runner that our own jobs can go to."""
    own = cheapest_runner(settings.runners)
    if own.concurrency > 1 or all(job.interruptible or job.runner.tags != own.tags for job in plan.jobs):
        return ()
    note = (
        f"the runners [{', '.join(own.tags)}] run one job at a time, long stages and Swath's own jobs (plan, collect) "
        "alike: these wait until a long stage ends, and GitLab drops what waits for a day. A second runner for small "
        "jobs prevents that"
    )
    return (note,)


def _missing(
    images: Sequence[ServiceImage], options: CompileOptions, environ: Mapping[str, str]
) -> tuple[frozenset[str], tuple[str, ...]]:
    """The images to build, and what to say about it."""
    everything = frozenset(image.reference for image in images)
    if not images or not options.ask_registry:
        return everything, ()
    if not environ.get("GITLAB_CI"):
        try:
            for image in images:
                resolved(image.repository, environ)
        except UserError:
            note = "no registry is known here, outside GitLab: all images count as missing, and are built"
            return everything, (note,)
    return missing_images(images, environ), ()


def _build(image: ServiceImage, settings: Settings, subfolder: str) -> Build:
    made = build_job(image, settings)
    name = image.service or "default"
    return Build(
        name=f"build:{name}.{image.variant}" if image.variant else f"build:{name}",
        reference=image.reference,
        image=made.image,
        entrypoint=made.entrypoint,
        services=made.services,
        variables=made.variables,
        script=(*(enter(subfolder) if image.build else ()), *made.script),
    )


def _checked_text(plan: PipelinePlan, settings: Settings, builds: Sequence[Build], decisions: str) -> str:
    own = Own(swath_image(settings), cheapest_runner(settings.runners), settings.ci.version, plan.subfolder)
    document = child_pipeline(plan, Context(own, builds, decisions, settings.ci.needs))
    text = to_yaml(document)
    findings = check(document, text, settings, plan.level)
    if findings:
        shown = list(findings[:_MOST_FINDINGS])
        more = [f"and {len(findings) - len(shown)} more"] if len(findings) > len(shown) else []
        hint = "nothing was written; see docs/reference/gitlab-ci.md for the limits"
        raise UserError("\n".join(["GitLab would refuse the pipeline", *shown, *more]), hint=hint)
    return text
