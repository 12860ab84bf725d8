"""The project on a GitLab server: its address and our token from the environment, and its faults as our errors.

    GitLab's variables, SWATH_TOKEN -> Address -> Project, whose API calls run within `translated`

The token goes to the named server alone (redirections are not followed) and stands in no message.

Source: https://docs.gitlab.com/ci/variables/predefined_variables/ and …/api/rest/authentication/, read 2026-11-22.
"""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit, urlunsplit

import gitlab
import requests

from swath.errors import PassingFaultError, SwathError, UserError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from gitlab.v4.objects import Project as Handle

TOKEN_VARIABLE: Final = "SWATH_TOKEN"  # noqa: S105 - the name, not the token
_API: Final = "/api/v4"
_PLAIN: Final = re.compile(r"[!-~]+")  # what an HTTP header takes without a question
_LONGEST_PAUSE_S: Final = 30  # of those that a server asks for
_PAUSE_HEADERS: Final = ("Retry-After", "RateLimit-Reset")
_LONGEST_WORD: Final = 200  # of what a server says, in a message
_RENEW: Final = (
    f"make a new project access token with the scope api and the role Developer or higher, and set it as "
    f"{TOKEN_VARIABLE} (Settings > CI/CD > Variables, masked)"
)
_CORRECT: Final = "correct CI_API_V4_URL, or CI_SERVER_URL"


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a server is waited for.

    Attributes:
        timeout_s: to connect, and for an answer.
        retries: after 5xx, 429 and no answer, with pauses from 0.1 s that double.
    """

    timeout_s: float = 60.0
    retries: int = 3


@dataclass(frozen=True, slots=True)
class Address:
    """Which project, and who asks.

    Attributes:
        url: of the server, without credentials and a slash at its end.
        project: its number, or its path.
    """

    url: str
    project: str
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Project:
    """A project that can be asked.

    Attributes:
        handle: python-gitlab's; making it asks nothing.
        retries: for each call.
    """

    address: Address
    handle: Handle
    retries: int


_PATIENCE: Final = Patience()


def address_of(environ: Mapping[str, str]) -> Address:
    """The project and the token that GitLab's variables name.

    Args:
        environ: CI_API_V4_URL or CI_SERVER_URL, CI_PROJECT_ID or CI_PROJECT_PATH, SWATH_TOKEN.

    Raises:
        UserError: one of them is absent, or no such thing.
    """
    url = environ.get("CI_API_V4_URL", "").rstrip("/").removesuffix(_API) or environ.get("CI_SERVER_URL", "")
    project = environ.get("CI_PROJECT_ID") or environ.get("CI_PROJECT_PATH", "")
    token = environ.get(TOKEN_VARIABLE, "").strip()
    absent = [
        name
        for name, value in (
            ("CI_SERVER_URL (such as https://gitlab.example.org)", url),
            ("CI_PROJECT_PATH (such as group/project)", project),
            (f"{TOKEN_VARIABLE} (a project access token with the scope api)", token),
        )
        if not value
    ]
    if absent:
        hint = "GitLab's jobs have all but the token; elsewhere set them yourself"
        raise UserError(f"GitLab cannot be asked without {', '.join(absent)}", hint=hint)
    if not _PLAIN.fullmatch(token):
        raise UserError(f"{TOKEN_VARIABLE} holds characters that no token has", hint=_RENEW)
    return Address(_server_url(url), project.strip("/"), token)


def open_project(address: Address, patience: Patience = _PATIENCE) -> Project:
    """A project to ask; nothing is asked yet, for a project's own page wants more rights than its parts."""
    session = requests.Session()
    session.max_redirects = 0  # the token would go along
    session.hooks["response"].append(_bound_pauses)
    client = gitlab.Gitlab(
        address.url,
        private_token=address.token,
        timeout=patience.timeout_s,
        retry_transient_errors=True,
        session=session,
    )
    return Project(address, client.projects.get(address.project, lazy=True), patience.retries)


