"""dvc.yaml files -> stages.

Reads every dvc.yaml of a repository, has DVC's resolver expand it, and makes frozen `Stage` values. All problems of all
files are gathered; the caller decides whether they are fatal.
"""

from __future__ import annotations

import os
import posixpath
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final

from swath.dvc_border import schema as dvc_schema
from swath.dvc_border.data_files import tracked_paths
from swath.dvc_border.params import merge_keys
from swath.dvc_border.templating import resolve
from swath.errors import Finding, FindingsError, Place, UserError
from swath.load.made_files import own_files
from swath.load.one_word import one_word_findings
from swath.load.template_errors import template_findings, vars_error
from swath.model.graph import StageGraph, build_graph
from swath.model.stage import Dependency, JSONValue, Output, OutputKind, ParamsRead, Stage
from swath.schema.folder_listing import is_private
from swath.schema.yaml12 import Document

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from swath.dvc_border.data_files import DataOutput
    from swath.dvc_border.repository import Repository

_OUTPUT_KINDS: Final[tuple[OutputKind, ...]] = ("outs", "metrics", "plots")


@dataclass(frozen=True, slots=True)
class Workflow:
    """One dvc.yaml, resolved.

    Attributes:
        file: its path from the root.
        document: its text's value and places.
        stages: in DVC's order.
        vars_files: files that its templating read, from the root.
        pending: groups that wait for a `vars` file which one of the stages makes, with the message why.
        definitions: the raw definition of each group (what stands under `do` for foreach).
    """

    file: str
    document: Document
    stages: tuple[Stage, ...]
    vars_files: tuple[str, ...] = ()
    pending: Mapping[str, str] = field(default_factory=dict)
    definitions: Mapping[str, Mapping[str, JSONValue]] = field(default_factory=dict)


WorkflowRead = tuple[Workflow | None, tuple[Finding, ...]]


@dataclass(frozen=True, slots=True)
class Loaded:
    """All workflows of a repository.

    Attributes:
        workflows: by file.
        graph: of all their stages.
        generators: stages that write a `vars` file: which stages exist is known only after they ran.
        data: what `.dvc` files track.
    """

    workflows: Mapping[str, Workflow]
    graph: StageGraph
    generators: tuple[str, ...] = ()
    data: tuple[DataOutput, ...] = ()

    @property
    def pending(self) -> dict[str, str]:
        """Groups of all files that wait for a generator: ``file: group`` to the message."""
        return {f"{w.file}: {group}": why for w in self.workflows.values() for group, why in w.pending.items()}


def load_workflows(repository: Repository, *, tolerant: bool = False) -> Loaded:
    """Load all workflows and the data beside them; files in something that is made count no more in `repository`.

    Args:
        tolerant: outputs may overlap, as for `dvc status`; the graph has them.

    Raises:
        FindingsError: files or stages are wrong; all of them, in the order of their places.
        UserError: a `.dvc` file is wrong, or the stages do not form a graph.
    """
    read: dict[str, WorkflowRead] = {}
    data = own_files(repository, partial(read_outputs, repository, read))
    findings = [finding for _, found in read.values() for finding in found]
    if findings:
        raise FindingsError(sorted(findings))
    workflows = {file: workflow for file, (workflow, _) in read.items() if workflow is not None}
    stages = [stage for workflow in workflows.values() for stage in workflow.stages]
    graph = build_graph(stages, tracked_paths(data), tolerant=tolerant)
    return Loaded(workflows, graph, _generators(workflows.values(), stages), data)


def load_workflow(repository: Repository, file: str) -> Workflow:
    """Load one dvc.yaml.

    Raises:
        FindingsError: it is not YAML, has another shape than DVC's, or a stage cannot be resolved.
    """
    workflow, findings = read_workflow(repository, file)
    if workflow is None or findings:
        raise FindingsError(findings)
    return workflow


