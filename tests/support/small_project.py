"""A small Swath repository whose services stand on three bases: Python, Node, and busybox without either.

    draw@a, draw@b, draw@c (Python)  ->  square@… (busybox)  ->  fit (Node)  ->  judge (Python)

All stages are deterministic. `draw` says what it draws and takes `draw.pause` seconds. It reads only `draw.*` of the parameters, `square` none, `fit` only `fit.rate`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from support.repositories import Bench, make_repository

if TYPE_CHECKING:
    from pathlib import Path

PARTS: Final = ("a", "b", "c")
STAGES: Final = (*(f"draw@{part}" for part in PARTS), *(f"square@{part}" for part in PARTS), "fit", "judge")
_DRAW: Final = """\
import argparse, random, time
parser = argparse.ArgumentParser()
parser.add_argument("--name"); parser.add_argument("--count", type=int); parser.add_argument("--out")
parser.add_argument("--pause", type=float)
options = parser.parse_args()
print("drawing", options.name, flush=True)
numbers = random.Random(options.name)
with open(options.out, "w") as file:
    file.writelines(f"{numbers.randrange(1000)}\\n" for _ in range(options.count))
time.sleep(options.pause)
"""
_SQUARE: Final = """\
set -eu
while [ $# -gt 0 ]; do
  case $1 in --input) input=$2;; --out) out=$2;; esac
  shift 2
done
while read -r number; do echo $((number * number)); done <"$input" >"$out"
"""
_FIT: Final = """\
const fs = require("fs"), path = require("path");
const options = {};
for (let i = 2; i < process.argv.length; i += 2) options[process.argv[i].slice(2)] = process.argv[i + 1];
let sum = 0, count = 0;
for (const name of fs.readdirSync(options.inputs).filter((name) => name.endsWith(".txt")).sort())
  for (const line of fs.readFileSync(path.join(options.inputs, name), "utf8").split("\\n"))
    if (line) { sum += Number(line); count += 1; }
const mean = sum / count * Number(options.rate);
fs.writeFileSync(options.model, JSON.stringify({ mean }) + "\\n");
fs.writeFileSync(options.metrics, JSON.stringify({ mean, count }, null, 2) + "\\n");
"""
_JUDGE: Final = """\
import argparse, json
parser = argparse.ArgumentParser()
parser.add_argument("--model"); parser.add_argument("--verdict")
options = parser.parse_args()
mean = json.load(open(options.model))["mean"]
with open(options.verdict, "w") as file:
    file.write("large\\n" if mean > 1000 else "small\\n")
"""


def _parameter(name: str, kind: str, direction: str = "") -> dict[str, Any]:
    return {"name": name, "type": kind, **({"direction": direction} if direction else {}), "required": True}


def _service(name: str, entrypoint: list[str], *parameters: dict[str, Any], kind: str = "processing") -> dict[str, Any]:
    return {
        "name": name,
        "kind": kind,
        "description": "Of the test.",
        "image": {"build": "."},
        "entrypoint": entrypoint,
        "process": {},
        "parameters": list(parameters),
        "resources": {"cpus": 1, "memory": "256MiB"},
        "timeout": "10m",
    }


def _dockerfile(base: str, program: str) -> str:
    return f"FROM swath-test/{base}:1\nCOPY {program} /opt/service/\nWORKDIR /work\n"


def project_files() -> dict[str, Any]:
    """The files of the repository, without `.gitlab-ci.yml` and a remote."""
    draw = _service(
        "draw",
        ["python", "draw.py"],
        _parameter("name", "string"),
        _parameter("count", "integer"),
        _parameter("pause", "number"),
        _parameter("out", "file", "output"),
    )
    square = _service(
        "square", ["sh", "square.sh"], _parameter("input", "file", "input"), _parameter("out", "file", "output")
    )
    fit = _service(
        "fit",
        ["node", "fit.js"],
        _parameter("inputs", "directory", "input"),
        _parameter("rate", "number"),
        _parameter("model", "file", "output"),
        _parameter("metrics", "file", "output"),
        kind="training",
    )
    judge = _service(
        "judge", ["python", "judge.py"], _parameter("model", "file", "input"), _parameter("verdict", "file", "output")
    )
    return {
        "services/draw/service.yaml": draw,
        "services/draw/draw.py": _DRAW,
        "services/draw/Dockerfile": _dockerfile("python", "draw.py"),
        "services/square/service.yaml": square,
        "services/square/square.sh": _SQUARE,
        "services/square/Dockerfile": _dockerfile("busybox", "square.sh"),
        "services/fit/service.yaml": fit,
        "services/fit/fit.js": _FIT,
        "services/fit/Dockerfile": _dockerfile("node", "fit.js"),
        "services/judge/service.yaml": judge,
        "services/judge/judge.py": _JUDGE,
        "services/judge/Dockerfile": _dockerfile("python", "judge.py"),
        "dvc.yaml": _workflow(),
        "params.yaml": {"parts": list(PARTS), "draw": {"count": 20, "pause": 0}, "fit": {"rate": 0.5}},
        "swath.yaml": {
            "builder": "docker",
            "runners": [{"tags": ["docker"], "cpus": 2, "memory": "2GiB"}],
            "ci": {"gitlab_version": "17.11"},
        },
        ".dvcignore": "services/*/tests\nservices/*/README*\n__pycache__\n.gitignore\n",
        "README.md": "A small project.\n",
    }


def small_project(root: Path, remote_url: str, remote: str = "origin") -> Bench:
    """The repository, committed, with a default remote."""
    bench = make_repository(root, {})
    bench.write(project_files())
    bench.add_remote(remote, remote_url)
    bench.command("dvc", "config", "core.analytics", "false")
    bench.commit("Project")
    return bench


def _workflow() -> dict[str, Any]:
    return {
        "stages": {
            "draw": {
                "foreach": "${parts}",
                "do": {
                    "cmd": "swath exec draw --name ${item} --count ${draw.count} --pause ${draw.pause} --out data/drawn/${item}.txt",
                    "deps": ["services/draw"],
                    "outs": ["data/drawn/${item}.txt"],
                },
            },
            "square": {
                "foreach": "${parts}",
                "do": {
                    "cmd": "swath exec square --input data/drawn/${item}.txt --out data/squared/${item}.txt",
                    "deps": ["services/square", "data/drawn/${item}.txt"],
                    "outs": ["data/squared/${item}.txt"],
                },
            },
            "fit": {
                "cmd": "swath exec fit --inputs data/squared --rate ${fit.rate} --model data/model.json --metrics results/metrics.json",
                "deps": ["services/fit", "data/squared"],
                "outs": ["data/model.json"],
                "metrics": [{"results/metrics.json": {"cache": False}}],
            },
            "judge": {
                "cmd": "swath exec judge --model data/model.json --verdict data/verdict.txt",
                "deps": ["services/judge", "data/model.json"],
                "outs": ["data/verdict.txt"],
            },
        }
    }
