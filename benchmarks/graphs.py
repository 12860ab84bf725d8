"""The benchmark graph: scenes through three `cp` stages each, then `combine` and `train`, for Swath, DVC, make and Snakemake.

scenes.txt ─▶ raw/K ─▶ filtered/K ─▶ tiles/K ─┐
(K = 1 … scenes)                              ├─▶ combined ─▶ model
┘
"""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Final

import yaml

if TYPE_CHECKING:
    from pathlib import Path

STEPS: Final = (
    ("download", "scenes.txt", "raw/{k}"),
    ("filter", "raw/{k}", "filtered/{k}"),
    ("tile", "filtered/{k}", "tiles/{k}"),
)
# What a service's command line has besides its paths: the shell ignores it, but commands get their usual length.
_OPTIONS: Final = {
    "raw": "--level L2A",
    "filtered": "--bands red,green,blue,nir --max-cloud-share 0.2 --resolution 10",
    "tiles": "--size 256 --overlap 32 --model models/forest/unet-small.keras --labels data/labels/amazon-2020.gpkg --seed 7",
}


def command(dep: str, out: str) -> str:
    """What makes `out` from `dep`: 50 to 200 characters, as the lines of services have."""
    folder = out.split("/", maxsplit=1)[0]
    return f"mkdir -p {folder} && cp {dep} {out} && : {_OPTIONS[folder]}"


def stage_count(scenes: int) -> int:
    """How many stages the graph has."""
    return 3 * scenes + 2


def write_graph(folder: Path, scenes: int) -> None:
    """Write a committed DVC repository with the graph, and the same graph as Makefile and Snakefile."""
    keys = [f"s{number:05d}" for number in range(scenes)]
    folder.mkdir(parents=True)
    for command in (["git", "init", "-q"], ["dvc", "init", "-q"]):
        subprocess.run(command, cwd=folder, check=True)
    (folder / "scenes.txt").write_text("x")
    (folder / "dvc.yaml").write_text(yaml.safe_dump({"stages": _stages(keys)}, sort_keys=False))
    (folder / "Makefile").write_text(_makefile(keys))
    (folder / "Snakefile").write_text(_snakefile(keys))
    identity = ["-c", "user.name=bench", "-c", "user.email=bench@example.invalid"]
    subprocess.run(["git", "add", "-A"], cwd=folder, check=True)
    subprocess.run(["git", *identity, "commit", "-qm", "graph"], cwd=folder, check=True)


def _stages(keys: list[str]) -> dict[str, object]:
    stages: dict[str, object] = {}
    for name, source, target in STEPS:
        dep, out = source.format(k="${item}"), target.format(k="${item}")
        do = {"cmd": command(dep, out), "deps": [dep], "outs": [out]}
        stages[name] = {"foreach": keys, "do": do}
    stages["combine"] = {"cmd": "cat tiles/* > combined", "deps": [f"tiles/{k}" for k in keys], "outs": ["combined"]}
    stages["train"] = {"cmd": "cp combined model", "deps": ["combined"], "outs": ["model"]}
    return stages


def _makefile(keys: list[str]) -> str:
    tiles = " ".join(f"tiles/{k}" for k in keys)
    rules = ["all: model", "model: combined\n\tcp combined model", f"combined: {tiles}\n\tcat tiles/* > combined"]
    for _, source, target in STEPS:
        for k in keys:
            dep, out = source.format(k=k), target.format(k=k)
            rules.append(f"{out}: {dep}\n\t{command(dep, out)}")
    return "\n".join(rules) + "\n"


def _snakefile(keys: list[str]) -> str:
    rules = [f"K = {keys!r}", 'rule all:\n    input: "model"']
    for name, source, target in STEPS:
        rules.append(
            f'rule {name}:\n    input: "{source}"\n    output: "{target}"\n    shell: "cp {{input}} {{output}}"'
        )
    rules.append(
        'rule combine:\n    input: expand("tiles/{k}", k=K)\n    output: "combined"\n    shell: "cat tiles/* > {output}"'
    )
    rules.append('rule train:\n    input: "combined"\n    output: "model"\n    shell: "cp {input} {output}"')
    return "\n".join(rules) + "\n"
