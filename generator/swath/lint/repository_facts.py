"""All that lint looks at, read once: workflows, services, settings, and what Git knows. The only I/O of the checks."""

from __future__ import annotations

import os
from bisect import bisect_left
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from swath.dvc_border.data_files import tracked_paths
from swath.dvc_border.params import load_params_file
from swath.errors import Finding, FindingsError, Place, UserError
from swath.files.git_program import call_git, names_in
from swath.lint.group import Group, definition_with_signs
from swath.lint.images import ImageFacts, read_images
from swath.lint.parameters import parameter_findings
from swath.load.made_files import own_files
from swath.load.services import read_service, service_names
from swath.load.settings import read_settings
from swath.load.workflows import Workflow, WorkflowRead, build_stage, read_outputs
from swath.model.graph import build_graph

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from swath.dvc_border.repository import Repository
    from swath.model.service import Service
    from swath.model.settings import Settings
    from swath.model.stage import JSONValue, Stage
    from swath.schema.yaml12 import Document

_SERVICES: Final = "services"


@dataclass(frozen=True, slots=True)
class GitFiles:
    """What Git knows of the working tree.

    Attributes:
        tracked: paths from the root, sorted.
        untracked: files in `services/` that Git neither tracks nor ignores, sorted.
        ignored: files in `services/` that Git ignores, sorted.
    """

    tracked: tuple[str, ...]
    untracked: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()

    def has(self, path: str) -> bool:
        """Whether Git tracks `path`, or something in it."""
        return path == "." or _starting(self.tracked, path)

    def is_tracked(self, path: str) -> bool:
        """Whether Git has an entry for just this path: a file, or a submodule."""
        return _has(self.tracked, path)


@dataclass(frozen=True, slots=True)
class RepositoryFacts:
    """One reading of a repository.

    Attributes:
        load_findings: what loading alone found.
        groups: of all workflows that could be read.
        services: by name; None for one whose service.yaml has not even the form of one.
        settings_document: swath.yaml; None when there is none, or it is not YAML.
        git: None outside of Git.
        dvcignore: the lines of the root's `.dvcignore`.
        existing: deps that are on the disk.
        provided: paths that stages and `.dvc` files make, sorted.
        is_complete: all stages of all files could be read.
        ignored_outputs: outputs that `.dvcignore` takes out.
        images: of services whose image is built.
    """

    load_findings: tuple[Finding, ...]
    groups: tuple[Group, ...]
    services: Mapping[str, Service | None]
    settings: Settings
    settings_document: Document | None
    git: GitFiles | None
    dvcignore: tuple[str, ...] = ()
    workflow_files: tuple[str, ...] = ()
    existing: frozenset[str] = frozenset()
    provided: tuple[str, ...] = ()
    is_complete: bool = True
    ignored_outputs: frozenset[str] = frozenset()
    images: tuple[ImageFacts, ...] = ()

    @property
    def stages(self) -> Iterator[Stage]:
        """All resolved stages."""
        return (stage for group in self.groups if not group.is_outline for stage in group.stages)

    def makes(self, path: str) -> bool:
        """Whether a stage or a `.dvc` file provides `path`, a part of it, or a folder around it."""
        return path == "." or _starting(self.provided, path) or any(_has(self.provided, p) for p in parents(path))


def read_facts(repository: Repository) -> RepositoryFacts:
    """Read a repository for lint, whatever is wrong with it."""
    findings: list[Finding] = []
    read: dict[str, WorkflowRead] = {}
    data = _data(repository, read, findings)
    workflows, is_complete = [], True
    for workflow, found in read.values():
        findings.extend(finding for finding in found if finding.rule != "one-word")  # lint tells it by group
        is_complete = is_complete and all(finding.rule == "one-word" for finding in found)
        workflows += [workflow] if workflow else []
    stages = [stage for workflow in workflows for stage in workflow.stages]
    findings.extend(_graph_findings(stages, data))
    findings.extend(parameter_findings(repository, stages))
    services: dict[str, Service | None] = {}
    for name in service_names(repository.root):
        services[name], service_findings = read_service(repository.root, name)
        findings.extend(service_findings)
    settings, settings_findings, settings_document = read_settings(repository.root)
    groups = tuple(group for workflow in workflows for group in _groups(repository, workflow))
    everything = [stage for group in groups for stage in group.stages]
    deps = {dep.path for stage in everything for dep in stage.deps}
    return RepositoryFacts(
        load_findings=(*findings, *settings_findings),
        groups=groups,
        services=services,
        settings=settings,
        settings_document=settings_document,
        git=_git_files(repository),
        dvcignore=_lines(repository.root / ".dvcignore"),
        workflow_files=repository.workflow_files,
        is_complete=is_complete,
        ignored_outputs=frozenset(out.path for stage in stages for out in stage.outs if _is_out(repository, out.path)),
        existing=frozenset(dep for dep in deps if os.path.lexists(repository.root / dep)),
        provided=tuple(sorted({*data, *(out.path for stage in everything for out in stage.outs)})),
        images=read_images(repository.root, services.values()),
    )


