"""The sides of `pipelines.py`: the same project with Swath's compiled pipeline, and with one written by hand.

Written by hand is what guides show (an image built in one job, `dvc repro` in another), with DVC 3's spelling and what it
needs to work at all; what was mended is said at each line.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pipeline_project import LIBRARY, Version, common_files, workflow

if TYPE_CHECKING:
    from support.repositories import Bench

SIDES: Final = ("swath", "recipe", "tuned")
BASE: Final = "swath-bench/dvc:1"
_ENTRY: Final = {
    "crop": "python crop.py",
    "mask": "sh mask.sh",
    "train": "python train.py",
    "evaluate": "python evaluate.py",
}
_PARAMETERS: Final = {
    "crop": {"input": "file", "out": "file"},
    "mask": {"input": "file", "out": "file"},
    "train": {"inputs": "directory", "rate": "number", "out": "file"},
    "evaluate": {"model": "file", "crop": "file", "out": "file", "metrics": "file"},
}
_BASES: Final = {"crop": "python", "mask": "busybox", "train": "python", "evaluate": "python"}


def write_side(bench: Bench, side: str, version: Version, work: float) -> None:
    """The project's files for one side."""
    bench.write(common_files(version))
    if side == "swath":
        bench.write(_swath_files(version, work))
    else:
        bench.write(_by_hand_files(version, work, tuned=side == "tuned"))


def _swath_files(version: Version, work: float) -> dict[str, Any]:
    files: dict[str, Any] = {
        "swath.yaml": {"builder": "docker", "runners": [{"tags": ["docker"], "cpus": 2, "memory": "2GiB"}]},
        "dvc.yaml": workflow(
            {name: f"swath exec {name}" for name in _ENTRY},
            work,
            {name: f"services/{name}" for name in _ENTRY},
            folders=True,
        ),
    }
    for name, entry in _ENTRY.items():
        library = [LIBRARY.format(version=version.library)] if name == "train" else []
        lines = [
            f"FROM swath-test/{_BASES[name]}:1",
            *library,
            f"COPY {entry.split()[1]} /opt/service/",
            "WORKDIR /work",
        ]
        files[f"services/{name}/Dockerfile"] = "\n".join(lines) + "\n"
        files[f"services/{name}/service.yaml"] = {
            "name": name,
            "kind": "training" if name == "train" else "processing",
            "description": "Of the benchmark.",
            "image": {"build": "."},
            "entrypoint": entry.split(),
            "process": {},
            "parameters": [
                {"name": "stage", "type": "string", "required": True},
                {"name": "work", "type": "number", "required": True},
                *(_parameter(key, kind) for key, kind in _PARAMETERS[name].items()),
            ],
            "resources": {"cpus": 1, "memory": "256MiB"},
            "timeout": "10m",
        }
    return files


def _parameter(name: str, kind: str) -> dict[str, Any]:
    direction = "output" if name in {"out", "metrics"} else "input"
    return {"name": name, "type": kind, "required": True, **({} if kind == "number" else {"direction": direction})}


def _by_hand_files(version: Version, work: float, *, tuned: bool) -> dict[str, Any]:
    code = {name: f"services/{name}/{entry.split()[1]}" for name, entry in _ENTRY.items()}
    command = {name: f"{entry.split()[0]} {code[name]}" for name, entry in _ENTRY.items()}
    return {
        "Dockerfile": f"FROM {BASE}\n{LIBRARY.format(version=version.library)}\n",
        ".dockerignore": "*\n",
        # each file: `dvc repro --pull` ends with "'data/masks' does not exist as an output" when the folder's files are not there
        "dvc.yaml": workflow(command, work, code, folders=False),
        ".gitlab-ci.yml": {
            "stages": ["image", "train"],
            "variables": {"IMG": "$CI_REGISTRY_IMAGE/all:$CI_COMMIT_REF_SLUG"},
            "build": {
                "stage": "image",
                "tags": ["docker"],
                "image": "swath-test/docker-cli:1",
                "variables": {"GIT_DEPTH": "1"},
                "script": ["docker build -q -t $IMG .", "docker push -q $IMG"],
            },
            "train": {
                "stage": "train",
                "tags": ["docker"],
                "image": "$IMG",
                "variables": {"GIT_DEPTH": "0" if not tuned else "1"},
                "script": [*_BEFORE, *(_TUNED if tuned else _RECIPE), *_RECORD],
            },
        },
    }


_BEFORE: Final = (
    "git config --global --add safe.directory '*'",
    "git config --global user.name ci && git config --global user.email ci@example.invalid",
    'cp "$SWATH_DVC_CONFIG" .dvc/config.local',
    "GIT_URL=http://oauth2:$SWATH_TOKEN@$CI_SERVER_HOST:$CI_SERVER_PORT/$CI_PROJECT_PATH.git",
)
_RECIPE: Final = (
    # mended: before a first run the outputs are nowhere, and `dvc pull` fails on them; so the data alone
    "if [ -e dvc.lock ]; then dvc pull --run-cache; else dvc pull data/scenes/*.dvc; fi",
    "dvc repro",
    "dvc push --run-cache",  # mended: without the flag the run cache is never pushed, and `dvc pull --run-cache` finds none
    'dvc exp save --force -n "ci-$CI_PIPELINE_ID" && dvc exp push --no-cache "$GIT_URL" "ci-$CI_PIPELINE_ID"',
)
_TUNED: Final = (
    "dvc repro --pull --allow-missing",  # takes the run cache and what the stages that run read, no more
    "dvc push --run-cache",
)
# mended: an experiment is not on the branch, so without this the next pipeline knows no lock and runs everything again
_RECORD: Final = (
    "git add -A dvc.lock results data/.gitignore",
    'git diff --cached --quiet || { git commit -q -m "Results [skip ci]" && git push -q "$GIT_URL" "HEAD:refs/heads/$CI_COMMIT_BRANCH"; }',
)