def read_outputs(repository: Repository, read: dict[str, WorkflowRead], file: str) -> Iterator[str]:
    """Read a dvc.yaml into `read`, and give the outputs of its stages; those of pending groups with their templates."""
    workflow, _ = read[file] = read_workflow(repository, file)
    if workflow is not None:
        yield from (out.path for stage in workflow.stages for out in stage.outs)
        for group in workflow.pending:
            for wdir, path in _output_texts(workflow.definitions[group]):
                yield posixpath.join(posixpath.dirname(file), wdir, path)


def read_workflow(repository: Repository, file: str) -> WorkflowRead:
    """As much of one dvc.yaml as can be taken, and what is wrong with it.

    Returns:
        The workflow with those stages that are right, None when the file has not even the shape of one; and the
        findings, in the order of the file.
    """
    try:
        document = read_document(repository, file)
        findings = dvc_schema.check(document.value, document)
        value = _without(document.value, findings) if findings else document.value
        if value is None:
            return None, tuple(sorted(findings))
        workflow, more = _resolved(repository, document, value)
        return workflow, tuple(sorted([*findings, *more]))
    except UserError as error:
        return None, (Finding(error.place or Place(file), "workflow", error.message, error.hint),)


def _without(value: JSONValue, findings: Sequence[Finding]) -> JSONValue:
    """The document without the stages that have findings; None when findings are elsewhere."""
    stages = value.get("stages") if isinstance(value, dict) else None
    if not isinstance(value, dict) or not isinstance(stages, dict):
        return None
    keys = {finding.place.key for finding in findings}
    broken = {name for name in stages for key in keys if f"{key}.".startswith((f"stages.{name}.", f"stages.{name}["))}
    if any(not any(f"{key}.".startswith((f"stages.{name}.", f"stages.{name}[")) for name in broken) for key in keys):
        return None
    return {**value, "stages": {name: stage for name, stage in stages.items() if name not in broken}}


def _resolved(repository: Repository, document: Document, value: JSONValue) -> tuple[Workflow, tuple[Finding, ...]]:
    file = document.file
    definitions = value.get("stages") or {} if isinstance(value, dict) else {}
    produced = _literal_outputs(repository, file, definitions)
    try:
        templated = resolve(repository, file, _without_nulls(value), empty=produced)
    except UserError as error:
        raise vars_error(repository, document, error) from error
    waits = {os.path.relpath(path, repository.root) for path in produced} & set(templated.vars_files)
    findings = [
        *_bad_names(document, definitions),
        *(() if waits else template_findings(repository, document, templated)),
    ]
    builder = _StageBuilder(repository, file, document)
    stages = []
    for key, definition in templated.stages.items():
        try:
            stages.append(builder.build(key, templated.groups[key], definition))
        except UserError as error:
            findings.append(Finding(error.place or Place(file), "stage", error.message, error.hint))
    raw = {group: _body(definition) for group, definition in definitions.items()}
    findings.extend(one_word_findings(stages, raw, document))
    pending = templated.unresolved if waits else {}
    workflow = Workflow(file, document, tuple(stages), templated.vars_files, pending, raw)
    return workflow, tuple(sorted(findings))


def read_document(repository: Repository, file: str) -> Document:
    """The YAML of one file of the repository.

    Raises:
        UserError: it cannot be read, or is not YAML.
    """
    try:
        text = (repository.root / file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            f"cannot be read: {error}", place=Place(file), hint="a text file in UTF-8 is expected"
        ) from error
    return Document(text, file)


def build_stage(repository: Repository, workflow: Workflow, group: str, definition: Mapping[str, JSONValue]) -> Stage:
    """The stage that one definition of a workflow would be, named as its group; for checks of what is not resolved.

    Raises:
        UserError: a path or another value cannot be what it should be.
    """
    return _StageBuilder(repository, workflow.file, workflow.document).build(group, group, definition)


def _without_nulls(value: JSONValue) -> dict[str, JSONValue]:
    """Top-level sections that are empty count as absent."""
    return {key: item for key, item in value.items() if item is not None} if isinstance(value, dict) else {}


def _body(definition: JSONValue) -> Mapping[str, JSONValue]:
    if not isinstance(definition, dict):
        return {}
    inner = definition.get("do", definition)
    return inner if isinstance(inner, dict) else {}


