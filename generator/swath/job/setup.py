"""`swath init`: find out what a repository has, write what it lacks to run in GitLab CI, and say what is left to do."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from swath.emit.script import from_subfolder
from swath.errors import UserError
from swath.files.git_program import call_git
from swath.images.service_image import swath_image
from swath.job.planned import Workloads
from swath.job.setup_files import (
    CI_FILE,
    MARK,
    ci_stage_for,
    holds_jobs,
    included_file,
    keys_of,
    only_include,
    project_of,
    render_ci_file,
    render_settings,
    with_include,
    with_own_includes,
)
from swath.limits import AUTO_CANCEL_SINCE, FINER_RETRY_WORDS_SINCE, MIRROR_SINCE, RETRY_EXIT_CODES_SINCE
from swath.load.ignored import IGNORE_FILE, with_ignored
from swath.load.settings import load_settings
from swath.load.volumes import SETTINGS_FILE
from swath.load.workflows import load_workflows
from swath.model.settings import Settings
from swath.model.shell_words import first_service
from swath.schema.atomic_file import write_atomically

if TYPE_CHECKING:
    from pathlib import Path

    from swath.dvc_border.repository import Repository
    from swath.emit.job import Version

_ADDRESS: Final = re.compile(
    r"(?:(?P<scheme>https?)://(?:[^/]*@)?(?P<web>[^/@]+)/|(?:ssh://(?:[^/@]*@)?|[^/@:]+@)(?P<host>[^/:]+)(?::\d+)?[/:])"
    r"(?P<path>.+?)(?:\.git)?/?"
)

_MOST_NAMES: Final = 3
_VARIABLE: Final = """\
SWATH_DVC_CONFIG  of the type File: the DVC settings with the remote's credentials (your .dvc/config.local)"""
_PUSHES: Final = """\
Job token permissions > Allow Git push requests to the repository. A server before 18.4 does not have it: set the
variable SWATH_TOKEN to a project access token with write_repository and a role that may push, masked"""


@dataclass(slots=True)
class SetUp:
    """What was done.

    Attributes:
        files: path from the root (``../`` where Git's checkout begins above it) to `written`, `unchanged`, `changed` or
            `kept` (it is there and differs).
        notes: what the user must do to these files by hand.
        steps: what is left to do, in order.
    """

    files: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)


def set_up(repository: Repository, *, force: bool = False) -> SetUp:
    """Write the files, and say what is left to do.

    Args:
        force: write swath.yaml and our CI file anew, whatever was changed in them. A CI file that is not ours stays.

    Raises:
        UserError: a file cannot be read or written, or swath.yaml is wrong.
        NoGitError: there is no `git` program; nothing was written.
    """
    done = SetUp()
    root = repository.root
    page = _project_page(root)  # before anything is written: it needs Git
    gpus, plain, of_services = _workloads(repository)
    _put(root, SETTINGS_FILE, render_settings(gpus), done, force=force)
    settings = load_settings(root)
    _put_ci_file(root, repository.subfolder, settings, done, force=force)
    text = _read(root / IGNORE_FILE)
    _write(root, IGNORE_FILE, text, with_ignored(text or ""), done)
    if of_services and done.files[IGNORE_FILE] != "unchanged" and (root / "dvc.lock").exists():
        done.notes.append(_run_again(of_services))
    done.steps = _steps(repository, settings, done, plain, page)
    return done


def _workloads(repository: Repository) -> tuple[dict[str, int], list[str], list[str]]:
    """GPUs of the stages that ask for some, the stages that call no service, and those with a service's folder as dep.

    As far as the workflows can be read: `swath lint` says what is wrong with them.
    """
    try:
        stages = load_workflows(repository).graph.stages
        loads = Workloads(repository.root, Settings())
        gpus = {name: int(loads.demand(stage).gpus or 0) for name, stage in stages.items()}
    except UserError:
        return {}, [], []
    plain = [name for name, stage in stages.items() if first_service(stage.commands) is None]
    of_services = [
        name for name, stage in stages.items() if any(dep.path.startswith("services/") for dep in stage.deps)
    ]
    return {name: number for name, number in gpus.items() if number}, plain, of_services


