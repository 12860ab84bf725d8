"""`job/store.py`: how long a remote is waited for, and what is said when its credentials are missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.repositories import make_repository
from swath.dvc_border.patience import Patience
from swath.dvc_border.repository import Repository
from swath.errors import UserError
from swath.job.store import patience_of, store_of

USUAL = Patience(pauses_s=(7.0,))


@pytest.mark.parametrize(
    ("environ", "patience"),
    [({}, USUAL), ({"SWATH_REMOTE_WAIT": ""}, USUAL), ({"SWATH_REMOTE_WAIT": "2m"}, Patience.lasting(120))],
)
def test_the_variable_says_how_long(environ: dict[str, str], patience: Patience) -> None:
    assert patience_of(environ, USUAL) == patience


def test_what_is_no_duration_is_told() -> None:
    with pytest.raises(UserError) as caught:
        patience_of({"SWATH_REMOTE_WAIT": "long"}, USUAL)
    assert str(caught.value) == "SWATH_REMOTE_WAIT: 'long' is not a duration: write it as 45s, 30m or 2h30m"


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """One whose default remote nobody may read."""
    bench = make_repository(tmp_path / "repo", {"dvc.yaml": {"stages": {}}})
    bench.add_remote("store", "s3://swath/forest")
    return Repository(bench.root)


def test_the_text_of_the_settings_where_their_path_is_expected_is_not_said(repository: Repository) -> None:
    """A variable of GitLab's type Variable instead of File: no line of it is masked."""
    text = "['remote \"store\"']\n    secret_access_key = THE-SECRET\n"
    with pytest.raises(UserError) as caught:
        store_of(repository, {"SWATH_DVC_CONFIG": text})
    assert str(caught.value) == (
        "SWATH_DVC_CONFIG is the text of a file, not its path\n"
        "  give the variable the type File (Settings > CI/CD > Variables): then it is the path of one"
    )


@pytest.mark.parametrize(
    ("environ", "hint"),
    [
        ({}, "renew its credentials: .dvc/config.local, in CI the file variable SWATH_DVC_CONFIG"),
        (
            {"GITLAB_CI": "true", "CI_COMMIT_REF_PROTECTED": "true"},
            "SWATH_DVC_CONFIG is not set here: a variable of the type File (Settings > CI/CD > Variables)",
        ),
        (
            {"GITLAB_CI": "true", "CI_COMMIT_REF_PROTECTED": "false"},
            (
                "SWATH_DVC_CONFIG is not set here: a variable of the type File (Settings > CI/CD > Variables); "
                "if it is, as a protected one: this branch is not protected, and gets none of those"
            ),
        ),
    ],
)
def test_what_to_do_about_a_remote_that_refuses_us(
    repository: Repository, environ: dict[str, str], hint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        (repository.root / name).touch()
        monkeypatch.setenv(name, str(repository.root / name))
    store, _ = store_of(repository, environ, Patience(pauses_s=()))
    assert store is not None
    with pytest.raises(UserError) as caught:
        store.read_text("swath/1/1/a.json")
    assert str(caught.value) == (
        "the DVC remote 'store' refuses to be read: NoCredentialsError: Unable to locate credentials\n  " + hint
    )
