"""Where the engine is, and what is said when it does not answer."""

from __future__ import annotations

import hashlib
import json
import socket
import threading
from typing import TYPE_CHECKING

import pytest

from swath.execute.reach import DEFAULT_ADDRESS, engine_address, why_unreachable

if TYPE_CHECKING:
    from pathlib import Path


def test_docker_host_comes_first(tmp_path: Path) -> None:
    assert engine_address({"DOCKER_HOST": "tcp://x:1", "HOME": str(tmp_path)}) == "tcp://x:1"


def test_the_chosen_context_counts(tmp_path: Path) -> None:
    digest = hashlib.sha256(b"rootless").hexdigest()
    meta = tmp_path / ".docker/contexts/meta" / digest / "meta.json"
    meta.parent.mkdir(parents=True)
    meta.write_text(json.dumps({"Endpoints": {"docker": {"Host": "unix:///run/user/1000/docker.sock"}}}))
    (tmp_path / ".docker/config.json").write_text(json.dumps({"currentContext": "rootless"}))
    assert engine_address({"HOME": str(tmp_path)}) == "unix:///run/user/1000/docker.sock"


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"currentContext": "gone"}', '{"currentContext": null}'])
def test_a_config_that_says_nothing_is_no_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.json").write_text(text)
    assert engine_address({"DOCKER_CONFIG": str(tmp_path)}) == DEFAULT_ADDRESS


def test_no_engine(tmp_path: Path) -> None:
    address = f"unix://{tmp_path}/none.sock"
    assert why_unreachable(address) == (
        f"no Docker engine runs at {address}: start it (sudo systemctl start docker), "
        "or run without Docker: --runtime process"
    )


def test_something_else_listens(tmp_path: Path) -> None:
    def answer() -> None:
        connection, _ = server.accept()
        with connection:
            connection.recv(100)
            connection.sendall(b"220 mail ready\r\n")

    with socket.socket(socket.AF_UNIX) as server:
        server.bind(f"{tmp_path}/sock")
        server.listen()
        thread = threading.Thread(target=answer)
        thread.start()
        told = why_unreachable(f"unix://{tmp_path}/sock")
        thread.join()
    assert told == (
        f"what listens at {tmp_path}/sock is no Docker engine: see DOCKER_HOST, "
        "or run without Docker: --runtime process"
    )


def test_a_tcp_port_on_which_nobody_listens() -> None:
    assert (why_unreachable("tcp://127.0.0.1:9") or "").startswith("no Docker engine runs at tcp://127.0.0.1:9")


def test_an_engine_behind_ssh_is_another_machines() -> None:
    assert why_unreachable("ssh://me@host") == (
        "the Docker engine at ssh://me@host is on another machine, which does not see this one's files: choose one "
        "here (unset DOCKER_HOST, docker context use default), or run without Docker: --runtime process"
    )


@pytest.mark.docker
def test_an_engine_answers(docker_engine: str) -> None:
    assert why_unreachable(docker_engine) is None
