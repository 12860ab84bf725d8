"""Which of the caller's variables a service sees."""

from __future__ import annotations

from pathlib import Path

import pytest

from swath.execute.environment import is_passed, missing_secrets, service_environment
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


@pytest.mark.parametrize(
    "name", ["LC_SECRET", "NCCL_TOKEN", "TF_CLI_CONFIG_FILE", "SWATH_TOKEN", "PATH", "DOCKER_HOST"]
)
def test_what_is_not_passed(name: str) -> None:
    assert not is_passed(name)


def test_secrets_are_passed_by_name() -> None:
    source = {"HUB_PASSWORD": "x", "OTHER_PASSWORD": "y"}
    chosen = invocation(secrets=("HUB_PASSWORD", "ABSENT"))
    assert service_environment(chosen, source) == {**OWN, "HUB_PASSWORD": "x"}
    assert missing_secrets(chosen, source) == ("ABSENT",)


@pytest.mark.parametrize("network", [True, False])
def test_proxies_are_for_services_with_a_network(network: bool) -> None:  # noqa: FBT001 - a parameter
    assert ("https_proxy" in service_environment(invocation(network=network), {"https_proxy": "http://p"})) == network


def test_exactly_the_given_gpus_are_visible() -> None:
    chosen = service_environment(invocation(gpus=(1, 3)), {"CUDA_VISIBLE_DEVICES": "0,1,2,3"})
    assert chosen["CUDA_VISIBLE_DEVICES"] == "1,3"


def test_names_are_sorted() -> None:
    names = list(service_environment(invocation(environment={"DVC_ROOT": "/r", "A": "1"}), {"TZ": "UTC"}))
    assert names == sorted(names)
