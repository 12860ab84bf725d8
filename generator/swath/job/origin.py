"""Where a pipeline comes from, as GitLab's variables say it: read once, at the edge."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from swath.emit.own_jobs import CREATED
from swath.errors import UserError
from swath.job.merge_train import in_merge_train
from swath.model.bot_commit import PIPELINE_FORM

if TYPE_CHECKING:
    from collections.abc import Mapping

_DATE: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a pipeline comes from.

    Attributes:
        pipeline: the id under which its results lie in the DVC remote.
        level: of this child pipeline.
        commit: that is run; empty: unknown, as outside GitLab.
        head: of the branch, where `commit` is GitLab's own merge of it with the target; empty: `commit` itself.
        merge_request: its number in the project.
        branch: the branch that results belong to; None: a tag.
        is_default: whether that is the default branch, without a merge request.
        from_fork: whether the merge request's branch lies in another project.
        source: `CI_PIPELINE_SOURCE` of the parent pipeline; empty: unknown.
        created: when, in ISO 8601; of level 1, for all levels; empty: unknown.
        url: the Git server's; empty: unknown.
        link: the pipeline's page; may be empty.
        host: the server's name.
        is_protected: whether GitLab gives protected variables; unknown: yes.
        in_merge_train: whether the merge request is on its way into the target branch.
    """

    pipeline: str
    level: int
    commit: str
    head: str
    merge_request: str | None
    branch: str | None
    is_default: bool
    from_fork: bool
    source: str
    created: str
    url: str
    link: str
    host: str
    is_protected: bool = True
    in_merge_train: bool = False


def read_origin(environ: Mapping[str, str]) -> Origin:
    """What the variables of a job say.

    Raises:
        UserError: there is no pipeline id, or it is none.
    """
    pipeline, level = _pipeline_and_level(environ)
    merge_request = environ.get("CI_MERGE_REQUEST_IID", "")
    branch = environ.get("CI_MERGE_REQUEST_SOURCE_BRANCH_NAME" if merge_request else "CI_COMMIT_BRANCH", "")
    return Origin(
        pipeline=pipeline,
        level=level,
        commit=environ.get("CI_COMMIT_SHA", ""),
        head=environ.get("CI_MERGE_REQUEST_SOURCE_BRANCH_SHA", ""),
        merge_request=merge_request or None,
        branch=branch or None,
        is_default=not merge_request and branch != "" and branch == environ.get("CI_DEFAULT_BRANCH"),
        from_fork=is_from_fork(environ),
        source=environ.get("SWATH_PIPELINE_SOURCE") or _own_source(environ),
        created=_created(environ),
        url=environ.get("SWATH_GIT_URL") or _project_url(environ),
        link=_link(environ, pipeline),
        host=environ.get("CI_SERVER_HOST") or "localhost",
        is_protected=environ.get("CI_COMMIT_REF_PROTECTED") != "false",
        in_merge_train=in_merge_train(environ),
    )


def _pipeline_and_level(environ: Mapping[str, str]) -> tuple[str, int]:
    pipeline = environ.get("SWATH_PIPELINE") or environ.get("CI_PIPELINE_ID", "")
    if not PIPELINE_FORM.fullmatch(pipeline):
        hint = "set SWATH_PIPELINE to the id of the pipeline whose results are meant"
        raise UserError(f"{pipeline!r} is no pipeline" if pipeline else "which pipeline?", hint=hint)
    level = environ.get("SWATH_LEVEL") or "1"
    if not level.isdigit():
        raise UserError(f"SWATH_LEVEL is {level!r}", hint="it is a number that the compiled pipeline sets")
    return pipeline, int(level)


def is_from_fork(environ: Mapping[str, str]) -> bool:
    """Whether the pipeline is a merge request's whose branch lies in another project, whoever runs it."""
    project = environ.get("CI_MERGE_REQUEST_PROJECT_ID")
    source = environ.get("CI_MERGE_REQUEST_SOURCE_PROJECT_ID", project)
    return bool(environ.get("CI_MERGE_REQUEST_IID") and source != project)


def _own_source(environ: Mapping[str, str]) -> str:
    """A child pipeline's own source says nothing about its parent's."""
    source = environ.get("CI_PIPELINE_SOURCE") or ""
    return "" if source == "parent_pipeline" else source


def _created(environ: Mapping[str, str]) -> str:
    texts = (environ.get(name, "") for name in (CREATED, "CI_PIPELINE_CREATED_AT"))
    return next((text for text in texts if _DATE.fullmatch(text)), "")


def _project_url(environ: Mapping[str, str]) -> str:
    server, project = environ.get("CI_SERVER_URL", "").rstrip("/"), environ.get("CI_PROJECT_PATH")
    return f"{server}/{project}.git" if server and project else ""


def _link(environ: Mapping[str, str], pipeline: str) -> str:
    project = environ.get("CI_PROJECT_URL")
    return f"{project}/-/pipelines/{pipeline}" if project and pipeline.isdigit() else ""
