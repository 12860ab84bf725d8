"""`dvc_border/external.py`: deps outside the repository as DVC locks them."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.plain_repository import commit, make_repository, reproduce
from swath.dvc_border.external import external_item
from swath.dvc_border.repository import Repository
from swath.dvc_border.revision import exported_revision
from swath.errors import UserError
from swath.local.project import read_project
from swath.plan.decide import decide


class Quiet(SimpleHTTPRequestHandler):
    """Serves files without a word, with the ETag that DVC asks for."""

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 - the base class's name
        """Say nothing."""

    def end_headers(self) -> None:
        """Add the ETag."""
        path = Path(self.translate_path(self.path))
        self.send_header("ETag", f'"{path.stat().st_mtime_ns if path.exists() else 0}"')
        super().end_headers()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[str]:
    """The address of a folder `web`."""
    (tmp_path / "web").mkdir()
    (tmp_path / "web/in.txt").write_text("one")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path / "web")))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def opened(root: Path, dep: str, config: str = "") -> Repository:
    stages = {"get": {"cmd": "echo done > out", "deps": [dep], "outs": ["out"]}}
    make_repository(root, {"dvc.yaml": yaml.safe_dump({"stages": stages})})
    (root / ".dvc/config").write_text(config)
    return Repository(root)


def repro(root: Path) -> dict[str, Any]:
    """What DVC locks for the dep."""
    reproduce(root)
    return dict(yaml.safe_load((root / "dvc.lock").read_text())["stages"]["get"]["deps"][0])


def decided(root: Path) -> str:
    """What a plan says about the stage."""
    project = read_project(Repository(root))
    return decide(project.graph, project.workspace())["get"].kind


def item(repository: Repository) -> Any:
    stage = read_project(repository).graph.stages["get"]
    return external_item(repository, stage, stage.deps[0].text)


def test_a_dep_of_the_web_is_locked_as_by_dvc(tmp_path: Path, served: str) -> None:
    repository = opened(tmp_path / "repo", f"{served}/in.txt")
    assert item(repository) == repro(repository.root)
    assert decided(repository.root) == "unchanged"


def test_a_dep_of_the_web_that_changed_is_seen(tmp_path: Path, served: str) -> None:
    repository = opened(tmp_path / "repo", f"{served}/in.txt")
    repro(repository.root)
    (tmp_path / "web/in.txt").write_text("other")
    os.utime(tmp_path / "web/in.txt", (1, 1))
    assert decided(repository.root) == "run"


def test_a_dep_of_a_remote_is_locked_as_by_dvc(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    (tmp_path / "far/in.txt").write_text("one")
    config = f"['remote \"far\"']\n    url = {tmp_path}/far\n"
    repository = opened(tmp_path / "repo", "remote://far/in.txt", config)
    assert item(repository) == repro(repository.root)
    assert decided(repository.root) == "unchanged"
    (tmp_path / "far/in.txt").write_text("other")
    assert decided(repository.root) == "run"


def test_a_dep_that_does_not_exist_has_no_item(tmp_path: Path) -> None:
    config = f"['remote \"far\"']\n    url = {tmp_path}/far\n"
    assert item(opened(tmp_path / "repo", "remote://far/in.txt", config)) is None


def test_an_unknown_remote_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        item(opened(tmp_path / "repo", "remote://no/in.txt"))
    assert "no" in str(caught.value)
    assert str(caught.value).endswith("\n  check the address, the remote's settings and the network")


def test_a_dep_of_the_web_is_asked_for_in_a_revision_too(tmp_path: Path, served: str) -> None:
    repository = opened(tmp_path / "repo", f"{served}/in.txt")
    commit(repository.root)
    with exported_revision(repository, "HEAD") as exported:
        assert item(exported) == item(repository)


def test_a_dep_of_a_remote_of_ones_own_is_asked_for_in_a_revision_too(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    (tmp_path / "far/in.txt").write_text("one")
    repository = opened(tmp_path / "repo", "remote://far/in.txt")
    (repository.root / ".dvc/config.local").write_text("['remote \"far\"']\n    url = ../../far\n")
    commit(repository.root)
    with exported_revision(repository, "HEAD") as exported:
        assert item(exported) == item(repository)
