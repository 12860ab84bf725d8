"""`lint/document.py`: findings as lines and as JSON."""

from __future__ import annotations

import pytest

from swath.errors import Finding, Place
from swath.lint.document import finding_line, findings_document, summary
from swath.lint.fix import Fixed

ERROR = Finding(Place("dvc.yaml", 12, "stages.a.cmd"), "type", "size is no integer", "write 256")
WARNING = Finding(Place("swath.yaml"), "unused-service", "nobody uses it", severity="warning")


def test_a_line_has_place_severity_message_and_rule() -> None:
    assert finding_line(ERROR) == "dvc.yaml:12: stages.a.cmd: error: size is no integer [type]"
    assert finding_line(WARNING) == "swath.yaml: warning: nobody uses it [unused-service]"


def test_the_document() -> None:
    assert findings_document([ERROR, WARNING]) == {
        "version": 1,
        "findings": [
            {
                "file": "dvc.yaml",
                "line": 12,
                "key": "stages.a.cmd",
                "rule": "type",
                "severity": "error",
                "message": "size is no integer",
                "hint": "write 256",
            },
            {
                "file": "swath.yaml",
                "line": WARNING.place.line,
                "key": WARNING.place.key,
                "rule": "unused-service",
                "severity": "warning",
                "message": "nobody uses it",
                "hint": WARNING.hint,
            },
        ],
    }


def test_what_was_fixed_is_listed_when_it_was_asked_for() -> None:
    fixed = Fixed("dvc.yaml", "stages.a.deps", "in.tif")
    assert findings_document([], [fixed])["fixed"] == [{"file": "dvc.yaml", "key": "stages.a.deps", "entry": "in.tif"}]
    assert findings_document([], [])["fixed"] == []
    assert "fixed" not in findings_document([])


@pytest.mark.parametrize(
    ("findings", "text"),
    [
        ([], "nothing to complain about"),
        ([ERROR], "1 error"),
        ([WARNING, WARNING], "2 warnings"),
        ([ERROR, ERROR, WARNING], "2 errors and 1 warning"),
    ],
)
def test_the_summary_counts(findings: list[Finding], text: str) -> None:
    assert summary(findings, "3 stages") == f"swath lint: {text} (3 stages)"