def _run_again(names: list[str]) -> str:
    """What the new lines of `.dvcignore` mean where there are results."""
    return (
        f"Tests and READMEs of services no longer count: what has a services/ folder as dep, {_some(names)}, "
        "runs once more\nwhere it has a result. To leave it as it was, take the new lines out of "
        f"{IGNORE_FILE}; every change of a README\nthen makes results stale."
    )


def _put_ci_file(root: Path, subfolder: str, settings: Settings, done: SetUp, *, force: bool) -> None:
    """Write GitLab's CI file at the top of the checkout; where it is not ours alone, a file that it includes.

    A repository in a folder always has such a file: others may come beside it.
    """
    main = from_subfolder(subfolder, CI_FILE)
    there = _read(root / main)
    if not subfolder and (there is None or there.startswith(MARK)):
        texts = [with_own_includes(render_ci_file(each, None), there or "") for each in _versions(settings, there)]
        _put(root, main, texts[0], done, force=force or _is_one_of(there, texts))
        _note_if_kept(main, done)
        return
    included = included_file(subfolder)
    name = from_subfolder(subfolder, included)
    stage = ci_stage_for(there or "")
    ours = _read(root / name)
    texts = [render_ci_file(each, stage, subfolder) for each in _versions(settings, ours)]
    _put(root, name, texts[0], done, force=force or _is_one_of(ours, texts))
    _note_if_kept(name, done)
    changed = only_include(included, settings.ci.version) if there is None else with_include(there, included)
    if changed is None:
        done.files[main] = "kept"
        done.notes.append(f"add this to {main} by hand:\n\n  include:\n    - local: {included}\n")
    else:
        _write(root, main, there, changed, done)
    if there and holds_jobs(there) and {done.files[main], done.files[name]} & {"written", "changed"}:
        done.notes.append(_beside_others(there, name, settings.ci.version))


def _note_if_kept(file: str, done: SetUp) -> None:
    """How our CI file comes to what the settings say, where it was changed by hand or they have changed since."""
    if done.files[file] == "kept":
        done.notes.append(
            f"{file} is not what this version of Swath writes for {SETTINGS_FILE} as it is now. If nobody changed it\n"
            "by hand, delete it and call swath init once more; then see: git diff. "
            f"(--force writes {SETTINGS_FILE} anew, too.)"
        )


def _versions(settings: Settings, there: str | None) -> list[Settings]:
    """The settings, and those for other versions and projects: what was written for one may be written anew.

    Args:
        there: the present file, which may name the project as it was called before.
    """
    steps = (AUTO_CANCEL_SINCE, RETRY_EXIT_CODES_SINCE, MIRROR_SINCE, FINER_RETRY_WORDS_SINCE)
    versions = ("16.0", *(f"{major}.{minor}" for major, minor in steps))
    others = (
        replace(settings.ci, gitlab_version=version, project=project)
        for version in (settings.ci.gitlab_version, *versions)
        for project in {settings.ci.project, None, project_of(there or "")}
    )
    return [settings, *(replace(settings, ci=ci) for ci in others)]


def _is_one_of(there: str | None, texts: list[str]) -> bool:
    return there is not None and there.replace("\r\n", "\n") in texts


