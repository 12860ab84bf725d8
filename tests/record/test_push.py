"""`record/push.py`: a real Git server over HTTP; what it refuses, and that the token stays where it belongs."""

from __future__ import annotations

import os
import shutil
import ssl
import stat
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from support.git_server import GitServer, serve_git
from support.repositories import Bench, make_repository
from swath.errors import DeniedError, PassingFaultError, UserError
from swath.record.git import Clone, open_clone
from swath.record.login import Login
from swath.record.push import Server, fetch_commit, find_ref, find_refs, pauses, push, without_credentials

TOKEN = "glpat-very-secret"
JOB_TOKEN = "glcbt-of-the-job"
RENEW = (
    "make a new project access token with the scope write_repository and a role that may push to this branch, and set "
    "it as SWATH_TOKEN (Settings > CI/CD > Variables, masked), then retry this job"
)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[GitServer]:
    """A server that takes one token."""
    with serve_git(tmp_path) as server:
        server.add_project("group/project")
        server.tokens.add(TOKEN)
        yield server


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return make_repository(tmp_path / "clone", {"a": "1"})


@pytest.fixture
def clone(bench: Bench) -> Clone:
    return open_clone(bench.root)


def head(bench: Bench) -> str:
    return bench.command("git", "rev-parse", "HEAD").stdout.strip()


def test_a_push_with_the_token_arrives(served: GitServer, bench: Bench, clone: Clone) -> None:
    server = Server(f"{served.url}/group/project.git", Login(TOKEN))
    assert find_ref(clone, server, "refs/heads/main") is None
    assert push(clone, server, head(bench), "refs/heads/main") == "done"
    assert push(clone, server, head(bench), "refs/exps/aa/bb/x") == "done"
    assert find_ref(clone, server, "refs/heads/main") == head(bench)
    assert find_refs(clone, server, "refs/exps/aa/bb/*") == {"refs/exps/aa/bb/x": head(bench)}


