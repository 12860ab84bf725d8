"""The project of `pipelines.py`: ten stages of four services on data of known sizes, and what a right run of it gives.

    data/scenes/K ─▶ crop@K ─▶ data/crops/K ─▶ mask@K ─▶ data/masks/K ─▶ train ─▶ data/model.bin ─▶ evaluate ─▶ data/map.bin,
    (K = a … d)      Python                    shell                     Python                     Python      results/score.json

The programs are the same in every pipeline, do next to nothing, and say on stdout when they start. `train` uses a library
of its image, `bands`, whose version can be raised; `evaluate` writes a metric that Git keeps.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import subprocess
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import yaml

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

PARTS: Final = ("a", "b", "c", "d")
STARTED: Final = "BENCH-STARTED"
METRIC: Final = "results/score.json"
_SAY: Final = (
    f'import time; print("{STARTED}", options.stage, time.monotonic(), flush=True); time.sleep(options.work)\n'
)
_OPTIONS: Final = """\
import argparse, os
parser = argparse.ArgumentParser()
for name in "stage", "input", "inputs", "model", "crop", "out", "metrics":
    parser.add_argument("--" + name)
parser.add_argument("--rate", type=float)
parser.add_argument("--work", type=float)
options = parser.parse_args()
for path in filter(None, (options.out, options.metrics)):
    os.makedirs(os.path.dirname(path), exist_ok=True)
"""
_PROGRAMS: Final = {
    "crop": "data = open(options.input, 'rb').read()\nopen(options.out, 'wb').write(data[::2])\n",
    "train": (
        "import hashlib, random, bands\nseed, size = hashlib.sha256(), 0\n"
        "for name in sorted(os.listdir(options.inputs)):\n"
        "    if name.endswith('.bin'):\n"
        "        data = open(os.path.join(options.inputs, name), 'rb').read()\n"
        "        seed.update(data); size += len(data) // 2\n"
        "seed.update(f'{options.rate} {bands.VERSION}'.encode())\n"
        "open(options.out, 'wb').write(random.Random(seed.digest()).randbytes(size))\n"
    ),
    "evaluate": (
        "import json, random\nmodel, crop = (open(path, 'rb').read() for path in (options.model, options.crop))\n"
        "made = random.Random(model + crop).randbytes(len(model) // 2)\n"
        "open(options.out, 'wb').write(made)\n"
        "json.dump({'score': made[0] / 256, 'bytes': len(made)}, open(options.metrics, 'w'))\n"
    ),
}
_MASK: Final = f"""\
set -eu
while [ $# -gt 0 ]; do
  case $1 in --stage) stage=$2;; --work) work=$2;; --input) input=$2;; --out) out=$2;; esac
  shift 2
done
read -r now _ </proc/uptime
echo "{STARTED} $stage $now"
sleep "$work"
mkdir -p "${{out%/*}}"
size=$(wc -c <"$input")
head -c $((size / 2)) "$input" | LC_ALL=C tr '\\000-\\177\\200-\\377' '\\200-\\377\\000-\\177' >"$out"
"""
_MASK_CHANGED: Final = _MASK.replace("head -c", "tail -c")
LIBRARY: Final = "RUN printf 'VERSION = {version}\\n' >/usr/lib/python3/dist-packages/bands.py"


@dataclass(frozen=True)
class BenchStage:
    """A stage.

    Attributes:
        options: of its service's program, as text with `{rate}` in it.
        deps: data that it reads.
        outs: data that it makes, which DVC keeps.
        git: what it makes that Git keeps.
    """

    name: str
    service: str
    options: str
    deps: tuple[str, ...]
    outs: tuple[str, ...]
    git: tuple[str, ...] = ()


def stages() -> tuple[BenchStage, ...]:
    """In an order in which they can run."""
    masks = tuple(f"data/masks/{part}.bin" for part in PARTS)
    crop_mask = []
    for part, mask in zip(PARTS, masks, strict=True):
        scene, crop = f"data/scenes/{part}.bin", f"data/crops/{part}.bin"
        crop_mask += [
            BenchStage(f"crop@{part}", "crop", f"--input {scene} --out {crop}", (scene,), (crop,)),
            BenchStage(f"mask@{part}", "mask", f"--input {crop} --out {mask}", (crop,), (mask,)),
        ]
    last = "--model data/model.bin --crop data/crops/d.bin --out data/map.bin --metrics " + METRIC
    return (
        *crop_mask,
        BenchStage(
            "train", "train", "--inputs data/masks --rate {rate} --out data/model.bin", masks, ("data/model.bin",)
        ),
        BenchStage("evaluate", "evaluate", last, ("data/model.bin", "data/crops/d.bin"), ("data/map.bin",), (METRIC,)),
    )


@dataclass(frozen=True)
class Version:
    """What can be changed about the project.

    Attributes:
        readme: text of no consequence.
        mask: whether the program of `mask` is the new one.
        library: version of the library in the image of `train`.
    """

    readme: str = "A project.\n"
    mask: bool = False
    rate: float = 0.5
    library: int = 1


# name, what is pushed; each follows on the one before
CASES: Final = (
    ("first push", Version()),
    ("README", Version(readme="Nothing that counts.\n")),
    ("code of `mask`", Version(readme="Nothing that counts.\n", mask=True)),
    ("a parameter", Version(readme="Nothing that counts.\n", mask=True, rate=0.25)),
    ("set back", Version(readme="Nothing that counts.\n", mask=True)),
    ("a library in an image", Version(readme="Nothing that counts.\n", mask=True, library=2)),
)


def programs(version: Version) -> dict[str, str]:
    """The services' programs by path from the root."""
    python = {f"services/{name}/{name}.py": _OPTIONS + _SAY + text for name, text in _PROGRAMS.items()}
    return {**python, "services/mask/mask.sh": _MASK_CHANGED if version.mask else _MASK}


