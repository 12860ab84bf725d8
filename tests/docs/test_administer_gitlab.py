"""The commands of docs/how-to/administer-gitlab.md that remove old experiments do that, and nothing else."""

from __future__ import annotations

import re
import time
from pathlib import Path

from support.repositories import Bench, make_repository

PAGE = Path(__file__).parents[2] / "docs/how-to/administer-gitlab.md"
BLOCK = re.compile(r"^```bash\n(git fetch .*?)^```", re.MULTILINE | re.DOTALL)
DAY_S = 24 * 3600


def experiment(bench: Bench, name: str, age_days: float) -> str:
    """An experiment on HEAD, pushed; its ref."""
    head = bench.command("git", "rev-parse", "HEAD").stdout.strip()
    when = f"{int(time.time() - age_days * DAY_S)} +0000"
    tree = f"{head}^{{tree}}"
    made = bench.command("git", "commit-tree", "-p", head, "-m", name, tree, GIT_COMMITTER_DATE=when).stdout.strip()
    ref = f"refs/exps/{head[:2]}/{head[2:]}/{name}"
    bench.command("git", "push", "-q", "origin", f"{made}:{ref}")
    return ref


def served(bench: Bench) -> set[str]:
    """The refs of the server."""
    return {line.split("\t")[1] for line in bench.command("git", "ls-remote", "origin").stdout.splitlines()}


def test_old_experiments_go_and_young_ones_stay(tmp_path: Path) -> None:
    (script,) = BLOCK.findall(PAGE.read_text())
    bench = make_repository(tmp_path / "clone", {"a": "1"})
    bench.command("git", "init", "-q", "--bare", "-b", "main", str(tmp_path / "server.git"))
    bench.command("git", "remote", "add", "origin", str(tmp_path / "server.git"))
    bench.command("git", "push", "-q", "origin", "main")
    old = {experiment(bench, name, 91) for name in ("mr-1-10", "main-11-failed")}
    young = {experiment(bench, name, 89) for name in ("mr-2-12", "main-13-failed-2")}
    before = served(bench)
    assert old | young <= before
    bench.command("sh", "-ec", script)
    assert served(bench) == before - old
    shown = bench.command("git", "for-each-ref", "--format=%(refname)", "refs/remotes/exps").stdout.split()
    assert set(shown) == {ref.replace("refs/", "refs/remotes/", 1) for ref in young}
    bench.command("sh", "-ec", script)  # nothing is left to do
    failed = script.replace("$1 < before {", r"$1 < before && $2 ~ /-failed(-[0-9]+)?$/ {").replace("90 days", "1 day")
    bench.command("sh", "-ec", failed)
    assert served(bench) == before - old - {ref for ref in young if "failed" in ref}
