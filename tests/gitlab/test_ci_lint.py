"""What a server finds in a pipeline."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.fake_gitlab import FakeGitlab, fake_gitlab
from swath.errors import Finding, Place, UserError
from swath.gitlab.ci_lint import ask_gitlab, lint_with_server
from swath.gitlab.server import address_of, open_project

if TYPE_CHECKING:
    from collections.abc import Iterator

TEXT = "größe: {script: [ls]}\n"
PLACE = Place("the compiled pipeline")


@pytest.fixture
def server() -> Iterator[FakeGitlab]:
    """A GitLab that works."""
    with fake_gitlab() as gitlab:
        yield gitlab


def test_errors_before_warnings(server: FakeGitlab) -> None:
    server.errors, server.warnings = ["jobs:b", "jobs:a"], ["w"]
    assert lint_with_server(open_project(address_of(server.environ())), TEXT) == (
        Finding(PLACE, "gitlab-ci-lint", "jobs:b"),
        Finding(PLACE, "gitlab-ci-lint", "jobs:a"),
        Finding(PLACE, "gitlab-ci-lint", "w", severity="warning"),
    )


def test_the_server_gets_the_text_as_it_is(server: FakeGitlab) -> None:
    assert ask_gitlab(TEXT, server.environ()) == ()
    assert server.contents == [TEXT]


def test_warnings(server: FakeGitlab) -> None:
    server.warnings = ["two", "one"]
    assert ask_gitlab(TEXT, server.environ()) == ("two", "one")


def test_a_text_that_is_no_yaml(server: FakeGitlab) -> None:
    with pytest.raises(UserError) as caught:
        ask_gitlab("a: [", server.environ())
    assert str(caught.value) == (f"{server.url} refuses the pipeline\nwhile parsing a flow node\n  nothing was written")


@pytest.mark.parametrize(("count", "more"), [(10, ""), (11, "and 1 more\n")])
def test_many_errors(server: FakeGitlab, count: int, more: str) -> None:
    server.errors = [f"error {number}" for number in range(count)]
    with pytest.raises(UserError) as caught:
        ask_gitlab(TEXT, server.environ())
    shown = "".join(f"error {number}\n" for number in range(10))
    assert str(caught.value) == f"{server.url} refuses the pipeline\n{shown}{more}  nothing was written"


def test_not_valid_for_no_reason(server: FakeGitlab) -> None:
    server.faults, server.headers, server.body = [200], {"X": "y"}, '{"valid": false, "errors": [], "warnings": null}'
    with pytest.raises(UserError) as caught:
        ask_gitlab(TEXT, server.environ())
    assert str(caught.value) == (
        f"{server.url} refuses the pipeline\nit is not valid; the server does not say why\n  nothing was written"
    )
