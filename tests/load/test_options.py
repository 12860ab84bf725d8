"""Resources, timeout and retries of a stage: which level beats which, and what is refused."""

from __future__ import annotations

import pytest

from swath.errors import FindingsError, Place
from swath.load.options import stage_options
from swath.model.service import Resources, Service
from swath.model.settings import ContinuousIntegration, Overrides, Settings, StageOptions
from swath.model.stage import JSONValue, Stage
from swath.model.units import Duration, Size
from swath.schema.yaml12 import Document

SERVICE = Service(
    name="train",
    kind="training",
    description="",
    entrypoint=["x"],
    resources=Resources(cpus=2, memory=Size(4), gpus=1),
    timeout=Duration(60),
    retries=1,
)
SETTINGS = Settings(services={"train": Overrides(resources=Resources(memory=Size(8)), timeout=Duration(120))})


def _stage(swath: JSONValue = None, key: str = "a") -> Stage:
    meta = {} if swath is None else {"swath": swath}
    return Stage(key, "dvc.yaml", key, "a", "true", ".", meta=meta, place=Place("dvc.yaml", 2, "stages.a"))


def test_the_service_alone() -> None:
    assert stage_options(_stage(), SERVICE, Settings()) == StageOptions(SERVICE.resources, 60.0, 1)


def test_the_settings_beat_the_service() -> None:
    expected = StageOptions(Resources(cpus=2, memory=Size(8), gpus=1), 120.0, 1)

    assert stage_options(_stage(), SERVICE, SETTINGS) == expected


def test_the_stage_beats_the_settings() -> None:
    swath: JSONValue = {"resources": {"memory": "16B", "gpus": 0}, "timeout": "4h", "retries": 0}
    expected = StageOptions(Resources(cpus=2, memory=Size(16), gpus=0), 14_400.0, 0)

    assert stage_options(_stage(swath), SERVICE, SETTINGS) == expected


def test_in_ci_its_own_section_beats_the_settings() -> None:
    in_ci = ContinuousIntegration(services={"train": Overrides(resources=Resources(gpus=2), retries=3)})
    settings = Settings(services=SETTINGS.services, ci=in_ci)

    assert stage_options(_stage(), SERVICE, settings) == stage_options(_stage(), SERVICE, SETTINGS)
    expected = StageOptions(Resources(cpus=2, memory=Size(8), gpus=2), 120.0, 3)
    assert stage_options(_stage(), SERVICE, settings, in_ci=True) == expected
    assert stage_options(_stage({"resources": {"gpus": 4}}), SERVICE, settings, in_ci=True).resources.gpus == 4


def test_the_expected_time_has_the_same_levels() -> None:
    in_ci = ContinuousIntegration(services={"train": Overrides(expected=Duration(20))})
    settings = Settings(services={"train": Overrides(expected=Duration(10))}, ci=in_ci)

    assert stage_options(_stage(), SERVICE, SETTINGS).expected_s is None
    assert stage_options(_stage(), SERVICE, settings).expected_s == 10.0
    assert stage_options(_stage(), SERVICE, settings, in_ci=True).expected_s == 20.0
    assert stage_options(_stage({"expected": "1m"}), SERVICE, settings, in_ci=True).expected_s == 60.0


def test_a_stage_without_service_counts_nothing() -> None:
    assert stage_options(_stage(), None, SETTINGS) == StageOptions(Resources(), None, 0)


def test_a_stage_without_service_may_say_what_it_needs() -> None:
    assert stage_options(_stage({"resources": {"cpus": 3}}), None, SETTINGS).resources == Resources(cpus=3)


def test_other_meta_is_not_ours() -> None:
    stage = Stage("a", "dvc.yaml", "a", "a", "true", ".", meta={"owner": "x"})

    assert stage_options(stage, None, Settings()) == StageOptions(Resources(), None, 0)


def test_wrong_values_have_their_line() -> None:
    text = (
        "stages:\n  a:\n    foreach: [1]\n    do:\n      cmd: x\n"
        "      meta:\n        swath:\n          retrys: 1\n          timeout: 4\n"
    )
    stage = _stage({"retrys": 1, "timeout": 4}, "a@1")

    with pytest.raises(FindingsError) as caught:
        stage_options(stage, None, Settings(), document=Document(text, "dvc.yaml"))

    assert str(caught.value) == (
        "dvc.yaml:8: stages.a.do.meta.swath.retrys: unknown key 'retrys'\n"
        "  did you mean 'retries'?\n"
        "dvc.yaml:9: stages.a.do.meta.swath.timeout: 4 has no unit: write it as 45s, 30m or 2h30m"
    )


def test_without_the_document_the_stage_is_named() -> None:
    with pytest.raises(FindingsError) as caught:
        stage_options(_stage(["x"]), None, Settings())

    assert str(caught.value) == "dvc.yaml:2: stages.a.meta.swath: expected a mapping, got a list"