def _literal_outputs(repository: Repository, file: str, definitions: Mapping[str, JSONValue]) -> frozenset[str]:
    """Absolute paths of outputs named without templates: a `vars` file among them may still be missing."""
    folder = repository.root / posixpath.dirname(file)
    paths = set()
    for definition in definitions.values():
        for wdir, path in _output_texts(_body(definition)):
            if "${" not in f"{path}{wdir}":
                paths.add(os.path.normpath(folder / wdir / path))
    return frozenset(paths)


def _output_texts(body: Mapping[str, JSONValue]) -> Iterator[tuple[str, str]]:
    """The wdir and each output of a raw definition."""
    wdir = str(body.get("wdir") or ".")
    for kind in _OUTPUT_KINDS:
        items = body.get(kind)
        for item in items if isinstance(items, list) else ():
            for path in [item] if isinstance(item, str) else list(item) if isinstance(item, dict) else []:
                yield wdir, str(path)


def _generators(workflows: Iterable[Workflow], stages: Sequence[Stage]) -> tuple[str, ...]:
    read = {path for workflow in workflows for path in workflow.vars_files}
    return tuple(stage.name for stage in stages if any(out.path in read for out in stage.outs))


class _StageBuilder:
    """Makes the stages of one file."""

    def __init__(self, repository: Repository, file: str, document: Document) -> None:
        self._root, self._home = str(repository.root), str(repository.home)
        self._file = file
        self._folder = posixpath.dirname(file)
        self._document = document
        self._places: dict[str, Place] = {}

    def build(self, key: str, group: str, definition: Mapping[str, JSONValue]) -> Stage:
        """The stage of one resolved definition.

        Raises:
            UserError: a path or another value cannot be what it should be.
        """
        place = self._places.get(group) or self._places.setdefault(group, self._document.place("stages", group))
        if key == f"{group}@":
            hint = "DVC cannot find a stage that is called so: give the item a text"
            raise UserError(f"stage {key}: an item of its foreach is empty", place=place, hint=hint)
        wdir = self._wdir(str(definition.get("wdir") or "."))
        if wdir == ".." or wdir.startswith(("../", "/")):
            raise UserError(
                f"stage {key}: its wdir {wdir} is outside the repository", place=place, hint="use a folder inside"
            )
        cmd = definition.get("cmd")
        if not isinstance(cmd, str | list) or (isinstance(cmd, list) and not all(isinstance(c, str) for c in cmd)):
            hint = "let the template be a part of a text"
            raise UserError(f"stage {key}: its command is no text: {cmd!r}", place=place, hint=hint)
        outs = [out for kind in _OUTPUT_KINDS for out in self._outputs(definition.get(kind), kind, wdir, place)]
        params = merge_keys(list(_as_list(definition.get("params"))))
        for file in params:
            if not isinstance(file, str):
                raise UserError(f"a parameter file must be a path, found {file}", place=place, hint="put it in quotes")
        meta = definition.get("meta")
        stage = Stage(
            name=key if self._file == "dvc.yaml" else f"{self._file}:{key}",
            file=self._file,
            key=key,
            group=group,
            cmd=tuple(cmd) if isinstance(cmd, list) else cmd,
            wdir=wdir,
            deps=tuple(self._dependency(text, wdir, place) for text in _as_list(definition.get("deps"))),
            outs=tuple(outs),
            params=tuple(ParamsRead(self._path(file, wdir), file, keys) for file, keys in params.items()),
            frozen=bool(definition.get("frozen")),
            always_changed=bool(definition.get("always_changed")),
            meta=meta if isinstance(meta, dict) else {},
            place=place,
        )
        self._check(stage)
        return stage

    def _dependency(self, text: JSONValue, wdir: str, place: Place) -> Dependency:
        if not isinstance(text, str):
            raise UserError(f"a dep must be a path, found {text!r}", place=place)
        if not text:
            raise UserError("a dep is empty", place=place, hint="write a path; . is the folder itself")
        if _is_workflow_file(text) and "://" not in text:
            raise UserError(f"{text} cannot be a dep: DVC itself reads it", place=place, hint="take it out")
        return Dependency(self._path(text, wdir), self._text(text, wdir))

    def _outputs(self, items: JSONValue, kind: OutputKind, wdir: str, place: Place) -> Iterable[Output]:
        for item in _as_list(items):
            pairs = item.items() if isinstance(item, dict) else [(item, {})]
            for text, settings in pairs:
                if not isinstance(text, str):
                    raise UserError(f"an output must be a path, found {text!r}", place=place)
                if not text:
                    raise UserError("an output is empty", place=place, hint="write a path")
                listed = isinstance(settings, list)
                flags = {k: v for each in settings for k, v in each.items()} if listed else settings or {}
                yield Output(
                    path=self._path(text, wdir),
                    text=self._text(text, wdir),
                    kind=kind,
                    cache=bool(flags.get("cache", True)),
                    persist=bool(flags.get("persist", False)),
                    push=bool(flags.get("push", True)),
                    remote=flags.get("remote"),
                )

    def _wdir(self, text: str) -> str:
        """From the root; an absolute one may name the user's checkout when this is an export of a revision."""
        path = posixpath.normpath(posixpath.join(self._folder, text))
        if not os.path.isabs(path):
            return path
        found = [os.path.relpath(path, root) for root in (self._root, self._home)]
        return next((inside for inside in found if not inside.startswith("..")), path)

    def _path(self, text: str, wdir: str) -> str:
        """From the root; what lies outside stays as it is."""
        if "://" in text:
            return text
        if os.path.isabs(text):
            inside = os.path.relpath(text, self._root)
            return text if inside.startswith("..") else inside
        path = posixpath.normpath(posixpath.join(wdir, text))
        return os.path.normpath(os.path.join(self._root, path)) if path.startswith("../") else path

    def _text(self, text: str, wdir: str) -> str:
        if os.path.isabs(text) and not os.path.relpath(text, self._root).startswith(".."):
            return os.path.relpath(text, os.path.join(self._root, wdir))
        return text

    @staticmethod
    def _check(stage: Stage) -> None:
        outs = [out.path for out in stage.outs]
        for path in outs:
            _check_output(stage, path)
        if len(set(outs)) < len(outs):  # a dep may stand twice: DVC takes it
            twice = next(path for path in outs if outs.count(path) > 1)
            message = f"stage {stage.name}: {twice} stands twice in its outputs"
            raise UserError(message, place=stage.place, hint="once is enough")
        if not stage.cmd:
            raise UserError(
                f"stage {stage.name}: its command is empty", place=stage.place, hint="write a command under cmd"
            )


