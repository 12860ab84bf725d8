"""`dvc_border/imports.py`: data that `dvc import` brought comes from the repository where it lies."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.git_server import GitServer, serve_git
from support.plain_repository import read_data_files
from support.repositories import Bench, make_repository
from swath.dvc_border.data_files import DataOutput
from swath.dvc_border.imports import ImportStore, address_for_job
from swath.dvc_border.repository import Repository
from swath.dvc_border.workspace import Workspace
from swath.errors import PassingFaultError, UserError
from swath.model.content import Content

TOKEN = "job-token-of-4711"


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[GitServer, Bench]]:
    """A Git server with the repository `team/data`, which has DVC's data and Git's, and one that imported all of it."""
    tmp_path = tmp_path_factory.mktemp("imports")
    source = make_repository(
        tmp_path / "source", {"plain.txt": "git\n", "file": "one\n", "folder/a": "a", "folder/b": "bb"}
    )
    source.command("git", "rm", "-rq", "--cached", "file", "folder")
    source.command("dvc", "add", "-q", "file", "folder")
    source.add_remote("far", str(tmp_path / "source-far"))
    source.commit("data")
    source.command("dvc", "push", "-q")
    with serve_git(tmp_path / "git") as server:
        bare = server.add_project("team/data")
        source.command("git", "push", "-q", str(bare), "HEAD:main")
        bench = make_repository(tmp_path / "here", {"in": "1"})
        for path in ("plain.txt", "file", "folder"):
            bench.command("dvc", "import", "-q", f"{server.url}/team/data.git", path, "-o", path)
        shutil.rmtree(bench.root / ".dvc/cache")
        yield server, bench


@pytest.fixture
def server(imported: tuple[GitServer, Bench]) -> GitServer:
    """The server, which lets everybody read."""
    imported[0].readers.clear()
    return imported[0]


@pytest.fixture
def bench(tmp_path: Path, imported: tuple[GitServer, Bench]) -> Bench:
    """The repository, with nothing in its cache."""
    shutil.copytree(imported[1].root, tmp_path / "copy")
    return Bench(tmp_path / "copy")


def store(bench: Bench, path: str, **environ: str) -> tuple[ImportStore, DataOutput, Workspace]:
    """The store of one import."""
    repository = Repository(bench.root)
    workspace = Workspace(repository, {})
    (data,) = (out for out in read_data_files(repository) if out.path == path)
    return ImportStore(repository, workspace.cache, data, environ), data, workspace


@pytest.mark.parametrize(("path", "size"), [("plain.txt", 4), ("file", 4), ("folder", 3)])
def test_an_import_comes_whole_and_once(bench: Bench, path: str, size: int) -> None:
    imported, data, workspace = store(bench, path)
    assert data.content is not None
    assert imported.missing([data.content, Content("0" * 32)]) == {"0" * 32}
    assert imported.pull([data.content]) == size
    assert workspace.has_object(data.content)
    assert imported.pull([data.content]) == 0


@pytest.mark.parametrize("ssh", [False, True])
def test_a_repository_of_the_same_gitlab_is_read_with_the_jobs_token(
    bench: Bench, server: GitServer, *, ssh: bool
) -> None:
    server.readers.add(TOKEN)
    if ssh:
        file = bench.root / "file.dvc"
        file.write_text(file.read_text().replace(f"{server.url}/", "git@git.example.invalid:"))
    names = {"CI_SERVER_URL": server.url, "CI_SERVER_SHELL_SSH_HOST": "git.example.invalid"}
    imported, data, _ = store(bench, "file", CI_JOB_TOKEN=TOKEN, **names)
    assert data.content is not None
    assert imported.pull([data.content]) == 4


def test_a_repository_that_does_not_let_one_in_is_a_passing_fault_that_does_not_say_the_token(
    bench: Bench, server: GitServer
) -> None:
    server.readers.add("another")
    imported, data, _ = store(bench, "file", CI_JOB_TOKEN=TOKEN, CI_SERVER_URL=server.url)
    with pytest.raises(PassingFaultError) as caught:
        imported.pull([data.content] if data.content else [])
    assert re.sub(r"'/[^']*'", "FOLDER", str(caught.value)) == (
        f"file.dvc: file of {server.url}/team/data.git cannot be had: "
        f"Failed to clone repo '{server.url}/team/data.git' to FOLDER\n"
        "  may this project read it (its Settings > CI/CD > Job token permissions), and was it pushed (dvc push)?"
    )


@pytest.mark.parametrize("name", ["../../escaped", "../folder/escaped"])
def test_a_listing_of_another_repository_that_leads_out_of_its_folder_is_refused(tmp_path: Path, name: str) -> None:
    source, bench = (
        make_repository(tmp_path / "a/b/source", {"x": "1"}),
        make_repository(tmp_path / "a/b/here", {"x": "1"}),
    )
    far = tmp_path / "far"
    source.add_remote("far", str(far))
    listing = json.dumps([{"md5": _object(far, b"text"), "relpath": name}]).encode()
    value = f"{_object(far, listing, '.dir')}.dir"
    out = {"md5": value, "size": 4, "nfiles": 1, "hash": "md5", "path": "folder"}
    source.write({"folder.dvc": {"outs": [out]}})
    source.commit()
    rev = source.command("git", "rev-parse", "HEAD").stdout.strip()
    dep = {"path": "folder", "repo": {"url": str(source.root), "rev_lock": rev}}
    bench.write({"folder.dvc": {"frozen": True, "deps": [dep], "outs": [out]}})
    imported, data, _ = store(bench, "folder")
    with pytest.raises(UserError) as caught:
        imported.pull([data.content] if data.content else [])
    assert f"it names the file {name!r}, which is no path inside the folder" in str(caught.value)
    assert str(far / "files/md5" / value[:2] / value[2:]) in str(caught.value)
    assert not list(tmp_path.rglob("escaped"))


def _object(far: Path, data: bytes, ending: str = "") -> str:
    """Write an object into a remote; its MD5."""
    value = hashlib.md5(data).hexdigest()
    path = far / "files/md5" / value[:2] / f"{value[2:]}{ending}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return value


HOUSE = {"CI_SERVER_URL": "https://git.example.invalid:8443/gitlab/", "CI_JOB_TOKEN": "a/b"}
WITH_TOKEN = "https://gitlab-ci-token:a%2Fb@git.example.invalid:8443/gitlab/team/data.git"


@pytest.mark.parametrize(
    ("url", "environ", "expected"),
    [
        ("https://git.example.invalid:8443/gitlab/team/data.git", HOUSE, WITH_TOKEN),
        ("git@git.example.invalid:team/data.git", HOUSE, WITH_TOKEN),
        ("ssh://git@git.example.invalid/team/data.git", HOUSE, WITH_TOKEN),
        (
            "ssh://git@ssh.invalid:2222/team/data.git",
            {**HOUSE, "CI_SERVER_SHELL_SSH_HOST": "ssh.invalid", "CI_SERVER_SHELL_SSH_PORT": "2222"},
            WITH_TOKEN,
        ),
        ("https://git.example.invalid/team/data.git", HOUSE, ""),
        ("https://git.example.invalid:8443/gitlabs/team/data.git", HOUSE, ""),
        ("https://git.example.invalid:8443/gitlab/../other/data.git", HOUSE, ""),
        ("git@git.example.invalid:../other/data.git", HOUSE, ""),
        ("https://elsewhere.invalid/team/data.git", HOUSE, ""),
        ("https://git.example.invalid:8443/gitlab/team/data.git", {}, ""),
        ("/a/folder", HOUSE, ""),
    ],
)
def test_the_token_goes_to_the_jobs_own_server_alone(url: str, environ: dict[str, str], expected: str) -> None:
    assert address_for_job(url, environ) == (expected or url)
