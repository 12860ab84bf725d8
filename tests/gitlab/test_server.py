"""Which project is asked, and what each fault of a server becomes; python-gitlab's own client against a loopback."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import requests

from support.fake_gitlab import TOKEN, FakeGitlab, fake_gitlab
from swath.errors import PassingFaultError, SwathError, UserError
from swath.gitlab.ci_lint import lint_with_server
from swath.gitlab.server import Address, Patience, address_of, open_project

if TYPE_CHECKING:
    from collections.abc import Iterator

IMPATIENT = Patience(timeout_s=0.3, retries=1)
RENEW = (
    "  make a new project access token with the scope api and the role Developer or higher, and set it as SWATH_TOKEN "
    "(Settings > CI/CD > Variables, masked)"
)
CORRECT = "  correct CI_API_V4_URL, or CI_SERVER_URL"
ELSEWHERE = "  GitLab's jobs have all but the token; elsewhere set them yourself"
A_SERVER = "CI_SERVER_URL (such as https://gitlab.example.org)"
A_PROJECT = "CI_PROJECT_PATH (such as group/project)"
A_TOKEN = "SWATH_TOKEN (a project access token with the scope api)"
NAMED = {"CI_SERVER_URL": "https://git.example.org", "CI_PROJECT_ID": "4711", "SWATH_TOKEN": TOKEN}


@pytest.fixture
def server() -> Iterator[FakeGitlab]:
    """A GitLab that works."""
    with fake_gitlab() as gitlab:
        yield gitlab


def ask(server: FakeGitlab, **environ: str) -> None:
    address = address_of({**server.environ(), **environ})
    assert lint_with_server(open_project(address, IMPATIENT), "job: {script: [ls]}\n") == ()


def refused(kind: type[SwathError], server: FakeGitlab, **environ: str) -> str:
    """The message, with SERVER for the server's address."""
    with pytest.raises(kind) as caught:
        ask(server, **environ)
    assert type(caught.value) is kind
    assert TOKEN not in str(caught.value)
    return str(caught.value).replace(server.url, "SERVER")


@pytest.mark.parametrize(
    ("environ", "url", "project"),
    [
        ({}, "https://git.example.org", "4711"),
        ({"CI_PROJECT_ID": "", "CI_PROJECT_PATH": "land/use"}, "https://git.example.org", "land/use"),
        ({"CI_PROJECT_PATH": "land/use"}, "https://git.example.org", "4711"),
        ({"CI_API_V4_URL": "https://api.example.org/git/api/v4"}, "https://api.example.org/git", "4711"),
        ({"CI_SERVER_URL": "https://me:secret@git.example.org:8443/"}, "https://git.example.org:8443", "4711"),
        ({"SWATH_TOKEN": f" {TOKEN}\n"}, "https://git.example.org", "4711"),
    ],
)
def test_the_address(environ: dict[str, str], url: str, project: str) -> None:
    assert address_of({**NAMED, **environ}) == Address(url, project, TOKEN)


def test_the_token_is_not_shown() -> None:
    assert TOKEN not in repr(address_of(NAMED))


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        (
            {},
            f"GitLab cannot be asked without {A_SERVER}, {A_PROJECT}, {A_TOKEN}\n{ELSEWHERE}",
        ),
        ({**NAMED, "SWATH_TOKEN": " "}, f"GitLab cannot be asked without {A_TOKEN}\n{ELSEWHERE}"),
        ({**NAMED, "SWATH_TOKEN": "two\nlines"}, f"SWATH_TOKEN holds characters that no token has\n{RENEW}"),
        ({**NAMED, "SWATH_TOKEN": "schlüssel"}, f"SWATH_TOKEN holds characters that no token has\n{RENEW}"),
        *(
            (
                {**NAMED, "CI_SERVER_URL": url},
                "CI_SERVER_URL is no address of a server\n  it is such as https://gitlab.example.org",
            )
            for url in ("git.example.org", "ssh://git.example.org", "https://", "https://[::1")
        ),
    ],
)
def test_no_address(environ: dict[str, str], message: str) -> None:
    with pytest.raises(UserError) as caught:
        address_of(environ)
    assert str(caught.value) == message


def test_nothing_is_asked_but_what_is_wanted(server: FakeGitlab) -> None:
    ask(server)
    assert server.asked == ["POST /api/v4/projects/4711/ci/lint"]


def test_a_project_by_its_path(server: FakeGitlab) -> None:
    ask(server, CI_PROJECT_ID="")
    assert len(server.contents) == 1


def test_a_token_that_is_not_known(server: FakeGitlab) -> None:
    server.token = "another"
    message = "SERVER does not know the token of SWATH_TOKEN: it is expired or revoked"
    assert refused(UserError, server) == f"{message}\n{RENEW}"
    assert len(server.asked) == 1


