"""Fixtures and hooks of all tests; each lives in a module of `support/`."""

from support.docker_engine import (
    _docker_when_marked,
    docker_engine,
    pytest_configure,
    pytest_terminal_summary,
    pytest_unconfigure,
    registry,
)
from support.order import pytest_collection_modifyitems
from support.remote_server import remote_server
from support.service_bench import bench
from support.staged import small_root

__all__ = [
    "_docker_when_marked",
    "bench",
    "docker_engine",
    "pytest_collection_modifyitems",
    "pytest_configure",
    "pytest_terminal_summary",
    "pytest_unconfigure",
    "registry",
    "remote_server",
    "small_root",
]
