"""One project in CI three ways, on the same runner: Swath's compiled pipeline, and two that are written by hand.

    python benchmarks/pipelines.py [--runs 3] [--size BYTES] [--work SECONDS] [--sides swath recipe tuned] [--cases 0 1 2 3 4 5] [--figures FILE]

Real are: the jobs' containers, the engine, the image registry, the Git server, the DVC remote (OpenSSH, 20 ms away on a line of
4 MB/s a connection, whose bytes are counted). Not GitLab itself: `tests/support/pipeline_runner.py` starts the jobs, two at
a time. Each run has a remote, a Git project and image names of its own; the engine is warm. Needs what the tests marked
`docker` need. Prints Markdown tables.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from pipeline_project import CASES, METRIC, STARTED, Least, Truth, Version, write_scenes, wrong
from pipeline_sides import BASE, SIDES, write_side

from support.docker_engine import serve_registry
from support.git_server import serve_git
from support.gitlab_project import GitLabProject, images_with_swath, make_project
from support.network import Line, line_to
from support.remote_server import RemoteServer, serve
from support.repositories import make_repository
from swath.images.service_image import swath_image
from swath.model.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.git_server import GitServer
    from support.pipeline_runner import PipelineRun

_DELAY_S: Final = 0.02
_BYTES_PER_S: Final = 4_000_000
_BASE_DOCKERFILE: Final = """\
FROM swath-test/python:1
COPY --from={swath} /opt/swath /opt/swath
RUN ln -s /opt/swath/bin/dvc /opt/swath/libexec/git /usr/bin/
"""


@dataclass(frozen=True)
class Figures:
    """What one pipeline took.

    Attributes:
        wall_s: from the push's pipeline to its last job's end.
        jobs: that ran.
        to_command_s: median over the jobs with stages: from the job's start to its first stage's own command.
        down: bytes from the DVC remote.
        up: bytes to it.
        image_up: bytes to the image registry.
        stages: that were executed.
        least: what could not be avoided.
        wrong: results on the branch that are not those of a right run.
    """

    case: str
    side: str
    wall_s: float
    jobs: int
    to_command_s: float | None
    down: int
    up: int
    image_up: int
    stages: list[str]
    least: Least
    wrong: list[str]


@dataclass(frozen=True)
class Pushed:
    """A case that is on the server."""

    case: str
    side: str
    least: Least


@dataclass(frozen=True)
class Place:
    """What all runs share: servers, and the lines to them."""

    folder: Path
    remote: RemoteServer
    line: Line
    registry: Line


def main() -> None:
    """Measure, print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--size", type=int, default=4_000_000, help="bytes of a scene; there are four")
    parser.add_argument("--work", type=float, default=0.0, help="seconds that each stage works")
    parser.add_argument("--sides", nargs="+", choices=SIDES, default=list(SIDES))
    parser.add_argument(
        "--cases", type=int, nargs="+", default=list(range(len(CASES))), help="by number, from 0; 0 comes first"
    )
    parser.add_argument("--figures", type=Path, help="a file for the figures as JSON")
    options = parser.parse_args()
    found: list[Figures] = []
    loads: list[float] = []
    with servers() as place:
        for number in range(options.runs):
            for figures in run_once(place, number, options, loads):
                found.append(figures)
                conditions = {
                    "runs": number + 1, "scene_bytes": options.size, "work_s": options.work,
                    "load": [round(value, 1) for value in (min(loads), statistics.median(loads), max(loads))],
                }  # fmt: skip
                if options.figures:  # after each: what is measured stays, whatever comes
                    text = json.dumps({**conditions, "pipelines": [asdict(each) for each in found]}, indent=1)
                    options.figures.write_text(text + "\n")
    print("\n".join(tables(found, conditions)))


@contextlib.contextmanager
def servers() -> Iterator[Place]:
    """A DVC remote behind a slow line, an image registry behind one that counts."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="swath-pipelines-")))
        for name in ("remote", "registry"):
            (folder / name).mkdir()
        remote = stack.enter_context(serve(folder / "remote"))
        line = stack.enter_context(line_to(remote.port, delay_s=_DELAY_S, bytes_per_s=_BYTES_PER_S))
        address = stack.enter_context(serve_registry(folder / "registry"))
        registry = stack.enter_context(line_to(int(address.rpartition(":")[2])))
        yield Place(folder, remote, line, registry)


def run_once(place: Place, number: int, options: argparse.Namespace, loads: list[float]) -> Iterator[Figures]:
    """All cases one after the other, in each the sides in turn, so that the machine's load is the same for them."""
    with contextlib.ExitStack() as stack:
        projects = {side: stack.enter_context(project_of(place, side, number, options)) for side in options.sides}
        truth = Truth(place.folder / f"truth-{number}", options.size)
        for case, version in (CASES[number] for number in options.cases):
            least = truth.run(version)
            for side, project in projects.items():
                push_version(project, side, case, version, options.work)
                loads.append(os.getloadavg()[0])
                yield run_case(place, project, truth, Pushed(case, side, least))


@contextlib.contextmanager
def project_of(place: Place, side: str, number: int, options: argparse.Namespace) -> Iterator[GitLabProject]:
    """A project of a side: with its data in the remote, its own Git server and image names, and no pipeline yet."""
    name = f"{side}-{number}"
    folder = place.folder / name
    with (
        images_with_swath(f"127.0.0.1:{place.registry.port}/group/{name}") as images,
        serve_git(folder / "git") as server,
    ):
        if side != "swath":
            make_base(images)
        project = project_here(place, folder, server, images, name)
        prepare(project, side, options)
        yield project


