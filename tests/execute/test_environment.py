"""Which of the caller's variables a service sees."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from swath.execute.environment import (
    _PASSED_NAMES,
    HOST_NAMES,
    NETWORK_NAMES,
    installer_environment,
    is_passed,
    missing_secrets,
    service_environment,
    sounds_secret,
)
from swath.execute.process import host_environment
from swath.execute.sandbox import _environment
from swath.model.invocation import Invocation
from swath.model.service import Service

OWN = {"SWATH_SERVICE_DIR": "/r/services/task", "SWATH_SCRATCH": "/r/scratch", "CUDA_VISIBLE_DEVICES": ""}


def invocation(*, network: bool = False, secrets: tuple[str, ...] = (), **changes: object) -> Invocation:
    """A start of a service with these secrets."""
    service = Service(
        name="task", kind="processing", description="", entrypoint=["x"], network=network, secrets=list(secrets)
    )
    return Invocation(service, Path("/r/services/task"), (), Path("/r"), ".", Path("/r/scratch"), **changes)  # type: ignore[arg-type] # a test's free choice


def test_the_callers_variables_stay_outside() -> None:
    source = {"SWATH_TOKEN": "x", "CI_JOB_TOKEN": "x", "AWS_ACCESS_KEY_ID": "x", "HOME": "/root", "TF_VAR_x": "x"}
    assert service_environment(invocation(), source) == OWN


@pytest.mark.parametrize("name", ["LANG", "LC_ALL", "TZ", "OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "NCCL_DEBUG"])
def test_locale_threads_and_hardware_are_passed(name: str) -> None:
    assert service_environment(invocation(), {name: "1"}) == {**OWN, name: "1"}


HOSTILE = (
    "NVIDIA_API_KEY", "NVIDIA_TOKEN", "NVIDIA_NGC_AUTH", "NVIDIA_VISIBLE_DEVICES_X", "XDG_TOKEN", "XDG_SECRET_FILE",
    "XDG_CURRENT_DESKTOP", "XDG_SESSION_COOKIE", "LC_SECRET", "LC_PAT", "LC_", "NCCL_TOKEN", "NCCL_CREDENTIALS",
    "XLA_SESSION", "XLA_SERVICE_KEY", "TF_VAR_password", "TF_CLI_CONFIG_FILE", "TF_TOKEN_app_terraform_io",
    "CUDA_API_KEY", "PYTHONPATH", "LD_PRELOAD", "SWATH_TOKEN", "SWATH_DVC_CONFIG", "CI_JOB_TOKEN", "DOCKER_HOST",
    "DOCKER_AUTH_CONFIG", "AWS_SESSION_TOKEN", "SSH_AUTH_SOCK", "GPG_PASSPHRASE", "HOMEBREW_GITHUB_API_TOKEN",
    "HOME_PASSWORD", "lang", "nvidia_visible_devices",
)  # fmt: skip


@pytest.mark.parametrize("name", [*HOSTILE, "PATH"])
def test_what_is_not_passed(name: str) -> None:
    assert not is_passed(name)


def test_no_runtime_passes_what_only_begins_like_something_known(tmp_path: Path) -> None:
    source = dict.fromkeys(HOSTILE, "hostile")
    chosen = replace(invocation(network=True), folder=tmp_path)
    for found in (
        service_environment(chosen, source),
        host_environment(chosen, source),
        _environment(chosen, source),
        installer_environment(source),
    ):
        assert "hostile" not in found.values()


def test_no_listed_name_sounds_like_a_secret() -> None:
    assert not [name for name in _PASSED_NAMES | HOST_NAMES | NETWORK_NAMES if sounds_secret(name)]


def test_this_machines_things_are_for_services_that_run_on_it() -> None:
    names = ("HOME", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR", "NVIDIA_VISIBLE_DEVICES", "NVIDIA_DRIVER_CAPABILITIES")
    source = dict.fromkeys(names, "here")
    assert source.items() <= host_environment(invocation(), source).items()
    assert service_environment(invocation(), source) == OWN


def test_an_installer_gets_its_own_settings_and_no_tokens() -> None:
    passed = {"PATH": "/bin", "UV_INDEX_MINE_PASSWORD": "x", "PIP_INDEX_URL": "u", "https_proxy": "p", "LC_ALL": "C"}
    assert (
        installer_environment({**passed, "CI_JOB_TOKEN": "x", "SWATH_TOKEN": "x", "AWS_SECRET_ACCESS_KEY": "x"})
        == passed
    )


@pytest.mark.parametrize(
    "name", ["NVIDIA_API_KEY", "DEPLOY_KEY", "GH_PAT", "DB_PWD", "db_passwd", "DOCKER_AUTH", "APIKEY"]
)
def test_names_that_sound_like_a_secret(name: str) -> None:
    assert sounds_secret(name)


@pytest.mark.parametrize("name", ["PATH", "KEYBOARD", "PWD", "OLDPWD", "MONKEY", "CI_PROJECT_PATH", "AUTHOR"])
def test_names_that_do_not(name: str) -> None:
    assert not sounds_secret(name)


def test_secrets_are_passed_by_name() -> None:
    source = {"HUB_PASSWORD": "x", "OTHER_PASSWORD": "y"}
    chosen = invocation(secrets=("HUB_PASSWORD", "ABSENT"))
    assert service_environment(chosen, source) == {**OWN, "HUB_PASSWORD": "x"}
    assert missing_secrets(chosen, source) == ("ABSENT",)


@pytest.mark.parametrize("network", [True, False])
def test_proxies_are_for_services_with_a_network(network: bool) -> None:  # noqa: FBT001 - a parameter
    assert ("https_proxy" in service_environment(invocation(network=network), {"https_proxy": "http://p"})) == network


def test_exactly_the_given_gpus_are_visible() -> None:
    chosen = service_environment(invocation(gpus=("1", "3")), {"CUDA_VISIBLE_DEVICES": "0,1,2,3"})
    assert chosen["CUDA_VISIBLE_DEVICES"] == "1,3"


def test_names_are_sorted() -> None:
    names = list(service_environment(invocation(environment={"DVC_ROOT": "/r", "A": "1"}), {"TZ": "UTC"}))
    assert names == sorted(names)
