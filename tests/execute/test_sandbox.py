"""The settings of a container; pure."""

from __future__ import annotations

from pathlib import Path

import pytest

from swath.execute.engine import EngineFacts
from swath.execute.mounts import Layout
from swath.execute.sandbox import Caller, Sandbox, Surroundings, account_files, sandbox_for
from swath.model.invocation import Invocation
from swath.model.service import Image, Resources, Service
from swath.model.units import Size

PLAIN = EngineFacts(rootless=False, remaps_users=False, selinux=False, cpus=4)
SOMEBODY = Caller(uid=1000, gid=100, groups=(20, 30), name="ada")


def sandbox(
    tmp_path: Path, facts: EngineFacts = PLAIN, caller: Caller = SOMEBODY, *, build: bool = True, **changes: object
) -> Sandbox:
    """The sandbox of a service without arguments."""
    (tmp_path / "program.py").touch()
    image = Image(build=".") if build else Image(reference="x@sha256:1")
    service = Service(name="task", kind="processing", description="", entrypoint=["python", "program.py"], image=image)
    invocation = Invocation(service, tmp_path, (), Path("/home/ada/r"), "sub", tmp_path, **changes)  # type: ignore[arg-type] # a test's free choice
    return sandbox_for(invocation, Layout((), (), ()), "sha256:2", facts, Surroundings(caller, {}, (), {"pid": "7"}))


def test_words_that_are_files_of_the_service_are_those_of_the_image(tmp_path: Path) -> None:
    assert sandbox(tmp_path).command == ("python", "/opt/service/program.py")


def test_the_folder_is_mounted_only_into_an_image_without_it(tmp_path: Path) -> None:
    assert "/opt/service" not in {bind.target for bind in sandbox(tmp_path).binds}
    assert "/opt/service" in {bind.target for bind in sandbox(tmp_path, build=False).binds}


def test_the_caller_is_the_user(tmp_path: Path) -> None:
    found = sandbox(tmp_path)
    assert (found.user, found.groups, found.capabilities) == ("1000:100", ("20", "30"), ())


def test_a_rootless_engines_root_is_the_caller(tmp_path: Path) -> None:
    found = sandbox(tmp_path, EngineFacts(rootless=True, remaps_users=False, selinux=False, cpus=4))
    assert (found.user, found.groups) == ("0:0", ())


def test_an_engine_that_remaps_users_is_told_not_to(tmp_path: Path) -> None:
    assert sandbox(tmp_path).userns is None
    assert sandbox(tmp_path, EngineFacts(rootless=False, remaps_users=True, selinux=False, cpus=4)).userns == "host"


def test_selinux_does_not_hide_the_files(tmp_path: Path) -> None:
    facts = EngineFacts(rootless=False, remaps_users=False, selinux=True, cpus=4)
    assert sandbox(tmp_path, facts).security == ("no-new-privileges", "label=disable")


def test_limits_are_those_of_the_stage(tmp_path: Path) -> None:
    found = sandbox(tmp_path, resources=Resources(cpus=2.5, memory=Size(10**9), shm=Size(10**6)))
    assert (found.cpus, found.memory, found.shm) == (2.5, 10**9, 10**6)
    found = sandbox(tmp_path, resources=Resources(cpus=64, memory=Size(1)))
    assert (found.cpus, found.memory, found.shm) == (4, 6 * 2**20, None)


@pytest.mark.parametrize(("asked", "limit"), [(None, 4096), (16, 16), (100_000, 100_000)])
def test_processes_are_always_limited(tmp_path: Path, asked: int | None, limit: int) -> None:
    assert sandbox(tmp_path, resources=Resources(pids=asked)).pids == limit


def test_gpus_are_numbered_from_0_inside(tmp_path: Path) -> None:
    found = sandbox(tmp_path, gpus=("2", "5"))
    assert found.gpus == ("2", "5")
    assert found.environment["CUDA_VISIBLE_DEVICES"] == "0,1"
    assert "NVIDIA_VISIBLE_DEVICES" not in found.environment


@pytest.mark.parametrize("names", [("GPU-8932", "GPU-77ab"), ("MIG-4f5e",)])
def test_gpus_with_names_keep_them_inside(tmp_path: Path, names: tuple[str, ...]) -> None:
    found = sandbox(tmp_path, gpus=names)
    assert found.gpus == names
    assert found.environment["CUDA_VISIBLE_DEVICES"] == ",".join(names)


def test_variables_that_name_the_root_name_the_containers(tmp_path: Path) -> None:
    given = {"DVC_ROOT": "/home/ada/r", "A": "/home/ada/r/x", "B": "/home/ada/rest"}
    found = sandbox(tmp_path, environment=given).environment
    assert [found[name] for name in given] == ["/swath/repository", "/swath/repository/x", "/home/ada/rest"]
    assert sandbox(tmp_path).workdir == "/swath/repository/sub"


def test_labels_have_a_prefix(tmp_path: Path) -> None:
    assert sandbox(tmp_path).labels == {"swath.pid": "7"}


@pytest.mark.parametrize(
    ("caller", "rootless", "me"),
    [
        (SOMEBODY, False, "ada:x:1000:100:ada:/swath/home:/bin/sh"),
        (SOMEBODY, True, "root:x:0:0:root:/swath/home:/bin/sh"),
        (Caller(0, 0, (), "root"), False, "root:x:0:0:root:/swath/home:/bin/sh"),
        (Caller(65534, 65534, (), "nobody"), False, "nobody:x:65534:65534:nobody:/swath/home:/bin/sh"),
    ],
)
def test_the_caller_has_an_account(caller: Caller, rootless: bool, me: str) -> None:  # noqa: FBT001 - a parameter
    files = account_files(caller, rootless=rootless)
    assert me in files["/etc/passwd"].splitlines()
    assert "root:x:0:" in files["/etc/group"].splitlines()


def test_all_groups_have_names() -> None:
    lines = account_files(SOMEBODY, rootless=False)["/etc/group"].splitlines()
    assert lines == ["root:x:0:", "nogroup:x:65534:", "ada:x:100:", "group20:x:20:", "group30:x:30:"]