def common_files(version: Version) -> dict[str, Any]:
    """What every pipeline's repository has."""
    return {
        **programs(version),
        "README.md": version.readme,
        "params.yaml": {"train": {"rate": version.rate}},
        ".dvcignore": "__pycache__\n.gitignore\n",
    }


def workflow(command: Mapping[str, str], work: float, code: Mapping[str, str], *, folders: bool) -> dict[str, Any]:
    """dvc.yaml.

    Args:
        command: how a service is called, by its name.
        work: seconds that each stage works.
        code: what of the repository holds a service, by its name: a dependency of its stages.
        folders: whether `train` names the folder of its inputs, and not each file.
    """
    found = {}
    for stage in stages():
        words = stage.options.replace("{rate}", "${train.rate}")
        deps = ["data/masks"] if folders and stage.name == "train" else list(stage.deps)
        found[stage.name.replace("@", "-")] = {
            "cmd": f"{command[stage.service]} --stage {stage.name} --work {work} {words}",
            "deps": [code[stage.service], *deps],
            "outs": list(stage.outs),
            **({"metrics": [{path: {"cache": False}} for path in stage.git]} if stage.git else {}),
        }
    return {"stages": found}


def write_scenes(root: Path, size: int) -> None:
    """The data that comes first: noise, which no compression makes smaller."""
    for part in PARTS:
        path = root / f"data/scenes/{part}.bin"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(random.Random(part).randbytes(size))


@dataclass(frozen=True)
class Least:
    """What a case costs at least.

    Attributes:
        stages: that have to run: no equal run of them was there before.
        down: bytes that they read and that no other of them makes.
        up: bytes that they make and that were never made before.
    """

    stages: tuple[str, ...]
    down: int
    up: int


@dataclass
class Truth:
    """The project run without any pipeline, in a folder of its own: what must come out of each case.

    Attributes:
        digests: MD5 of each file that the newest version makes, by path.
    """

    folder: Path
    size: int
    digests: dict[str, str] = field(default_factory=dict)
    _seen: set[str] = field(default_factory=set)
    _kept: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        write_scenes(self.folder, self.size)

    def run(self, version: Version) -> Least:
        """Run a version; what must run in a pipeline that remembers all versions before."""
        for path, text in {**programs(version), "library/bands.py": f"VERSION = {version.library}\n"}.items():
            (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / path).write_text(text)
        ran: list[BenchStage] = []
        new = 0
        for stage in stages():
            key = self._key(stage, version)
            self._execute(stage, version)
            if key not in self._seen:
                self._seen.add(key)
                ran.append(stage)
                new += sum(self._size_if_new(path) for path in stage.outs)
        made = {path for stage in ran for path in stage.outs}
        read = {path for stage in ran for path in stage.deps} - made
        down = sum((self.folder / path).stat().st_size for path in read)
        return Least(tuple(stage.name for stage in ran), down, new)

    def _key(self, stage: BenchStage, version: Version) -> str:
        program = programs(version)[
            f"services/{stage.service}/{stage.service}.{'sh' if stage.service == 'mask' else 'py'}"
        ]
        extra = [version.rate, version.library] if stage.service == "train" else []
        return repr((stage.name, program, extra, [_md5(self.folder / path) for path in stage.deps]))

    def _size_if_new(self, path: str) -> int:
        digest = self.digests[path]
        known = digest in self._kept
        self._kept.add(digest)
        return 0 if known else (self.folder / path).stat().st_size

    def _execute(self, stage: BenchStage, version: Version) -> None:
        for path in (*stage.outs, *stage.git):
            (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
        shell = stage.service == "mask"
        program = f"services/{stage.service}/{stage.service}.{'sh' if shell else 'py'}"
        words = stage.options.format(rate=version.rate).split()
        argv = ["sh" if shell else sys.executable, program, "--stage", stage.name, "--work", "0", *words]
        environ = {**os.environ, "PYTHONPATH": str(self.folder / "library"), "PYTHONDONTWRITEBYTECODE": "1"}
        subprocess.run(argv, cwd=self.folder, env=environ, check=True, stdout=subprocess.DEVNULL)
        for path in (*stage.outs, *stage.git):
            self.digests[path] = _md5(self.folder / path)


def wrong(lock: str, metric: str, remote: Path, truth: Truth) -> tuple[str, ...]:
    """What of the recorded results is not what a right run gives: paths, sorted.

    Args:
        lock: text of dvc.lock on the branch.
        metric: text of the metric on the branch.
        remote: folder of the DVC remote.
    """
    entries = yaml.safe_load(lock or "{}").get("stages", {}).values()
    recorded = {out["path"]: out["md5"] for entry in entries for out in entry.get("outs", [])}
    found = {path for path, digest in truth.digests.items() if recorded.get(path) != digest}
    objects = remote / "files/md5"
    found |= {
        path
        for path, digest in truth.digests.items()
        if path != METRIC and not (objects / digest[:2] / digest[2:]).is_file()
    }
    expected = json.loads((truth.folder / METRIC).read_text())
    return tuple(sorted(found | ({METRIC} if not metric or json.loads(metric) != expected else set())))


def _md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
