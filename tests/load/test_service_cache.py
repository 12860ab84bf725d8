from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from support.service_repositories import UPPER, add_service, make_repository
from swath.errors import FindingsError, UserError
from swath.load.service_cache import CACHE_FOLDER, remembered_service
from swath.load.services import load_service

if TYPE_CHECKING:
    from pathlib import Path

FULL = UPPER + "resources: {cpus: 2, memory: 4GiB}\ntimeout: 2h30m\nimage: {build: .}\nsecrets: [TOKEN]\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    make_repository(tmp_path)
    add_service(tmp_path, "upper", FULL, {"Dockerfile": ""})
    return tmp_path


def test_what_is_remembered_equals_what_was_read(root: Path) -> None:
    services = [load_service(root, "upper"), remembered_service(root, "upper"), remembered_service(root, "upper")]
    assert services[0] == services[1] == services[2]
    assert [type(service.timeout).__name__ for service in services] == ["Duration"] * 3
    assert str(services[2].resources.memory) == "4GiB"
    assert [path.name for path in (root / CACHE_FOLDER).iterdir()] == ["upper"]


def test_another_content_is_read(root: Path) -> None:
    remembered_service(root, "upper")
    add_service(root, "upper", FULL.replace("2h30m", "1h"), {})
    assert str(remembered_service(root, "upper").timeout) == "1h"


@pytest.mark.parametrize("memory", [b"", b"nonsense", b"1 abc\n{}"])
def test_a_broken_memory_is_of_no_account(root: Path, memory: bytes) -> None:
    first = remembered_service(root, "upper")
    file = root / CACHE_FOLDER / "upper"
    file.write_bytes(memory or file.read_bytes()[:60])
    assert remembered_service(root, "upper") == first


def test_wrong_services_are_not_remembered(root: Path) -> None:
    add_service(root, "upper", "name: upper\n", {})
    for _ in range(2):
        with pytest.raises(FindingsError):
            remembered_service(root, "upper")


@pytest.mark.parametrize("name", ["uper", "../services/upper", "", "."])
def test_a_name_that_is_none(root: Path, name: str) -> None:
    with pytest.raises(UserError, match="there is no service"):
        remembered_service(root, name)


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_where_nothing_can_be_written_nothing_is_remembered(root: Path) -> None:
    (root / ".dvc").chmod(0o500)
    assert remembered_service(root, "upper").name == "upper"


def test_yaml_is_not_loaded_the_second_time(root: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from swath.load.service_cache import remembered_service\n"
        "remembered_service(Path(sys.argv[1]), 'upper'); print('yaml' in sys.modules)"
    )
    argv = [sys.executable, "-c", script, str(root)]
    assert [subprocess.run(argv, capture_output=True, text=True, check=True).stdout for _ in "ab"] == [
        "True\n",
        "False\n",
    ]