def _check_output(stage: Stage, path: str) -> None:
    if _is_workflow_file(path) or f"{stage.file}/".startswith(f"{path}/") or path == ".":
        message = f"stage {stage.name}: the output {path} would replace {stage.file}, or a file like it"
        raise UserError(message, place=stage.place, hint="let the stage write elsewhere")
    if is_private(path):
        message = f"stage {stage.name}: the output {path} lies in a folder that is not the user's"
        raise UserError(message, place=stage.place, hint="let the stage write elsewhere")
    if any(dep.path == path for dep in stage.deps):
        message = f"stage {stage.name}: {path} is a dep and an output at once"
        raise UserError(message, place=stage.place, hint="take it out of one of the two")


def _bad_names(document: Document, definitions: Mapping[str, JSONValue]) -> Iterable[Finding]:
    for name in definitions:
        if "@" in name:
            message = f"{name!r} cannot be a stage's name: DVC writes @ between a group and its key"
            yield Finding(document.place("stages", name), "stage", message, "choose a name without @")


def _is_workflow_file(path: str) -> bool:
    return path.endswith(".dvc") or posixpath.basename(path) == "dvc.yaml"


def _as_list(value: JSONValue) -> Sequence[JSONValue]:
    return value if isinstance(value, list) else [] if value is None else [value]
