"""`lint/apply.py`: what is written, and what is taken back."""

from __future__ import annotations

from pathlib import Path

from support.plain_repository import make_repository, with_split
from swath.lint.apply import fix_repository
from swath.lint.check import check_repository

CMD = "swath exec split --input in.tif --out out"
MISSING = f"stages:\n  a:\n    cmd: {CMD}\n    deps: [services/split]\n    outs: [out]\n"


def test_the_missing_line_is_written_and_nothing_is_left(tmp_path: Path) -> None:
    repository = make_repository(tmp_path, with_split(MISSING, {"in.tif": "x"}))
    problems = check_repository(repository)
    left, fixed = fix_repository(repository, problems)
    assert [str(each) for each in fixed] == ["dvc.yaml: stages.a.deps: + in.tif"]
    assert left == ()
    assert (tmp_path / "dvc.yaml").read_text() == MISSING.replace(
        "deps: [services/split]", "deps:\n      - services/split\n      - in.tif"
    )
    assert not list(tmp_path.glob(".dvc.yaml.*"))


def test_the_files_mode_stays(tmp_path: Path) -> None:
    repository = make_repository(tmp_path, with_split(MISSING, {"in.tif": "x"}))
    (tmp_path / "dvc.yaml").chmod(0o640)
    fix_repository(repository, check_repository(repository))
    assert (tmp_path / "dvc.yaml").stat().st_mode & 0o777 == 0o640


def test_a_file_that_was_not_there_is_made(tmp_path: Path) -> None:
    files = with_split(MISSING.replace("[services/split]", "[services/split, in.tif]"), {"in.tif": "x"})
    del files[".dvcignore"]
    repository = make_repository(tmp_path, {**files, "services/split/tests/t.txt": "x"})
    problems = check_repository(repository)
    assert [problem.finding.rule for problem in problems if problem.repair]
    fix_repository(repository, problems)
    assert "services/*/tests" in (tmp_path / ".dvcignore").read_text()


def test_what_would_make_a_cycle_is_taken_back(tmp_path: Path) -> None:
    other = "  b:\n    cmd: cp out in.tif\n    deps: [out]\n    outs: [in.tif]\n"
    repository = make_repository(tmp_path, with_split(MISSING + other))
    before = (tmp_path / "dvc.yaml").read_bytes()
    problems = check_repository(repository)
    left, fixed = fix_repository(repository, problems)
    assert (left, fixed) == (tuple(problems), ())
    assert (tmp_path / "dvc.yaml").read_bytes() == before


def test_nothing_to_mend_writes_nothing(tmp_path: Path) -> None:
    good = MISSING.replace("[services/split]", "[services/split, in.tif]")
    repository = make_repository(tmp_path, with_split(good, {"in.tif": "x"}))
    before = (tmp_path / "dvc.yaml").stat().st_mtime_ns
    assert fix_repository(repository, check_repository(repository)) == ((), ())
    assert (tmp_path / "dvc.yaml").stat().st_mtime_ns == before
