"""Findings as text lines and as the versioned JSON document of `swath lint --json`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from swath.model.units import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from swath.errors import Finding
    from swath.lint.fix import Fixed

VERSION: Final = 1


def findings_document(findings: Sequence[Finding], fixed: Sequence[Fixed] | None = None) -> dict[str, Any]:
    """The JSON document; docs/reference/lint-rules.md describes it.

    Args:
        fixed: what `--fix` added; None: it was not asked for.
    """
    document: dict[str, Any] = {"version": VERSION, "findings": [_entry(finding) for finding in findings]}
    if fixed is not None:
        document["fixed"] = [{"file": each.file, "key": each.key, "entry": each.entry} for each in fixed]
    return document


def finding_line(finding: Finding) -> str:
    """``dvc.yaml:12: stages.train.cmd: error: message [rule]``."""
    return f"{finding.place}: {finding.severity}: {finding.message} [{finding.rule}]"


def summary(findings: Sequence[Finding], looked_at: str) -> str:
    """One line that counts, for stderr."""
    errors = sum(finding.severity == "error" for finding in findings)
    counts = ((errors, "error"), (len(findings) - errors, "warning"))
    told = " and ".join(counted(number, noun) for number, noun in counts if number) or "nothing to complain about"
    return f"swath lint: {told} ({looked_at})"


def _entry(finding: Finding) -> dict[str, Any]:
    return {
        "file": finding.place.file,
        "line": finding.place.line,
        "key": finding.place.key,
        "rule": finding.rule,
        "severity": finding.severity,
        "message": finding.message,
        "hint": finding.hint,
    }
