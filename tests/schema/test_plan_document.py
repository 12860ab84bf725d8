"""`schema/plan_document.py`: the document of `swath plan --json`, version 1."""

from __future__ import annotations

import json

from swath.model.plan import Decision, Reason
from swath.schema.plan_document import plan_document


def test_an_empty_plan() -> None:
    assert plan_document({}, {}) == {"version": 1, "stages": [], "jobs": []}


def test_a_stage_with_its_reasons() -> None:
    reasons = (Reason("param", "params.yaml:lr", 0.1, [1, {"a": None}]), Reason("new"))
    assert plan_document({"train": Decision("run", reasons)}, {"train": "trainer"})["stages"] == [
        {
            "name": "train",
            "decision": "run",
            "reasons": [
                {"kind": "param", "path": "params.yaml:lr", "old": 0.1, "new": [1, {"a": None}]},
                {"kind": "new", "path": "", "old": None, "new": None},
            ],
            "service": "trainer",
            "job": None,
        }
    ]


def test_a_stage_without_a_service_says_so() -> None:
    assert plan_document({"a": Decision("unchanged")}, {})["stages"][0]["service"] is None


def test_stages_keep_the_plans_order() -> None:
    document = plan_document({name: Decision("run") for name in ("z", "a", "m")}, {})
    assert [stage["name"] for stage in document["stages"]] == ["z", "a", "m"]


def test_the_entry_to_restore_is_not_told() -> None:
    document = plan_document({"a": Decision("restore", (), {"cmd": "secret"})}, {})
    assert "secret" not in json.dumps(document)