def make_base(images: str) -> None:
    """The image that a pipeline by hand starts from: Python, and the very DVC and Git of Swath's own image."""
    built = subprocess.run(
        ["docker", "build", "-q", "-t", BASE, "-"],
        input=_BASE_DOCKERFILE.format(swath=swath_image(Settings()).replace("$CI_REGISTRY_IMAGE", images)),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if built.returncode:
        raise SystemExit(f"the base image cannot be built: {built.stderr}")


def project_here(place: Place, folder: Path, server: GitServer, images: str, name: str) -> GitLabProject:
    """A repository with the first version of no side, in a house of its own."""
    bench = make_repository(folder / "work", {})
    bench.command("dvc", "remote", "add", "-q", "-d", "origin", place.remote.url(name))
    bench.command("dvc", "config", "core.analytics", "false")
    bench.commit("Remote")
    project = make_project(folder, bench, server, images, place.remote)
    project.house.files["SWATH_DVC_CONFIG"] = place.remote.dvc_config(url=place.remote.url(name, place.line.port))
    return project


def prepare(project: GitLabProject, side: str, options: argparse.Namespace) -> None:
    """Give the project its data, in the remote, and the pipeline of its side."""
    write_scenes(project.bench.root, options.size)
    scenes = sorted(str(path.relative_to(project.bench.root)) for path in project.bench.root.glob("data/scenes/*.bin"))
    project.bench.command("dvc", "add", "-q", *scenes)
    project.bench.command("dvc", "push", "-q")
    write_side(project.bench, side, CASES[0][1], options.work)
    if side == "swath":
        project.bench.swath("init", check=True)
    project.bench.commit("Pipeline")


def push_version(project: GitLabProject, side: str, case: str, version: Version, work: float) -> None:
    """Push a version on top of what pipelines have recorded."""
    project.pull()
    write_side(project.bench, side, version, work)
    project.push(case, {})


def run_case(place: Place, project: GitLabProject, truth: Truth, pushed: Pushed) -> Figures:
    """Run the pipeline of what was pushed."""
    place.line.reset_counts()
    place.registry.reset_counts()
    started = time.monotonic()
    run = project.pipeline()
    wall = time.monotonic() - started
    if run.status != "success":
        raise SystemExit(f"{pushed.side}, {pushed.case}: {run.story()}")
    executed = started_stages(run)
    lock, metric = (_show(project, path) for path in ("dvc.lock", METRIC))
    found = Figures(
        pushed.case, pushed.side, wall, sum(bool(job.attempts) for job in run.all_jobs()), to_command(run),
        place.line.down, place.line.up, place.registry.up, executed, pushed.least,
        list(wrong(lock, metric, project.remote_folder, truth)),
    )  # fmt: skip
    print(
        f"{found.side:7} {found.case:22} {found.wall_s:6.1f} s, stages: {len(executed)}, wrong: {found.wrong}",
        file=sys.stderr,
    )
    return found


def _show(project: GitLabProject, path: str) -> str:
    try:
        return project.show(path)
    except subprocess.CalledProcessError:
        return ""


def started_stages(run: PipelineRun) -> list[str]:
    """The stages whose command was really started, sorted."""
    return sorted(name for job in run.all_jobs() for attempt in job.attempts for name, _ in _starts(attempt.log))


def to_command(run: PipelineRun) -> float | None:
    """Median over the jobs that executed a stage: seconds from the job's start to the stage's own command."""
    firsts = [
        min(when for _, when in starts) - attempt.started
        for job in run.all_jobs()
        for attempt in job.attempts
        if (starts := _starts(attempt.log))
    ]
    return statistics.median(firsts) if firsts else None


def _starts(log: str) -> list[tuple[str, float]]:
    return [(name, float(when)) for name, when in re.findall(rf"{STARTED} (\S+) ([\d.]+)", log)]


def tables(found: list[Figures], conditions: dict[str, Any]) -> Iterator[str]:
    """A table of all cases and sides: medians, ratios against `recipe`."""
    yield f"\n{conditions}\n"
    yield (
        "| pushed | pipeline | wall s | / recipe | jobs | start to command s | MB down | MB up | least MB down, up "
        "| stages run | had to | right | MB of images up |"
    )
    yield "|---|---|---|---|---|---|---|---|---|---|---|---|---|"
    for case in dict.fromkeys(each.case for each in found):
        rows = {side: [each for each in found if (each.case, each.side) == (case, side)] for side in SIDES}
        base = statistics.median(each.wall_s for each in rows["recipe"]) if rows["recipe"] else None
        for side, runs in rows.items():
            if runs:
                yield row(case, side, runs, base)


def row(case: str, side: str, runs: list[Figures], base: float | None) -> str:
    """One line of the table."""
    wall = statistics.median(each.wall_s for each in runs)
    ratio = f"{wall / base:.2f}" if base else ""
    waits = [each.to_command_s for each in runs if each.to_command_s is not None]
    least = runs[0].least
    down, up, image = (statistics.median(getattr(each, name) for each in runs) for name in ("down", "up", "image_up"))
    worst = max(runs, key=lambda each: len(each.wrong)).wrong
    right = "yes" if not worst else f"**no**: {', '.join(worst)}"
    cells = [
        case, side, f"{wall:.1f}", ratio, f"{statistics.median(each.jobs for each in runs):g}",
        f"{statistics.median(waits):.2f}" if waits else "-", _mb(down), _mb(up), f"{_mb(least.down)}, {_mb(least.up)}",
        f"{statistics.median(len(each.stages) for each in runs):g}", str(len(least.stages)), right, f"{image / 1e6:.0f}",
    ]  # fmt: skip
    return f"| {' | '.join(cells)} |"


def _mb(size: float) -> str:
    return f"{size / 1e6:.2f}"


if __name__ == "__main__":
    main()