def parents(path: str) -> Iterator[str]:
    """The folders around a path, from the top."""
    end = path.find("/", 1)
    while end > 0:
        yield path[:end]
        end = path.find("/", end + 1)


def _starting(paths: Sequence[str], path: str) -> bool:
    """Whether sorted `paths` have `path`, or something in it."""
    if _has(paths, path):
        return True
    position = bisect_left(paths, path + "/")
    return position < len(paths) and paths[position].startswith(path + "/")


def _has(paths: Sequence[str], path: str) -> bool:
    position = bisect_left(paths, path)
    return position < len(paths) and paths[position] == path


def _data(repository: Repository, read: dict[str, WorkflowRead], findings: list[Finding]) -> Mapping[str, str]:
    try:
        return tracked_paths(own_files(repository, partial(read_outputs, repository, read)))
    except UserError as error:
        findings.append(Finding(error.place or Place("."), "data-file", error.message, error.hint))
        return {}


def _graph_findings(stages: Sequence[Stage], data: Mapping[str, str]) -> Iterable[Finding]:
    try:
        build_graph(stages, data)
    except FindingsError as error:
        return error.findings
    return ()


def _groups(repository: Repository, workflow: Workflow) -> Iterator[Group]:
    stages: dict[str, list[Stage]] = {}
    for stage in workflow.stages:
        stages.setdefault(stage.group, []).append(stage)
    generated = _generated_keys(repository, workflow) if workflow.pending else None
    value = workflow.document.value
    raw = value.get("stages") if isinstance(value, dict) else None
    for name, definition in workflow.definitions.items():
        entry = raw.get(name) if isinstance(raw, dict) else None
        is_foreach = isinstance(entry, dict) and "foreach" in entry
        steps = ("stages", name, "do") if is_foreach else ("stages", name)
        signs: dict[str, str] = {}
        found = tuple(stages.get(name, ()))
        outline = () if found else _outline(repository, workflow, name, definition, signs)
        back = {sign: template for template, sign in signs.items()}
        yield Group(
            document=workflow.document,
            name=name,
            steps=steps,
            definition=definition,
            stages=found or outline,
            signs=back,
            is_outline=not found,
            pending=workflow.pending.get(name, ""),
            generated_keys=generated,
        )


def _generated_keys(repository: Repository, workflow: Workflow) -> frozenset[str] | None:
    """Top-level keys of the `vars` files that the workflow's own stages write; None when one is not there yet."""
    keys: set[str] = set()
    outputs = {out.path for stage in workflow.stages for out in stage.outs}
    for file in outputs.intersection(workflow.vars_files):
        if not (repository.root / file).is_file():
            return None
        content = load_params_file(str(repository.root / file), file)
        keys.update(content if isinstance(content, dict) else ())
    return frozenset(keys)


def _outline(
    repository: Repository, workflow: Workflow, name: str, definition: Mapping[str, JSONValue], signs: dict[str, str]
) -> tuple[Stage, ...]:
    """The group as one stage, with a sign for each template."""
    signed = definition_with_signs({key: item for key, item in definition.items() if key != "meta"}, signs)
    try:
        return (build_stage(repository, workflow, name, signed if isinstance(signed, dict) else {}),)
    except UserError:
        return ()


def _lines(path: os.PathLike[str]) -> tuple[str, ...]:
    try:
        with open(path, encoding="utf-8") as file:
            return tuple(file.read().splitlines())
    except (OSError, UnicodeDecodeError):
        return ()


def _git_files(repository: Repository) -> GitFiles | None:
    if not repository.has_git:
        return None
    tracked = _git_names(repository, [])
    if tracked is None:
        return None
    others = [path for path in _git_names(repository, ["--others", "--", _SERVICES]) or () if _counts(repository, path)]
    command = ["--others", "--ignored", "--exclude-standard", "--", _SERVICES]
    ignored = set(_git_names(repository, command) or ())
    return GitFiles(
        tuple(sorted(tracked)),
        tuple(sorted(path for path in others if path not in ignored)),
        tuple(sorted(path for path in others if path in ignored)),
    )


def _git_names(repository: Repository, arguments: Sequence[str]) -> list[str] | None:
    result = call_git(repository.root, "ls-files", "-z", *arguments)
    return names_in(result.stdout) if result.returncode == 0 else None


def _is_out(repository: Repository, path: str) -> bool:
    """Whether `.dvcignore` takes a path out."""
    if repository.ignore is None or "://" in path or path.startswith("/"):
        return False
    full = str(repository.root / path)
    return bool(repository.ignore.is_ignored_file(full) or repository.ignore.is_ignored_dir(full))


def _counts(repository: Repository, path: str) -> bool:
    """Whether `.dvcignore` lets a file count."""
    return repository.ignore is None or not repository.ignore.is_ignored_file(str(repository.root / path))
