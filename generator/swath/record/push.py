"""The Git server: what it has, and pushing to it. Never by force.

The token reaches Git through a credential helper that reads it from the environment: it stands in no argument, no
address, no file and no log.
"""

from __future__ import annotations

import os
import random
import re
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import urlsplit

from swath.errors import DeniedError, PassingFaultError, UserError
from swath.files.git_program import call_git
from swath.record.git import commit_id
from swath.record.login import TOKEN_VARIABLE, Login

if TYPE_CHECKING:
    from swath.record.git import Clone

Pushed = Literal["done", "moved"]
_TRIES: Final = 8
_FIRST_PAUSE_S: Final = 0.5
_LONGEST_PAUSE_S: Final = 20.0
_TIMEOUT_S: Final = 600
_HELPER: Final = (
    f'!f() {{{{ test "$1" = get && printf "username={{user}}\\npassword=%s\\n" "${TOKEN_VARIABLE}"; }}}}; f'
)
_MOVED: Final = re.compile(
    r"\(fetch first\)|\(non-fast-forward\)|\(stale info\)|cannot lock ref|failed to lock|incorrect old value"
    r"|reference already exists|failed to update ref|was updated by another"
)
_DENIED: Final = re.compile(
    r"authentication failed|access denied|returned error: 40[13]|could not read (username|password)"
    r"|permission denied|unauthorized|forbidden|terminal prompts disabled"
)
_UNTRUSTED: Final = re.compile(r"ssl certificate problem|certificate verif(y|ication) failed|error setting certificate")
_MISSING: Final = re.compile(
    r"repository .*not found|does not appear to be a git repository|could not be found or you don't"
)
_REJECTED: Final = re.compile(r"hook declined|\[remote rejected\]|remote: gitlab:")  # it let us in, and then said no
_ILL: Final = re.compile(
    r"internal api (unreachable|error)|unpacker error|no space left"
)  # its hook, without an answer
_REFUSED: Final = re.compile(r"protected branch|not allowed to")
_NAMES: Final = re.compile(r"[a-z][a-z0-9+.-]*://\S+|\S*refs/\S+")  # addresses and refs, which may hold any word
_PUSH_RULE: Final = re.compile(
    r"must be signed|verified emails?|not a (gitlab user|member)|follow the pattern|\bcommitter\b|\bauthor\b|\bdco\b"
)
_NO_SSH: Final = re.compile(r"cannot run ssh|ssh: (command )?not found")
_SAID: Final = re.compile(r"^remote: +(\S.*?) *$", re.MULTILINE)  # what the server's own hooks say
_RENEW: Final = (
    f"make a new project access token with the scope write_repository and a role that may push to this branch, and set "
    f"it as {TOKEN_VARIABLE} (Settings > CI/CD > Variables, masked), then retry this job"
)
_ALLOW: Final = (
    "turn on Settings > CI/CD > Job token permissions > Allow Git push requests to the repository (GitLab 18.4 and "
    f"later), or set {TOKEN_VARIABLE} to a project access token with the scope write_repository (Settings > CI/CD > "
    "Variables, masked), then retry this job"
)
_PROTECTED: Final = "let the token's user push there (Settings > Repository > Protected branches), then retry this job"
_PROTECTED_FROM_JOBS: Final = (
    "the job token has the rights of whoever started the pipeline: let them push there (Settings > Repository > "
    f"Protected branches), or set {TOKEN_VARIABLE} to the token of a user who may, then retry this job; or record "
    "experiments instead: `record: {default_branch: experiment}` in swath.yaml"
)
_RULES: Final = (
    "a push rule of the project (Settings > Repository > Push rules) rejects Swath's commits, which are not signed; "
    "SWATH_BOT_NAME and SWATH_BOT_EMAIL set their author and committer. Change the rule or these variables, then retry "
    "this job; or record experiments instead: `record: {default_branch: experiment}` in swath.yaml"
)


