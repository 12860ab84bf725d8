"""`limits.py`: limits that can be tried or compared on this machine."""

from __future__ import annotations

import subprocess
import sys

import pytest

from swath import limits
from swath.emit.schema import schema_findings


def start_with_variable(size: int) -> None:
    """Start a program with a variable of so many bytes, name and ``=`` counted."""
    subprocess.run(["true"], env={"PATH": "/usr/bin:/bin", "N": "x" * (size - 2)}, check=True, timeout=10)


@pytest.mark.skipif(sys.platform != "linux", reason="execve's limit is Linux's")
def test_a_variable_of_the_limit_starts_and_a_byte_more_does_not() -> None:
    start_with_variable(limits.VARIABLE_BYTES)
    with pytest.raises(OSError, match="Argument list too long"):
        start_with_variable(limits.VARIABLE_BYTES + 1)


def test_what_is_written_into_a_variable_leaves_room() -> None:
    assert 2 * limits.CHILD_VARIABLE_BYTES <= limits.VARIABLE_BYTES + 1


def test_times_are_a_range() -> None:
    assert limits.LEAST_JOB_TIMEOUT_S < limits.JOB_TIMEOUT_S < 30 * 24 * 3600


def test_no_word_of_the_file_itself_may_be_a_job() -> None:
    """GitLab's own schema takes no job under the words that it knows another form of."""
    job = {"script": ["true"]}
    assert schema_findings({"fine": job}) == ()
    refused = {name for name in limits.RESERVED_JOB_NAMES if schema_findings({name: job})}
    assert refused >= {"image", "services", "stages", "before_script", "variables", "default", "spec"}


@pytest.mark.parametrize("retries", [limits.RETRIES, limits.RETRIES + 1])
def test_retries_are_those_of_the_schema(retries: int) -> None:
    findings = schema_findings({"fine": {"script": ["true"], "retry": retries}})
    assert bool(findings) == (retries > limits.RETRIES)
