"""`clean/revisions.py`: one name for each Git server."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.repositories import make_repository
from swath.clean.revisions import in_work_tree, server_name, server_names

NAME = "gitlab.example.com/group/sub/project"


@pytest.mark.parametrize(
    "url",
    [
        "https://gitlab.example.com/group/sub/project.git",
        "https://user:secret@GitLab.example.com:8443/Group/sub/project/",
        "ssh://git@gitlab.example.com:2222/group/sub/project.git",
        "git@gitlab.example.com:group/sub/project.git",
        "gitlab.example.com:/group/sub/project",
    ],
)
def test_a_server_has_one_name_by_http_and_ssh(url: str, tmp_path: Path) -> None:
    assert server_name(url, tmp_path) == NAME


def test_a_folder_is_called_by_its_real_path(tmp_path: Path) -> None:
    (tmp_path / "server.git").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "server.git")
    for url in ("server.git", "./link", f"file://{tmp_path}/server.git/", str(tmp_path / "server")):
        assert server_name(url, tmp_path) == str(tmp_path / "server")


def test_what_is_no_url_is_no_fault_and_keeps_its_password(tmp_path: Path) -> None:
    assert server_name("https://user:secret@[bad/x", tmp_path) == "https://[bad/x"


def test_a_job_reaches_its_own_server_by_another_address(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "repo", {})
    repository.command("git", "remote", "add", "origin", "https://gitlab-ci-token:x@inside:8080/group/sub/project.git")
    repository.command("git", "remote", "add", "other", "git@github.com:group/sub/project.git")
    job = {"CI_PROJECT_PATH": "group/sub/project", "CI_PROJECT_URL": "https://gitlab.example.com/group/sub/project"}
    assert server_names(repository.root, job) == ["github.com/group/sub/project", NAME]
    assert server_names(repository.root, {}) == ["github.com/group/sub/project", "inside/group/sub/project"]


def test_what_another_program_locks_up_is_no_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("other.lock", "dvc.lock"):
        (tmp_path / name).write_text("")

    def closed(path: Path, **_: object) -> str:
        if path.name == closed_name:
            raise PermissionError(13, "Permission denied", str(path))
        return "x"

    monkeypatch.setattr(Path, "read_text", closed)
    closed_name = "other.lock"
    assert [(each.path, each.place) for each in in_work_tree(tmp_path, Path("/top"))] == [
        ("dvc.lock", f"the work tree of {tmp_path}")
    ]
    closed_name = "dvc.lock"
    with pytest.raises(PermissionError):
        list(in_work_tree(tmp_path, tmp_path))