@dataclass(frozen=True, slots=True)
class Server:
    """Where results are pushed.

    Attributes:
        url: without credentials.
        login: who pushes.
    """

    url: str
    login: Login = field(default_factory=Login)

    @property
    def token(self) -> str:
        """Empty: Git's own ways (keys of SSH)."""
        return self.login.token

    @property
    def address(self) -> str:
        """The URL as Git is told it: with a token, the user stands in it.

        GitLab's runner has the checkout's settings include a file that turns addresses of the server into ones with the
        job's token (`url.….insteadOf`), which may not push; one with a user is not what it looks for.

        Source: gitlab-runner, `shells/abstract.go: setupExternalGitConfig`, read 2026-11-23.
        """
        parts = urlsplit(self.url)
        if not self.token or parts.scheme not in {"http", "https"}:
            return self.url
        return parts._replace(netloc=f"{self.login.user}@{parts.netloc.rpartition('@')[2]}").geturl()


def without_credentials(url: str) -> str:
    """The address without a user and a password."""
    return re.sub(r"^([A-Za-z][A-Za-z0-9+.-]*://)[^/]*@", r"\1", url) if url.lower().startswith("http") else url


def find_ref(clone: Clone, server: Server, ref: str) -> str | None:
    """The commit that a ref of the server names; None: there is no such ref.

    Raises:
        UserError: the server refuses.
        PassingFaultError: it does not answer.
    """
    return find_refs(clone, server, ref).get(ref)


def find_refs(clone: Clone, server: Server, pattern: str) -> dict[str, str]:
    """The server's refs that match a pattern, each with its commit; errors as `find_ref`."""
    text = _git(clone, server, "ls-remote", server.address, pattern)
    pairs = (line.split("\t", 1) for line in text.splitlines() if "\t" in line)
    return {name: value for value, name in pairs}


def fetch_commit(clone: Clone, server: Server, ref: str) -> str | None:
    """The commit that a ref of the server names, brought into the clone; None: there is no such ref.

    Raises:
        UserError: the server refuses.
        PassingFaultError: it does not answer.
    """
    value = find_ref(clone, server, ref)
    if value is not None and commit_id(clone, value) is None:
        _git(clone, server, "fetch", "--quiet", "--no-tags", "--no-write-fetch-head", server.address, ref)
    return value


def fetch_by_id(clone: Clone, server: Server, commit: str) -> None:
    """Bring a commit into the clone, unless it is there; errors as `fetch_commit`."""
    if commit_id(clone, commit) is None:
        _git(clone, server, "fetch", "--quiet", "--no-tags", "--no-write-fetch-head", server.address, commit)


def push(clone: Clone, server: Server, commit: str, ref: str) -> Pushed:
    """Let a ref of the server name a commit, if the commit follows what the ref names now.

    Returns:
        ``moved``: the ref names something else by now; look again.

    Raises:
        UserError: the server refuses.
        PassingFaultError: it does not answer.
    """
    words = ("-c", "core.hooksPath=/dev/null", "push", "--porcelain", "--no-verify", server.address, f"{commit}:{ref}")
    result = _call(clone, server, words)
    said = f"{result.stdout}\n{result.stderr}"
    if result.returncode == 0:
        return "done"
    if _MOVED.search(said):
        return "moved"
    raise _error(server, f"pushing to {ref.removeprefix('refs/heads/')}", said)


def pauses(pause: Callable[[float], None] = time.sleep) -> Iterator[int]:
    """The tries of something that others may be quicker at: 1, 2, …, with longer and longer pauses in between."""
    for number in range(1, _TRIES + 1):
        yield number
        if number < _TRIES:
            longest = min(_FIRST_PAUSE_S * 2.0 ** (number - 1), _LONGEST_PAUSE_S)
            pause(longest * random.uniform(0.5, 1.0))  # noqa: S311 - so that two do not keep in step


def _git(clone: Clone, server: Server, *words: str) -> str:
    for number in pauses():
        result = _call(clone, server, words)
        if result.returncode == 0:
            return result.stdout
        error = _error(server, f"git {words[0]}", result.stderr)
        if isinstance(error, UserError) or number >= 3:
            raise error
    raise AssertionError  # the last try returned or raised


