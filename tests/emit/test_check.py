"""`emit/check.py`: every limit at one below, at it, and one above; what the schema does not see; the schema itself."""

from __future__ import annotations

from typing import Any

import pytest

from support.job_graphs import settings
from swath import limits
from swath.emit.check import check, nesting
from swath.emit.yaml import to_yaml


def job(**keywords: Any) -> dict[str, Any]:
    """A job that GitLab takes."""
    return {"stage": "work", "needs": [], "script": ["true"], **keywords}


def document(jobs: dict[str, Any] | None = None, **top: Any) -> dict[str, Any]:
    """A pipeline that GitLab takes, with these jobs."""
    head = {"workflow": {"rules": [{"when": "always"}]}, "stages": ["work", "end"], "variables": {"A": "1"}}
    return {**head, **top, **({"a": job()} if jobs is None else jobs)}


def findings(made: dict[str, Any], *, level: int = 1, text: str | None = None, **ci: Any) -> tuple[str, ...]:
    """What is wrong with a document."""
    return check(made, to_yaml(made) if text is None else text, settings(**ci), level)


def test_nothing_is_wrong() -> None:
    assert findings(document()) == ()


@pytest.mark.parametrize(
    ("more", "said"), [(-1, ()), (0, ()), (1, ("the file: 2000001 bytes, GitLab's limit is 2000000",))]
)
def test_bytes(more: int, said: tuple[str, ...]) -> None:
    assert findings(document(), text="x" * (limits.YAML_BYTES + more)) == said


@pytest.mark.parametrize(
    ("count", "said"), [(2, ()), (3, ()), (4, ("the pipeline: 4 jobs, `ci.max_jobs` of swath.yaml allows 3",))]
)
def test_jobs(count: int, said: tuple[str, ...]) -> None:
    assert findings(document({f"j{number}": job() for number in range(count)}), max_jobs=3) == said


def test_no_jobs() -> None:
    assert findings(document({})) == ("the pipeline: no jobs, GitLab refuses an empty one",)


@pytest.mark.parametrize(
    ("count", "said"), [(49, ()), (50, ()), (51, ("the job 'all': 51 needs, `ci.needs` of swath.yaml allows 50",))]
)
def test_needs(count: int, said: tuple[str, ...]) -> None:
    jobs = {f"j{number}": job() for number in range(count)}
    assert findings(document({**jobs, "all": job(needs=list(jobs))})) == said


@pytest.mark.parametrize(("length", "count"), [(254, 0), (255, 0), (256, 1)])
def test_names(length: int, count: int) -> None:
    found = findings(document({"n" * length: job()}))
    assert found == (f"the job {'n' * 80!r}: 256 characters of its name, GitLab's limit is 255",) * count


@pytest.mark.parametrize("name", ["pages", "default", "image", ".hidden", "a\nb", "$X", "ü", "a:b;c"])
def test_names_that_mean_something(name: str) -> None:
    assert f"the job {name!r}: GitLab gives this name a meaning of its own" in findings(
        document({name: job(), "a": job()})
    )


@pytest.mark.parametrize(("count", "said"), [(48, ()), (49, ()), (50, ("the job 'a': 50 tags, GitLab's limit is 49",))])
def test_tags(count: int, said: tuple[str, ...]) -> None:
    assert findings(document({"a": job(tags=[f"t{number}" for number in range(count)])})) == said


@pytest.mark.parametrize(
    ("timeout", "said"),
    [
        ("719h 58m", ()),
        ("719h 59m", ()),
        ("720h", ("the job 'a': 2592000 seconds of timeout, GitLab's limit is 2591940",)),
    ],
)
def test_timeouts(timeout: str, said: tuple[str, ...]) -> None:
    assert findings(document({"a": job(timeout=timeout)})) == said


@pytest.mark.parametrize(("maximum", "count"), [(1, 0), (2, 0), (3, 1)])
def test_retries(maximum: int, count: int) -> None:
    found = findings(document({"a": job(retry={"max": maximum})}))
    assert ("the job 'a': 3 retries, GitLab's limit is 2" in found) == bool(count)


@pytest.mark.parametrize(("files", "count"), [(2, 0), (3, 0), (4, 1)])
def test_included_files(files: int, count: int) -> None:
    trigger = {"include": [{"artifact": "c.yml", "job": "a"}] * files}
    found = findings(document({"a": job(), "t": {"stage": "end", "trigger": trigger}}))
    assert ("the job 't': 4 included files, GitLab's limit is 3" in found) == bool(count)


@pytest.mark.parametrize(
    ("level", "triggers", "ok"), [(1, False, True), (1, True, True), (2, False, True), (2, True, False)]
)
def test_levels_of_child_pipelines(level: int, *, triggers: bool, ok: bool) -> None:
    trigger = {"stage": "end", "trigger": {"include": [{"artifact": "c.yml", "job": "a"}]}}
    found = findings(document({"a": job(), **({"t": trigger} if triggers else {})}), level=level)
    assert (found == ()) == ok


@pytest.mark.parametrize(("more", "ok"), [(-1, True), (0, True), (1, False)])
def test_the_size_of_a_variable(more: int, *, ok: bool) -> None:
    found = findings(document(variables={"SWATH_DECISIONS": "u" * (limits.CHILD_VARIABLE_BYTES + more)}))
    assert (found == ()) == ok


def test_nesting() -> None:
    assert [nesting(value) for value in ("x", [], ["x"], {"a": [{"b": "x"}]})] == [0, 1, 1, 3]
    assert nesting(document()) < limits.YAML_DEPTH


@pytest.mark.parametrize(
    ("jobs", "said"),
    [
        ({"a": job(needs=["b"])}, "the job 'a': it needs 'b', which is no job of this pipeline"),
        ({"a": job(stage="x")}, "the job 'a': its ci stage 'x' is not among `stages`"),
        ({"a": job(), "b": job(needs=["a", "a"])}, "the job 'b': it needs a job twice"),
        ({"a": job(needs=["b"]), "b": job(stage="end")}, "the job 'a': it needs 'b' of a later ci stage"),
        ({"a": job(needs=["b"]), "b": job(needs=["a"])}, "the jobs a, b wait for each other in a circle"),
    ],
)
def test_what_the_schema_does_not_see(jobs: dict[str, Any], said: str) -> None:
    assert findings(document(jobs))[0] == said


@pytest.mark.parametrize(
    ("keywords", "where"),
    [
        ({"sript": ["x"]}, "GitLab's schema: a: "),
        ({"retry": {"max": 1, "when": ["sometimes"]}}, "GitLab's schema: a: "),
        ({"interruptible": "yes"}, "GitLab's schema: a: interruptible: "),
        ({"artifacts": {"when": "sometimes"}}, "GitLab's schema: a: artifacts: when: "),
    ],
)
def test_the_schema(keywords: dict[str, Any], where: str) -> None:
    found = findings(document({"a": job(**keywords)}))
    assert any(finding.startswith(where) for finding in found), found


def test_a_wrong_job_among_many_of_nearly_its_shape() -> None:
    jobs = {f"j{number}": job(artifacts={"paths": ["x"], "when": "always"}) for number in range(200)}
    jobs["odd"] = job(artifacts={"paths": ["x"], "when": "sometimes"})
    assert [finding.split(":")[1] for finding in findings(document(jobs))] == [" odd"]