def _beside_others(text: str, file: str, version: Version) -> str:
    """What it means that our jobs stand in one pipeline with those of a foreign CI file."""
    where = f"in {file}, in your ci stage {ci_stage_for(text)!r}"
    lines = [
        f"Swath's jobs stand {where}, and take nothing from `default`.",
        "They run for merge requests, the default branch, schedules, the web form and the API"
        + (", as far as your `workflow` lets them." if "workflow" in keys_of(text) else "."),
    ]
    if "merge_request" not in text.lower():
        lines += [
            "A merge request thus gets a pipeline of its own, by which GitLab judges it; your jobs are not in that:",
            "they have no rules for it. Give them such (https://docs.gitlab.com/ci/pipelines/merge_request_pipelines/),",
            f"or take the rules with merge_request_event out of {file}.",
        ]
    if "auto_cancel" not in text and version >= AUTO_CANCEL_SINCE:
        lines += [
            "A newer push cancels a pipeline although a training below it goes on, unless your file says:",
            "  workflow: {auto_cancel: {on_new_commit: interruptible}}",
        ]
    return "\n".join(lines)


def _put(root: Path, name: str, text: str, done: SetUp, *, force: bool) -> None:
    there = _read(root / name)
    same = there is not None and there.replace("\r\n", "\n") == text
    if same or not (there is None or force):
        done.files[name] = "unchanged" if same else "kept"
    else:
        _write(root, name, there, text, done)


def _write(root: Path, name: str, there: str | None, text: str, done: SetUp) -> None:
    if there == text:
        done.files[name] = "unchanged"
        return
    write_atomically(root / name, text)
    done.files[name] = "written" if there is None else "changed"


def _read(path: Path) -> str | None:
    """A file's text, with its own line ends; None: there is none."""
    try:
        return path.read_bytes().decode()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read: {error}", hint="a text file in UTF-8 is expected") from error


def _steps(repository: Repository, settings: Settings, done: SetUp, plain: list[str], page: str | None) -> list[str]:
    settings_page = f"{page}/-/settings/ci_cd" if page else "Settings > CI/CD of the project"
    steps = []
    if not repository.config.get("remote"):
        steps.append("say where data and models are kept: dvc remote add -d NAME URL")
    version = settings.ci.gitlab_version
    if version == Settings().ci.gitlab_version:
        steps.append(
            f"say which GitLab it is (its page /help): `ci.gitlab_version` of {SETTINGS_FILE}, {version} by now;\n"
            "newer ones can do more. Then once more: swath init"
        )
    steps += [
        f"set a variable at {settings_page}:\n{_VARIABLE}",
        f"let jobs push results into Git, at {settings_page}:\n{_PUSHES}",
        f"have runners with these tags: {_tags(settings)}; `runners` of {SETTINGS_FILE} says what they offer",
        f"log in to the registry, and push the image of Swath's own jobs, {swath_image(settings)}:\n{_push(settings)}",
    ]
    if plain and settings.default_image is None:
        steps.append(
            f"have an image for what calls no service, {_some(plain)}: `default_image` of {SETTINGS_FILE}.\n"
            "Without it their jobs have a shell, Python and DVC alone"
        )
    steps.append("see the jobs before anything is pushed: swath compile")
    new = [name for name, what in done.files.items() if what in {"written", "changed"}]
    if new:
        steps.append(f"commit: git add {' '.join(new)} && git commit -m 'Run in GitLab CI'")
    return steps


def _some(names: list[str]) -> str:
    """The first names, and how many more there are."""
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return ", ".join(names[:_MOST_NAMES]) + more


def _push(settings: Settings) -> str:
    """The command; on a machine of the user's, nothing says which project's registry is meant."""
    known = "CI_REGISTRY_IMAGE" not in settings.registry
    return "swath image push" if known else "CI_REGISTRY_IMAGE=REGISTRY/GROUP/PROJECT swath image push"


def _tags(settings: Settings) -> str:
    return ", ".join(f"[{', '.join(runner.tags)}]" for runner in settings.runners)


def _project_page(root: Path) -> str | None:
    """The project's page on its server, from the address of `origin`; None: there is none that tells."""
    result = call_git(root, "config", "--get", "remote.origin.url")
    match = _ADDRESS.fullmatch(result.stdout.decode(errors="replace").strip())
    return f"{match['scheme'] or 'https'}://{match['web'] or match['host']}/{match['path']}" if match else None
