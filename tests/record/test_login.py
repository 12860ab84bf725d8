"""`record/login.py`: which token is used, beside which user, and for which server."""

from __future__ import annotations

import pytest

from swath.record.login import Login, login_for

URL = "https://gitlab.example.org/group/project.git"
JOB = {"CI_JOB_TOKEN": "glcbt-of-the-job", "CI_SERVER_URL": "https://gitlab.example.org"}


def test_the_token_that_was_set_comes_first() -> None:
    login = login_for(URL, {**JOB, "SWATH_TOKEN": "glpat-set"})
    assert (login.user, login.token, login.is_job_token) == ("oauth2", "glpat-set", False)


def test_without_one_the_job_token_is_used_beside_its_own_user() -> None:
    for set_to in ({}, {"SWATH_TOKEN": ""}, {"SWATH_TOKEN": "glcbt-of-the-job"}):
        login = login_for(URL, {**JOB, **set_to})
        assert (login.user, login.token, login.is_job_token) == ("gitlab-ci-token", "glcbt-of-the-job", True)


@pytest.mark.parametrize(
    "url",
    [
        "https://other.example.org/group/project.git",
        "http://gitlab.example.org/group/project.git",
        "https://gitlab.example.org:8443/group/project.git",
        "https://gitlab.example.org.evil.example/group/project.git",
        "https://gitlab.example.org@evil.example/group/project.git",
        "https://gitlab.example.org:port/group/project.git",
        "ssh://git@gitlab.example.org/group/project.git",
        "/srv/project.git",
        "",
    ],
)
def test_the_job_token_goes_to_no_other_server(url: str) -> None:
    assert login_for(url, JOB) == Login()
    assert login_for(url, {**JOB, "SWATH_TOKEN": "glcbt-of-the-job"}) == Login()


@pytest.mark.parametrize("server", ["https://gitlab.example.org:443", "https://GitLab.example.org/", ""])
def test_the_same_server_is_told_by_scheme_host_and_port(server: str) -> None:
    assert login_for(URL, {**JOB, "CI_SERVER_URL": server}).is_job_token == bool(server)


@pytest.mark.parametrize(
    ("path", "same"),
    [
        ("/gitlab/group/project.git", True),
        ("/other/group/project.git", False),
        ("/gitlab-old/group/project.git", False),
        ("/gitlab/../other/project.git", False),
        ("/gitlab/%2e%2E/other/project.git", False),
        ("/gitlab", False),
    ],
)
@pytest.mark.parametrize("server", ["https://example.org/gitlab", "https://example.org/gitlab/"])
def test_where_a_server_has_a_part_of_a_host_the_job_token_goes_to_no_other_part(
    server: str, path: str, *, same: bool
) -> None:
    assert login_for(f"https://example.org{path}", {**JOB, "CI_SERVER_URL": server}).is_job_token == same


def test_outside_of_jobs_there_is_none() -> None:
    assert login_for(URL, {}) == Login()


def test_the_token_is_in_no_representation() -> None:
    assert "glpat" not in repr(Login("glpat-set"))
