"""The files that `swath init` writes: swath.yaml, GitLab's CI file, lines of .dvcignore. Text only; nothing is written.

Called by `job/setup.py`.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from swath.emit.job import clean, retry
from swath.emit.own_jobs import auto_cancel, strategy
from swath.emit.script import enter, from_subfolder, swath_command
from swath.emit.yaml import Flow, FlowMap, to_yaml
from swath.images.service_image import swath_image
from swath.plan.choose_runner import cheapest_runner

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from swath.emit.job import Version
    from swath.model.settings import Settings
    from swath.model.stage import JSONValue

CI_FILE: Final = ".gitlab-ci.yml"
_INCLUDED_FILE: Final = ".gitlab/swath.yml"
_INCLUDED_FOLDER: Final = ".gitlab/swath"  # files of DVC repositories in folders of Git's checkout
CHILD_FILE: Final = "swath-child.yml"
_LONGEST_NAME: Final = 150
MARK: Final = "# Written by `swath init`."
_TEMPLATES: Final = Path(__file__).parent / "templates"
_LAST_CI_STAGE: Final = "deploy"  # of those that GitLab takes when a file names none
_USUAL_CI_STAGE: Final = "test"
# The forms of `include`: a block list, a list in brackets, one entry in a line, one entry over several lines.
_BLOCK_LIST: Final = re.compile(r"^include:[ \t]*(?:#.*)?\n(?:[ \t]*(?:#.*)?\n)*([ \t]*)- ", re.MULTILINE)
_FLOW_LIST: Final = re.compile(r"^include:[ \t]*\[", re.MULTILINE)
_ONE_LINE: Final = re.compile(r"^include:[ \t]+(?=[^\s#\[&*!|>])(.*)$", re.MULTILINE)
_BLOCK_MAP: Final = re.compile(
    r"^include:[ \t]*(?:#.*)?\n((?:[ \t]*#.*\n|[ \t]*\n)*)(([ \t]+)\S.*\n(?:\3.*\n|[ \t]*\n)*)", re.MULTILINE
)
_NOT_IN_NAMES: Final = re.compile(r"[^A-Za-z0-9_.@/+-]+")
_PROJECT: Final = re.compile(r"\$CI_PROJECT_PATH != \"([^\"\s]+)\"")
_INCLUDES_ONLY: Final = """\
# Each DVC repository of this Git repository has its jobs in a file of its own: `swath init` in its folder adds it here.
"""
_STOPPING: Final = "# A newer push stops jobs that only check and plan, no trigger of a pipeline that trains.\n"
_HEAD: Final = re.compile(r"\A(?:#.*\n|\n)*")
_DOCUMENT_START: Final = re.compile(r"^---[ \t]*(?:#.*)?\n", re.MULTILINE)


def render_settings(gpu_stages: Mapping[str, int]) -> str:
    """A commented swath.yaml.

    Args:
        gpu_stages: stages that ask for GPUs, with how many.
    """
    names = ", ".join(list(gpu_stages)[:3]) + (" …" if len(gpu_stages) > 3 else "")
    return _render(
        "swath.yaml.j2", {"gpus": max(gpu_stages.values(), default=0), "gpu_stages": " ".join(names.split())}
    )


def plain_name(subfolder: str) -> str:
    """A folder as jobs and files are called after it: nothing in it means something to GitLab, YAML or a shell."""
    name = _NOT_IN_NAMES.sub("-", subfolder)[:_LONGEST_NAME]
    return name if name == subfolder else f"{name}-{hashlib.sha256(subfolder.encode()).hexdigest()[:8]}"


def included_file(subfolder: str) -> str:
    """The file with our jobs where GitLab's CI file is not ours alone, from the top of Git's checkout."""
    return f"{_INCLUDED_FOLDER}/{plain_name(subfolder)}.yml" if subfolder else _INCLUDED_FILE


def render_ci_file(settings: Settings, ci_stage: str | None, subfolder: str = "") -> str:
    """GitLab's CI file.

    Args:
        ci_stage: of the file that includes this one; None: the file stands alone.
        subfolder: the DVC repository's folder in Git's checkout; empty: the top.
    """
    version = settings.ci.version
    stopping = auto_cancel(version)
    values = {
        "image": swath_image(settings),
        "tags": list(cheapest_runner(settings.runners).tags),
        "retry": _in_one_line(FlowMap(retry(version))),
        "strategy": strategy(version),
        "auto_cancel": _in_one_line(stopping["auto_cancel"]) if stopping else "",
        "fork_rules": _fork_rules(settings),
        "ci_stage": ci_stage,
        "suffix": f":{plain_name(subfolder)}" if subfolder else "",
        "lint": [*_entered(subfolder), swath_command("lint")],
        "compile": [*_entered(subfolder), swath_command("compile", "-o", from_subfolder(subfolder, CHILD_FILE))],
        "child": CHILD_FILE,
        "clean": clean(subfolder)["GIT_CLEAN_FLAGS"],
    }
    return _render("gitlab-ci.yml.j2", values)


def _fork_rules(settings: Settings) -> list[str]:
    """Rules by which a fork's own pushes start nothing: it has neither credentials nor, as a rule, the image.

    A merge request's pipeline runs in the fork, too. It is let in where the fork can have the image.
    """
    if settings.ci.project is None:
        return []
    condition = f'$CI_PROJECT_PATH != "{settings.ci.project}"'
    if "CI_REGISTRY_IMAGE" not in settings.registry:
        condition += ' && $CI_PIPELINE_SOURCE != "merge_request_event"'
    return ["# A fork has neither the image of these jobs nor credentials.", f"- if: '{condition}'", "  when: never"]


def project_of(text: str) -> str | None:
    """The project outside which a CI file of ours starts nothing; None: it names none."""
    found = _PROJECT.search(text)
    return found[1] if found else None


def _entered(subfolder: str) -> list[str]:
    """The first line of a script, as YAML."""
    return [_in_one_line(Flow([line])).removeprefix("[").removesuffix("]") for line in enter(subfolder)]


def _in_one_line(value: JSONValue) -> str:
    return to_yaml({"x": value}).removeprefix("x: ").removesuffix("\n")


def ci_stage_for(text: str) -> str:
    """The ci stage of a foreign CI file that our jobs join: the last one, so that no job waits for a training.

    Ours start at once wherever they stand, since they have `needs`. Where another file may say which ci stages there
    are, it is the one that nearly all have.
    """
    document = _parsed(text)
    stages: Any = document.get("stages") if document else None
    names = [name for name in stages if isinstance(name, str)] if isinstance(stages, list) else []
    if names:
        return names[-1]
    if document is None or any(not _is_ours(_names(item)) for item in _as_list(document.get("include"))):
        return _USUAL_CI_STAGE
    return _LAST_CI_STAGE


def keys_of(text: str) -> frozenset[str]:
    """The keywords at the top of a CI file; none: it cannot be read."""
    return frozenset(str(key) for key in _parsed(text) or ())


def with_include(text: str, file: str = _INCLUDED_FILE) -> str | None:
    """A foreign CI file that includes ours, changed by as few lines as its form allows; itself when it does already.

    Args:
        file: ours.

    Returns:
        None: it cannot be changed with certainty that nothing else changes.
    """
    line_end = "\r\n" if "\r\n" in text else "\n"
    plain = text.replace("\r\n", "\n")
    document = _parsed(plain)
    if document is None:
        return None
    present = _as_list(document.get("include"))
    if any(_names(item) == file for item in present):
        return text
    start = max((match.end() for match in _DOCUMENT_START.finditer(plain)), default=0)
    if plain.startswith(MARK):  # it stays the first line
        start = len(plain) - len(_HEAD.sub("", plain))
    changed = _with_entry(plain[start:], file, has_include="include" in document)
    expected = {**document, "include": [{"local": file}, *present]}
    if changed is None or _parsed(plain[:start] + changed) != expected:
        return None
    return (plain[:start] + changed).replace("\n", line_end)


def _with_entry(body: str, file: str, *, has_include: bool) -> str | None:
    """A document with our entry before the others, whatever form those have; None: none of the forms."""
    entry = f"- local: {file}\n"
    if not has_include:
        return f"include:\n  {entry}\n{body}"
    if match := _BLOCK_LIST.search(body):
        at = match.end() - 2 - len(match[1])
        return f"{body[:at]}{match[1]}{entry}{body[at:]}"
    if match := _FLOW_LIST.search(body):
        comma = "" if body[match.end() :].lstrip().startswith("]") else ", "
        return f"{body[: match.end()]}{{local: {file}}}{comma}{body[match.end() :]}"
    if match := _ONE_LINE.search(body):
        return f"{body[: match.start()]}include:\n  {entry}  - {match[1]}{body[match.end() :]}"
    if match := _BLOCK_MAP.search(body):
        indent = len(match[3])
        first, *others = match[2].splitlines(keepends=True)
        moved = [f"    {line[indent:]}" if line.strip() else line for line in others]
        inner = "".join([f"  - {first[indent:]}", *moved])
        return f"{body[: match.start(2)]}  {entry}{inner}{body[match.end() :]}"
    return None


def only_include(file: str, version: Version) -> str:
    """A CI file that includes ours, and has nothing else yet."""
    words = auto_cancel(version)
    workflow = f"{_STOPPING}{to_yaml({'workflow': words})}" if words else ""
    return f"{_INCLUDES_ONLY}include:\n  - local: {file}\n{workflow}"


def with_own_includes(text: str, there: str) -> str:
    """Our CI file as it is to be, with the files of other DVC repositories that the present one includes."""
    document = _parsed(there) or {}
    for name in reversed([_names(item) for item in _as_list(document.get("include"))]):
        if name != _INCLUDED_FILE and _is_ours(name):
            text = with_include(text, name) or text
    return text


def _is_ours(file: str) -> bool:
    return file == _INCLUDED_FILE or file.startswith(f"{_INCLUDED_FOLDER}/")


def holds_jobs(text: str) -> bool:
    """Whether a CI file has jobs of its own, which are not ours."""
    keys = keys_of(text)
    only_ours = text.startswith(MARK) or (bool(keys) and keys <= {"include", "stages", "workflow"})
    return not only_ours


def _names(item: Any) -> str:
    """The file of this repository that an entry of `include` names; empty: it names something else."""
    path = item.get("local") if isinstance(item, dict) else item
    return path.lstrip("/") if isinstance(path, str) else ""


def _as_list(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


class _Loader(yaml.SafeLoader):
    """Takes GitLab's `!reference` and any other tag as what it stands on."""


def _tagged(loader: _Loader, tag: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.SequenceNode):
        return tag, loader.construct_sequence(node, deep=True)
    if isinstance(node, yaml.MappingNode):
        return tag, loader.construct_mapping(node, deep=True)
    return tag, node.value


_Loader.add_multi_constructor("!", _tagged)


def _parsed(text: str) -> dict[Any, Any] | None:
    """The document of a CI file, behind its header of inputs if it has one; None: it is not YAML, or no mapping."""
    try:
        *headers, document = yaml.load_all(text, _Loader)
    except (yaml.YAMLError, ValueError):
        return None
    if not isinstance(document, dict) or not all(
        isinstance(header, dict) and set(header) == {"spec"} for header in headers
    ):
        return None
    return document


def _render(name: str, values: Mapping[str, Any]) -> str:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES), undefined=StrictUndefined, keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - YAML; values go through `tojson`
    )  # fmt: skip
    environment.policies["json.dumps_function"] = _plain_json
    return environment.get_template(name).render(values)


def _plain_json(value: Any, **_: Any) -> str:
    import json

    return json.dumps(value, ensure_ascii=False)