@contextlib.contextmanager
def translated(address: Address) -> Iterator[None]:
    """Let python-gitlab's errors, and those of HTTP below it, leave the block as ours.

    Raises:
        UserError: the server refuses us, has no such project, or is none.
        PassingFaultError: it does not answer, or fails.
    """
    try:
        yield
    except gitlab.GitlabParsingError as error:
        raise unexpected(address) from error
    except gitlab.GitlabError as error:
        raise _refusal(address, error) from error
    except requests.RequestException as error:
        raise _no_answer(address, error) from error


def unexpected(address: Address) -> UserError:
    """What is said when an answer is none of GitLab's."""
    return UserError(f"{address.url} does not answer as GitLab does", hint=_CORRECT)


def _server_url(text: str) -> str:
    try:
        parts = urlsplit(text)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise UserError("CI_SERVER_URL is no address of a server", hint="it is such as https://gitlab.example.org")
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path.rstrip("/"), "", ""))


def _bound_pauses(answer: requests.Response, **_: Any) -> None:
    """Pauses of any length, and dates in their place, are not obeyed: the job's own retry is for those."""
    for name in _PAUSE_HEADERS:
        said = answer.headers.pop(name, "")
        if name == "Retry-After" and said.isdecimal():
            answer.headers[name] = str(min(int(said), _LONGEST_PAUSE_S))


def _refusal(address: Address, error: gitlab.GitlabError) -> SwathError:
    status, said = error.response_code or 0, _said(address, error)
    codes = requests.codes
    if status == codes.unauthorized:
        return UserError(f"{address.url} does not know the token of {TOKEN_VARIABLE}: it is expired or revoked",
                         hint=_RENEW)  # fmt: skip
    if status == codes.forbidden:
        return UserError(f"{address.url} denies access to the project {address.project}: the token of {TOKEN_VARIABLE} "
                         f"is too weak ({said})", hint=_RENEW)  # fmt: skip
    if status == codes.not_found:
        hint = f"correct CI_PROJECT_ID, or CI_PROJECT_PATH, or let the token of {TOKEN_VARIABLE} see the project"
        message = f"{address.url} has no project {address.project}, or the token may not see it"
        return UserError(message, hint=hint)
    if status >= codes.internal_server_error or status == codes.too_many_requests:
        return PassingFaultError(f"{address.url} does not answer: {status} {said}; try again later")
    return UserError(f"{address.url} refuses the question: {status} {said}", hint=_CORRECT)


def _said(address: Address, error: gitlab.GitlabError) -> str:
    """The server's own words, in one short line."""
    line = " ".join(str(error.error_message).replace(address.token, "[masked]").split())
    line = line.removeprefix(f"{error.response_code} ")
    return f"{line[:_LONGEST_WORD]}…" if len(line) > _LONGEST_WORD else line


def _no_answer(address: Address, error: requests.RequestException) -> SwathError:
    if isinstance(error, requests.exceptions.SSLError):
        hint = "if a house's own authority signed its certificate: REQUESTS_CA_BUNDLE=FILE"
        return UserError(f"{address.url} cannot be asked safely: its certificate is not trusted, or it has none",
                         hint=hint)  # fmt: skip
    if isinstance(error, requests.TooManyRedirects):
        return UserError(f"{address.url} sends us to another address, and the token does not go there", hint=_CORRECT)
    if isinstance(error, requests.exceptions.InvalidURL):
        return UserError(f"{address.url} is no address of a server", hint=_CORRECT)
    why = "no answer in time" if isinstance(error, requests.Timeout) else _cause(error)
    return PassingFaultError(f"{address.url} does not answer: {why}; try again later")


def _cause(error: BaseException) -> str:
    """The system's word, which lies deepest: the messages of requests hold addresses of objects."""
    word, inner = "no connection", error.__cause__ or error.__context__
    while inner:
        if isinstance(inner, OSError) and inner.strerror:
            word = inner.strerror.lower()
        inner = inner.__cause__ or inner.__context__
    return word