def test_a_token_that_is_too_weak(server: FakeGitlab) -> None:
    server.is_weak = True
    message = (
        "SERVER denies access to the project 4711: the token of SWATH_TOKEN is too weak (insufficient_scope)\n" + RENEW
    )
    assert refused(UserError, server) == message


def test_a_role_that_is_too_low(server: FakeGitlab) -> None:
    server.faults = [403]
    message = "SERVER denies access to the project 4711: the token of SWATH_TOKEN is too weak (Forbidden)\n" + RENEW
    assert refused(UserError, server) == message


def test_no_such_project(server: FakeGitlab) -> None:
    message = (
        "SERVER has no project 12, or the token may not see it\n"
        "  correct CI_PROJECT_ID, or CI_PROJECT_PATH, or let the token of SWATH_TOKEN see the project"
    )
    assert refused(UserError, server, CI_PROJECT_ID="12") == message


@pytest.mark.parametrize("fault", [500, 502, 503, 429, 0, -1])
def test_a_fault_that_passes(server: FakeGitlab, fault: int) -> None:
    server.faults, server.headers = [fault], {"Retry-After": "0"}
    ask(server)
    assert len(server.asked) == 2


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        (500, "500 Internal Server Error"),
        (503, "503 Service Unavailable"),
        (429, "429 Too Many Requests"),
        (-1, "no answer in time"),
    ],
)
def test_a_fault_that_stays(server: FakeGitlab, fault: int, why: str) -> None:
    server.faults = [fault] * 9
    assert refused(PassingFaultError, server) == f"SERVER does not answer: {why}; try again later"
    assert len(server.asked) == 2


def test_a_connection_that_is_closed(server: FakeGitlab) -> None:
    server.faults = [0] * 9
    assert refused(PassingFaultError, server) == "SERVER does not answer: no connection; try again later"


def test_nobody_listens() -> None:
    with fake_gitlab() as gone:
        pass
    assert refused(PassingFaultError, gone) == "SERVER does not answer: connection refused; try again later"


def test_a_pause_that_is_a_date_is_not_obeyed(server: FakeGitlab) -> None:
    server.faults, server.headers = [503], {"Retry-After": "Fri, 31 Dec 2049 23:59:59 GMT", "RateLimit-Reset": "9e9"}
    ask(server)


def test_the_token_follows_no_redirection(server: FakeGitlab) -> None:
    with fake_gitlab() as elsewhere:
        server.faults, server.headers = [307], {"Location": f"{elsewhere.url}/api/v4/projects/4711/ci/lint"}
        message = f"SERVER sends us to another address, and the token does not go there\n{CORRECT}"
        assert refused(UserError, server) == message
        assert elsewhere.asked == []


@pytest.mark.parametrize(("kind", "body"), [("text/html", "<html>"), ("application/json", "{"), ("text/plain", "")])
def test_no_gitlab(server: FakeGitlab, kind: str, body: str) -> None:
    server.faults, server.headers, server.body = [200], {"Content-Type": kind}, body
    assert refused(UserError, server) == f"SERVER does not answer as GitLab does\n{CORRECT}"


def test_another_service(server: FakeGitlab) -> None:
    server.faults, server.headers, server.body = [200], {"Content-Type": "application/json"}, '{"ok": 1}'
    assert refused(UserError, server) == f"SERVER does not answer as GitLab does\n{CORRECT}"


def test_a_question_that_is_refused(server: FakeGitlab) -> None:
    server.faults, server.body = [413], f"<h1>too\nlarge</h1> {TOKEN} {'x' * 300}"
    said = f"<h1>too large</h1> [masked] {'x' * 300}"[:200]
    assert refused(UserError, server) == f"SERVER refuses the question: 413 {said}…\n{CORRECT}"


def test_no_tls(server: FakeGitlab) -> None:
    secure = server.url.replace("http:", "https:")
    with pytest.raises(UserError) as caught:
        ask(server, CI_API_V4_URL=f"{secure}/api/v4")
    assert str(caught.value) == (
        f"{secure} cannot be asked safely: its certificate is not trusted, or it has none\n"
        "  if a house's own authority signed its certificate: REQUESTS_CA_BUNDLE=FILE"
    )


@pytest.mark.parametrize(("said", "obeyed"), [("7", "7"), ("30", "30"), ("31", "30"), ("soon", None)])
def test_pauses_are_bounded(said: str, obeyed: str | None) -> None:
    answer = requests.Response()
    answer.headers.update({"Retry-After": said, "RateLimit-Reset": "99"})
    for hook in open_project(address_of(NAMED)).handle.manager.gitlab.session.hooks["response"]:
        hook(answer)
    assert dict(answer.headers) == ({"Retry-After": obeyed} if obeyed else {})
