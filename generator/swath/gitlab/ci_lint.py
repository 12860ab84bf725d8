"""The server's own word on a compiled pipeline: GitLab's CI lint, which knows its version, settings and limits.

    YAML -> POST /projects/:id/ci/lint -> errors, warnings

Called by `swath compile --ask-gitlab`. The check is GitLab's static one: no pipeline is simulated, for that would start
from the rules of a parent pipeline, and ours is a child.

Source: https://docs.gitlab.com/api/lint/, read 2026-11-22.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from swath.errors import Finding, Place, UserError
from swath.gitlab.server import address_of, open_project, translated, unexpected

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from swath.gitlab.server import Project

_RULE: Final = "gitlab-ci-lint"
_PLACE: Final = Place("the compiled pipeline")
_MOST_FINDINGS: Final = 10  # that a message names


def ask_gitlab(text: str, environ: Mapping[str, str]) -> tuple[str, ...]:
    """Let the server check a pipeline.

    Args:
        text: the YAML.
        environ: GitLab's variables, and SWATH_TOKEN.

    Returns:
        Its warnings, in its order.

    Raises:
        UserError: the server finds errors, which the message lists, or refuses us.
        PassingFaultError: it does not answer.
    """
    project = open_project(address_of(environ))
    findings = lint_with_server(project, text)
    errors = [finding.message for finding in findings if finding.severity == "error"]
    if errors:
        shown = errors[:_MOST_FINDINGS]
        more = [f"and {len(errors) - len(shown)} more"] if len(errors) > len(shown) else []
        lines = (f"{project.address.url} refuses the pipeline", *shown, *more)
        raise UserError("\n".join(lines), hint="nothing was written")
    return tuple(finding.message for finding in findings)


def lint_with_server(project: Project, yaml_text: str) -> tuple[Finding, ...]:
    """What the server finds in a pipeline: errors, then warnings, each in its order; none when it is valid.

    Raises:
        UserError: the server refuses us, or is no GitLab.
        PassingFaultError: it does not answer.
    """
    with translated(project.address):
        answer = project.handle.ci_lint.create({"content": yaml_text}, max_retries=project.retries)
    document: dict[str, Any] = answer.attributes
    if not isinstance(document.get("valid"), bool):
        raise unexpected(project.address)
    errors = [Finding(_PLACE, _RULE, str(said)) for said in document.get("errors") or ()]
    if not document["valid"] and not errors:
        errors.append(Finding(_PLACE, _RULE, "it is not valid; the server does not say why"))
    warnings = [Finding(_PLACE, _RULE, str(said), severity="warning") for said in document.get("warnings") or ()]
    return (*errors, *warnings)