def test_the_token_is_in_no_argument_and_no_address(
    served: GitServer, bench: Bench, clone: Clone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, real = tmp_path / "argv.log", bench.command("sh", "-c", "command -v git").stdout.strip()
    wrapper = tmp_path / "bin" / "git"
    wrapper.parent.mkdir()
    wrapper.write_text(f'#!/bin/sh\nprintf "%s\\n" "$*" >> {log}\nexec {real} "$@"\n')
    wrapper.chmod(wrapper.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{wrapper.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("GIT_TRACE", str(tmp_path / "trace.log"))
    server = Server(f"{served.url}/group/project.git", Login(TOKEN))
    assert push(clone, server, head(bench), "refs/heads/main") == "done"
    assert "push --porcelain" in log.read_text()
    assert TOKEN not in log.read_text()
    assert TOKEN not in repr(server)
    assert TOKEN not in bench.read(".git/config")
    assert not (tmp_path / "trace.log").exists()


def test_the_runners_rewriting_of_addresses_does_not_reach_us(served: GitServer, bench: Bench, clone: Clone) -> None:
    """GitLab's runner includes a file that turns the server's addresses into ones with the job's token."""
    rewritten = served.url.replace("://", "://gitlab-ci-token:job-token@")
    included = bench.root.parent / "clone.tmp/.gitlab-runner.ext.conf"
    included.parent.mkdir()
    for path in ("", "/group/project.git"):
        key = f"url.{rewritten}{path}.insteadOf"
        bench.command("git", "config", "--file", str(included), key, f"{served.url}{path}")
    bench.command("git", "config", "include.path", str(included))
    bench.command("git", "config", "--file", str(included), f"credential.{served.url}.username", "gitlab-ci-token")
    server = Server(f"{served.url}/group/project.git", Login(TOKEN))
    served.readers.add(TOKEN)
    assert push(clone, server, head(bench), "refs/heads/main") == "done"
    assert find_ref(clone, server, "refs/heads/main") == head(bench)
    assert served.refused == []


@pytest.mark.parametrize("token", ["expired", ""])
def test_a_denied_push_says_what_to_renew(served: GitServer, bench: Bench, clone: Clone, token: str) -> None:
    server = Server(f"{served.url}/group/project.git", Login(token))
    with pytest.raises(UserError) as caught:
        push(clone, server, head(bench), "refs/heads/main")
    assert str(caught.value) == (
        f"pushing to main: {server.url} denies access: the token is expired, revoked or too weak\n  {RENEW}"
    )


def test_a_project_that_is_not_there(served: GitServer, clone: Clone) -> None:
    server = Server(f"{served.url}/group/other.git", Login(TOKEN))
    with pytest.raises(UserError) as caught:
        find_ref(clone, server, "refs/heads/main")
    assert str(caught.value) == (
        f"git ls-remote: there is no repository at {server.url}, or the token may not see it\n"
        "  correct SWATH_GIT_URL, or let the token see the project, then retry this job"
    )


def hook(served: GitServer, words: str) -> None:
    """Let the server's own hook refuse a push."""
    path = served.folder / "group/project.git/hooks/pre-receive"
    path.write_text(f"#!/bin/sh\necho 'GitLab: {words}' >&2\nexit 1\n")
    path.chmod(0o755)


PROTECTED = "You are not allowed to push code to protected branches on this project."
RIGHTS = (
    "the job token has the rights of whoever started the pipeline: let them push there (Settings > Repository > "
    "Protected branches), or set SWATH_TOKEN to the token of a user who may, then retry this job; or record "
    "experiments instead: `record: {default_branch: experiment}` in swath.yaml"
)
RULES = (
    "a push rule of the project (Settings > Repository > Push rules) rejects Swath's commits, which are not signed; "
    "SWATH_BOT_NAME and SWATH_BOT_EMAIL set their author and committer. Change the rule or these variables, then retry "
    "this job; or record experiments instead: `record: {default_branch: experiment}` in swath.yaml"
)


@pytest.mark.parametrize(
    ("words", "login", "hint"),
    [
        (
            PROTECTED,
            Login(TOKEN),
            "let the token's user push there (Settings > Repository > Protected branches), then retry this job",
        ),
        (
            PROTECTED,
            Login(JOB_TOKEN, is_job_token=True),
            RIGHTS,
        ),
        ("You are not authorised to push here", Login(JOB_TOKEN, is_job_token=True), RIGHTS),
        ("Pushes of robots are forbidden (unauthorized)", Login(JOB_TOKEN, is_job_token=True), RIGHTS),
        ("Commit must be signed with a GPG key", Login(TOKEN), RULES),
        ("Author swath@git.example is not a member of team", Login(TOKEN), RULES),
        ("You can only push commits that were committed with one of your own verified emails", Login(TOKEN), RULES),
    ],
)
def test_a_refusal_of_the_servers_hook_says_what_to_change(
    served: GitServer, bench: Bench, clone: Clone, words: str, login: Login, hint: str
) -> None:
    served.job_tokens[JOB_TOKEN] = "group/project"
    served.jobs_may_push.add("group/project")
    hook(served, words)
    server = Server(f"{served.url}/group/project.git", login)
    with pytest.raises(UserError) as caught:
        push(clone, server, head(bench), "refs/heads/main")
    assert str(caught.value) == f"pushing to main: the server refuses: GitLab: {words}\n  {hint}"
    assert not isinstance(caught.value, DeniedError)


def test_a_server_whose_hook_finds_no_answer_is_a_passing_fault(served: GitServer, bench: Bench, clone: Clone) -> None:
    hook(served, "Internal API unreachable")
    server = Server(f"{served.url}/group/project.git", Login(TOKEN))
    with pytest.raises(PassingFaultError):
        push(clone, server, head(bench), "refs/heads/main")


def test_words_of_an_address_or_a_branch_are_no_answer_of_the_server(
    served: GitServer, bench: Bench, clone: Clone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job token that is denied ends `collect` well, so nothing else may be taken for that."""
    monkeypatch.setattr("swath.record.push._FIRST_PAUSE_S", 0.0)
    login = Login(JOB_TOKEN, is_job_token=True)
    project = served.add_project("unauthorized/forbidden")
    served.job_tokens[JOB_TOKEN] = "unauthorized/forbidden"
    served.jobs_may_push.add("unauthorized/forbidden")
    (project / "hooks/pre-receive").write_text("#!/bin/sh\nexit 1\n")
    (project / "hooks/pre-receive").chmod(0o755)
    with pytest.raises(UserError) as caught:
        push(clone, Server(f"{served.url}/unauthorized/forbidden.git", login), head(bench), "refs/heads/forbidden")
    assert not isinstance(caught.value, DeniedError)
    with pytest.raises(PassingFaultError):
        find_ref(clone, Server("http://127.0.0.1:9/unauthorized/forbidden.git", login), "refs/heads/forbidden")


def test_the_job_token_pushes_where_the_project_lets_it(served: GitServer, bench: Bench, clone: Clone) -> None:
    served.job_tokens[JOB_TOKEN] = "group/project"
    served.jobs_may_push.add("group/project")
    server = Server(f"{served.url}/group/project.git", Login(JOB_TOKEN, is_job_token=True))
    assert push(clone, server, head(bench), "refs/heads/main") == "done"
    assert find_ref(clone, server, "refs/heads/main") == head(bench)
    assert served.refused == []


def test_a_denied_job_token_says_where_the_projects_setting_is(served: GitServer, bench: Bench, clone: Clone) -> None:
    served.job_tokens[JOB_TOKEN] = "group/project"
    server = Server(f"{served.url}/group/project.git", Login(JOB_TOKEN, is_job_token=True))
    with pytest.raises(DeniedError) as caught:
        push(clone, server, head(bench), "refs/heads/main")
    assert str(caught.value) == (
        f"pushing to main: {server.url} denies access to the job token (You are not allowed to upload code.)\n"
        "  turn on Settings > CI/CD > Job token permissions > Allow Git push requests to the repository (GitLab 18.4 and "
        "later), or set SWATH_TOKEN to a project access token with the scope write_repository (Settings > CI/CD > "
        "Variables, masked), then retry this job"
    )
    assert find_ref(clone, server, "refs/heads/main") is None


def test_an_ssh_address_without_an_ssh_program(clone: Clone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Swath's own image has none."""
    git = shutil.which("git")
    assert git
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/git").symlink_to(git)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    with pytest.raises(UserError) as caught:
        find_ref(clone, Server("ssh://git@gitlab.example.org/group/project.git"), "refs/heads/main")
    assert str(caught.value) == (
        "git ls-remote: ssh://git@gitlab.example.org/group/project.git is an SSH address\n"
        "  there is no `ssh` program here: set SWATH_GIT_URL to the https:// address of the repository"
    )


def test_a_branch_that_moved_is_never_forced(served: GitServer, bench: Bench, clone: Clone) -> None:
    server = Server(f"{served.url}/group/project.git", Login(TOKEN))
    first = head(bench)
    push(clone, server, first, "refs/heads/main")
    bench.commit("theirs")
    theirs = head(bench)
    push(clone, server, theirs, "refs/heads/main")
    bench.command("git", "reset", "-q", "--hard", first)
    bench.write({"b": "2"})
    bench.commit("ours")
    assert push(clone, server, head(bench), "refs/heads/main") == "moved"
    assert find_ref(clone, server, "refs/heads/main") == theirs


def test_a_server_that_does_not_answer_is_a_passing_fault(
    bench: Bench, clone: Clone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("swath.record.push._FIRST_PAUSE_S", 0.0)
    with pytest.raises(PassingFaultError) as caught:
        push(clone, Server("http://127.0.0.1:9/p.git", Login(TOKEN)), head(bench), "refs/heads/main")
    assert str(caught.value).startswith("pushing to main: http://127.0.0.1:9/p.git does not answer: ")
    with pytest.raises(PassingFaultError):
        find_ref(clone, Server("http://127.0.0.1:9/p.git", Login(TOKEN)), "refs/heads/main")


def test_a_commit_is_fetched_when_it_is_not_there(
    served: GitServer, bench: Bench, clone: Clone, tmp_path: Path
) -> None:
    server = Server(f"{served.url}/group/project.git", Login(TOKEN))
    push(clone, server, head(bench), "refs/heads/main")
    other = make_repository(tmp_path / "other", {"b": "2"})
    assert fetch_commit(open_clone(other.root), server, "refs/heads/main") == head(bench)
    assert other.command("git", "cat-file", "-t", head(bench)).stdout == "commit\n"
    assert not (other.root / ".git/FETCH_HEAD").exists()


def test_hooks_of_the_checkout_do_not_run(served: GitServer, bench: Bench, clone: Clone) -> None:
    hook = bench.root / ".git/hooks/pre-push"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    assert (
        push(clone, Server(f"{served.url}/group/project.git", Login(TOKEN)), head(bench), "refs/heads/main") == "done"
    )


@pytest.mark.parametrize(
    ("url", "plain"),
    [
        ("https://user:secret@git.example/p.git", "https://git.example/p.git"),
        ("https://user:se@cr@et@git.example/p.git", "https://git.example/p.git"),
        ("HTTPS://user:secret@git.example/p.git", "HTTPS://git.example/p.git"),
        ("https://git.example/a@b.git", "https://git.example/a@b.git"),
        ("ssh://git@git.example/p.git", "ssh://git@git.example/p.git"),
        ("/srv/p.git", "/srv/p.git"),
    ],
)
def test_credentials_in_an_address_are_taken_out(url: str, plain: str) -> None:
    assert without_credentials(url) == plain


def test_pauses_grow_and_end() -> None:
    waited: list[float] = []
    assert list(pauses(waited.append)) == [1, 2, 3, 4, 5, 6, 7, 8]
    assert len(waited) == 7
    assert all(0.25 * 2**n <= seconds <= 0.5 * 2**n for n, seconds in enumerate(waited[:6]))


class _Denies(BaseHTTPRequestHandler):
    """A server behind TLS that knows nobody."""

    def do_GET(self) -> None:
        self.send_response(401)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Nothing to say."""


@pytest.mark.skipif(not shutil.which("openssl"), reason="SKIPPED LOUDLY: no openssl on this machine")
def test_a_server_with_a_certificate_of_the_houses_own(
    clone: Clone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trusted as far as the runner says so, by the variable that it gives to jobs."""
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    words = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost"
    subprocess.run([*words.split(), "-keyout", key, "-out", certificate], capture_output=True, check=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    house = ThreadingHTTPServer(("localhost", 0), _Denies)
    house.socket = context.wrap_socket(house.socket, server_side=True)
    threading.Thread(target=house.serve_forever, daemon=True).start()
    server = Server(f"https://localhost:{house.server_port}/group/project.git", Login(TOKEN))
    monkeypatch.delenv("CI_SERVER_TLS_CA_FILE", raising=False)
    with pytest.raises(UserError) as caught:
        find_ref(clone, server, "refs/heads/main")
    assert str(caught.value) == (
        f"git ls-remote: the certificate of {server.url} is not trusted here\n"
        "  let GitLab's runner know the authority that signed it (tls-ca-file in config.toml: jobs then get "
        "CI_SERVER_TLS_CA_FILE), or set GIT_SSL_CAINFO to its file, then retry this job"
    )
    monkeypatch.setenv("GIT_SSL_CAINFO", "/etc/ssl/certs/ca-certificates.crt")  # as the tool layer sets it
    monkeypatch.setenv("CI_SERVER_TLS_CA_FILE", str(certificate))
    monkeypatch.setenv("CI_SERVER_HOST", "localhost")
    with pytest.raises(UserError, match="denies access: the token is expired"):
        find_ref(clone, server, "refs/heads/main")
    monkeypatch.setenv("CI_SERVER_HOST", "gitlab.example.com")
    with pytest.raises(UserError, match="is not trusted here"):
        find_ref(clone, server, "refs/heads/main")
    house.shutdown()
    house.server_close()


def test_the_token_follows_no_redirection_to_another_server(clone: Clone) -> None:
    seen: list[str | None] = []

    class Thief(_Denies):
        def do_GET(self) -> None:
            seen.append(self.headers["Authorization"])
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="x"')
            self.end_headers()

    thief = ThreadingHTTPServer(("127.0.0.1", 0), Thief)

    class Redirects(_Denies):
        def do_GET(self) -> None:
            self.send_response(302)
            self.send_header("Location", f"http://127.0.0.1:{thief.server_port}{self.path}")
            self.end_headers()

    redirects = ThreadingHTTPServer(("127.0.0.1", 0), Redirects)
    for server in (thief, redirects):
        threading.Thread(target=server.serve_forever, daemon=True).start()
    with pytest.raises(UserError, match="denies access"):
        find_ref(
            clone,
            Server(f"http://127.0.0.1:{redirects.server_port}/group/project.git", Login(TOKEN)),
            "refs/heads/main",
        )
    assert set(seen) == {None}
    for server in (thief, redirects):
        server.shutdown()
        server.server_close()
