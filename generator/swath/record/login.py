"""By what name and password Git pushes: `SWATH_TOKEN`, else the job token of GitLab for the job's own server.

Called by `cli/commands/job_collect.py`, which reads the environment once.

GitLab knows a job token only beside the user `gitlab-ci-token`. It may push to the job's own project where the project
allows that, with the rights of whoever started the pipeline; such a push starts no pipeline.

Source: https://docs.gitlab.com/ci/jobs/ci_job_token/, and GitLab's `lib/gitlab/auth.rb`, read 2026-11-25.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from swath.model.server_address import is_of_server

if TYPE_CHECKING:
    from collections.abc import Mapping

TOKEN_VARIABLE: Final = "SWATH_TOKEN"  # noqa: S105 - the name, not the token
JOB_TOKEN_VARIABLE: Final = "CI_JOB_TOKEN"  # noqa: S105 - likewise
_ANY_USER: Final = "oauth2"  # GitLab takes any user's name beside a token that a person made
_JOB_USER: Final = "gitlab-ci-token"


@dataclass(frozen=True, slots=True)
class Login:
    """Who pushes.

    Attributes:
        token: empty: Git's own ways (keys of SSH).
        is_job_token: whether it is the running job's own.
    """

    token: str = field(default="", repr=False)
    is_job_token: bool = False

    @property
    def user(self) -> str:
        """The user's name beside the token."""
        return _JOB_USER if self.is_job_token else _ANY_USER


def login_for(url: str, environ: Mapping[str, str]) -> Login:
    """Who pushes to an address.

    Args:
        url: the Git server's; the job token is sent to no server but the job's own.
        environ: SWATH_TOKEN, CI_JOB_TOKEN, CI_SERVER_URL.
    """
    token, job_token = environ.get(TOKEN_VARIABLE, ""), environ.get(JOB_TOKEN_VARIABLE, "")
    if token and token != job_token:
        return Login(token)
    if job_token and is_of_server(url, environ.get("CI_SERVER_URL", "")):
        return Login(job_token, is_job_token=True)
    return Login()
