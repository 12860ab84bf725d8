"""GitLab's predefined variables, variables in texts, and the expressions of `rules`, as its documentation has them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_IN_TEXT: Final = re.compile(r"\$\$|\$(\w+)|\$\{(\w+)\}")
_TOKEN: Final = re.compile(
    r"\s*(?:(?P<variable>\$\w+)|(?P<text>\"[^\"]*\"|'[^']*')|/(?P<pattern>(?:[^/\\]|\\.)*)/(?P<flags>i?)"
    r"|(?P<null>null)|(?P<operator>&&|\|\||==|!=|=~|!~|\(|\)))"
)
_PYTHON: Final = {"&&": " and ", "||": " or ", "=~": "@", "!~": "%"}


@dataclass(frozen=True)
class MergeRequest:
    """The merge request that a pipeline belongs to."""

    iid: int
    source_branch: str
    target_branch: str = "main"
    from_fork: bool = False


@dataclass(frozen=True)
class Commit:
    """What Git says about the commit that is run."""

    sha: str
    message: str
    author: str
    when: str


def expand(text: str, variables: Mapping[str, str]) -> str:
    """A text with its variables in place, as GitLab and its runner do it: unknown ones are empty, `$$` is a dollar."""

    def value(found: re.Match[str]) -> str:
        name = found[1] or found[2]
        return variables.get(name, "") if name else "$"

    return _IN_TEXT.sub(value, text)


def holds(expression: str, variables: Mapping[str, str]) -> bool:
    """Whether an `if` of `rules` holds."""
    words: list[str] = []
    at = 0
    while at < len(expression.rstrip()):
        token = _TOKEN.match(expression, at)
        assert token, f"GitLab would not take this expression at {at}: {expression}"
        at = token.end()
        words.append(_python_word(token))
    names = {"v": lambda name: _Value(variables.get(name)), "t": _Value, "re": re.compile}
    return bool(eval("".join(words), names))  # of a test's own YAML


def predefined(commit: Commit, ref: str, merge_request: MergeRequest | None, project: str) -> dict[str, str]:
    """The variables of a commit on a branch, or on a merge request's."""
    slug = re.sub(r"[^a-z0-9]+", "-", ref.lower()).strip("-")[:63]
    found = {
        "CI": "true",
        "GITLAB_CI": "true",
        "CI_COMMIT_SHA": commit.sha,
        "CI_COMMIT_SHORT_SHA": commit.sha[:8],
        "CI_COMMIT_MESSAGE": commit.message,
        "CI_COMMIT_TITLE": commit.message.partition("\n")[0],
        "CI_COMMIT_AUTHOR": commit.author,
        "CI_COMMIT_TIMESTAMP": commit.when,
        "CI_COMMIT_REF_NAME": ref,
        "CI_COMMIT_REF_SLUG": slug,
        "CI_DEFAULT_BRANCH": "main",
        "CI_PROJECT_ID": "7",
        "CI_PROJECT_PATH": project,
        "CI_PROJECT_NAME": project.rpartition("/")[2],
        "CI_PROJECT_NAMESPACE": project.rpartition("/")[0],
        "CI_PROJECT_PATH_SLUG": project.replace("/", "-"),
        "CI_PROJECT_DIR": f"/builds/{project}",
        "CI_BUILDS_DIR": "/builds",
        "CI_SERVER_VERSION": "17.11.0",
        "CI_SERVER_VERSION_MAJOR": "17",
        "CI_SERVER_VERSION_MINOR": "11",
    }
    if merge_request is None:
        return {**found, "CI_COMMIT_BRANCH": ref}
    return {
        **found,
        "CI_MERGE_REQUEST_ID": str(1000 + merge_request.iid),
        "CI_MERGE_REQUEST_IID": str(merge_request.iid),
        "CI_MERGE_REQUEST_EVENT_TYPE": "detached",
        "CI_MERGE_REQUEST_REF_PATH": f"refs/merge-requests/{merge_request.iid}/head",
        "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME": merge_request.source_branch,
        "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": merge_request.target_branch,
        "CI_MERGE_REQUEST_PROJECT_ID": "7",
        "CI_MERGE_REQUEST_PROJECT_PATH": project,
        "CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "8" if merge_request.from_fork else "7",
    }


@dataclass(frozen=True, eq=False)
class _Value:
    """A value in an expression; None: there is no such variable."""

    text: str | None

    def __bool__(self) -> bool:
        return bool(self.text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Value) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)

    def __matmul__(self, pattern: re.Pattern[str] | _Value) -> bool:  # =~
        regex = pattern.text if isinstance(pattern, _Value) else pattern
        return self.text is not None and regex is not None and bool(re.search(regex, self.text))

    def __mod__(self, pattern: re.Pattern[str] | _Value) -> bool:  # !~
        return not self @ pattern


def _python_word(token: re.Match[str]) -> str:
    if token["variable"]:
        return f"v({token['variable'][1:]!r})"
    if token["text"]:
        return f"t({token['text'][1:-1]!r})"
    if token["null"]:
        return "t(None)"
    if token["operator"]:
        return _PYTHON.get(token["operator"], token["operator"])
    return f"re({token['pattern']!r}, {int(re.IGNORECASE) if token['flags'] else 0})"