def _call(clone: Clone, server: Server, words: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
    try:
        done = call_git(clone.top, *_credentials(server), *words, environ=_environ(server), timeout_s=_TIMEOUT_S)
    except subprocess.TimeoutExpired as error:
        raise PassingFaultError(f"{server.url} did not answer within {_TIMEOUT_S} s; retry this job") from error
    out, said = done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
    return subprocess.CompletedProcess(done.args, done.returncode, out, said)


def _credentials(server: Server) -> tuple[str, ...]:
    """Settings by which Git asks us alone, and only for this server, so that no redirection gets the token."""
    parts = urlsplit(server.url)
    if not server.token or parts.scheme not in {"http", "https"}:
        return ()
    scope = f"credential.{parts.scheme}://{parts.netloc}"
    return (
        "-c",
        "credential.helper=",
        "-c",
        f"{scope}.helper=",
        "-c",
        f"{scope}.helper={_HELPER.format(user=server.login.user)}",
    )


def _environ(server: Server) -> Mapping[str, str]:
    environ = {"GIT_TERMINAL_PROMPT": "0", "GIT_ASKPASS": "", "SSH_ASKPASS": "", TOKEN_VARIABLE: server.token}
    authority = os.environ.get("CI_SERVER_TLS_CA_FILE")
    if authority and urlsplit(server.url).hostname == os.environ.get("CI_SERVER_HOST"):
        environ["GIT_SSL_CAINFO"] = authority  # what GitLab's runner knows its server by, a house's own authority too
    return environ


def _error(server: Server, what: str, said: str) -> Exception:
    """What Git said as one of ours; what it quoted of secrets is taken out."""
    text = said.replace(server.token, "[masked]") if server.token else said
    text = re.sub(r"://[^/\s]*@", "://", text).strip()
    last = next((line.strip() for line in reversed(text.splitlines()) if line.strip() and line.strip() != "Done"), "")
    low = _NAMES.sub("", text.lower())
    if _REJECTED.search(low) and not _ILL.search(low):
        return _refused(server, what, text, last)
    unreached = _unreached(server, what, low)
    if unreached is not None:
        return unreached
    if _DENIED.search(low):
        return _denied(server, what, last, _SAID.findall(text))
    if _MISSING.search(low):
        hint = "correct SWATH_GIT_URL, or let the token see the project, then retry this job"
        return UserError(f"{what}: there is no repository at {server.url}, or the token may not see it", hint=hint)
    if _REFUSED.search(low):
        return _refused(server, what, text, last)
    return PassingFaultError(f"{what}: {server.url} does not answer: {last}; retry this job")


def _unreached(server: Server, what: str, low: str) -> UserError | None:
    """Why this machine cannot speak to the server; None: another reason."""
    if _UNTRUSTED.search(low):
        hint = (
            "let GitLab's runner know the authority that signed it (tls-ca-file in config.toml: jobs then get "
            "CI_SERVER_TLS_CA_FILE), or set GIT_SSL_CAINFO to its file, then retry this job"
        )
        return UserError(f"{what}: the certificate of {server.url} is not trusted here", hint=hint)
    if _NO_SSH.search(low):
        hint = "there is no `ssh` program here: set SWATH_GIT_URL to the https:// address of the repository"
        return UserError(f"{what}: {server.url} is an SSH address", hint=hint)
    return None


def _refused(server: Server, what: str, text: str, last: str) -> UserError:
    """The server lets us in, and does not take what we push."""
    why = " ".join(_SAID.findall(text) or [last])
    hint = _PROTECTED_FROM_JOBS if server.login.is_job_token else _PROTECTED
    return UserError(f"{what}: the server refuses: {why}", hint=_RULES if _PUSH_RULE.search(why.lower()) else hint)


def _denied(server: Server, what: str, last: str, said: list[str]) -> UserError:
    """The server does not let us in."""
    if not server.url.startswith("http"):
        return DeniedError(f"{what}: {server.url} denies access", hint=f"let its key push there: {last}")
    if server.login.is_job_token:
        why = f" ({' '.join(said)})" if said else ""
        return DeniedError(f"{what}: {server.url} denies access to the job token{why}", hint=_ALLOW)
    return DeniedError(f"{what}: {server.url} denies access: the token is expired, revoked or too weak", hint=_RENEW)
