"""`make demo` and `make experiments`: the forest workflow from scenes to a map, with one command.

    python tools/demo.py run [--archive FOLDER] [--profile NAME] [--jobs N]
    python tools/demo.py experiments [--jobs N]

Run in the repository's root, in its environment. What it calls are the commands that the README explains; each is
printed before it runs.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import yaml

ARCHIVE: Final = Path("data/archive")
PROFILES: Final = Path("profiles")
RESULTS: Final = ("dvc.lock", "catalogue.json", "results")
EXPERIMENTS: Final = {
    "segnet": {"train.structure": "segnet"},
    "visible-bands": {"bands": "B02+B03+B04"},
}


def main() -> int:
    """Run the chosen part; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=["run", "experiments"])
    parser.add_argument("--archive", default="", help="a folder of real scenes")
    parser.add_argument("--profile", default="", help="a file of profiles/, without its suffix")
    parser.add_argument("--jobs", default="", help="most stages at a time")
    options = parser.parse_args()
    os.environ.setdefault("SWATH_RUNTIME", "process")  # no Docker is needed here; SWATH_RUNTIME=docker uses it
    if options.archive:
        folder = Path(options.archive).resolve()
        if not folder.is_dir():
            return fail(f"ARCHIVE={options.archive}: there is no such folder")
        os.environ["SWATH_VOLUME_ARCHIVE"] = str(folder)
    jobs = ["-j", options.jobs] if options.jobs else []
    if options.part == "experiments":
        return experiments(jobs)
    profile = options.profile or (Path(options.archive).resolve().name if options.archive else "simulated")
    return demo(profile, jobs, has_archive=bool(options.archive))


def demo(profile: str, jobs: list[str], *, has_archive: bool) -> int:
    """Archive, catalogue, run, tables, and where to look."""
    path = PROFILES / f"{profile}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in PROFILES.glob("*.yaml")))
        return fail(
            f"there is no {path}: name one of {known} with PROFILE=, or write it: docs/how-to/use-your-own-scenes.md"
        )
    values = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    simulated = values.get("search.backend", "archive") == "archive" and not has_archive
    if simulated:
        simulate()
    if values.get("search.backend", "archive") == "archive":
        call("swath", "exec", "catalogue", "--archive", "volume:archive", "--out", "catalogue.json")
    code = call("swath", "run", *jobs, *overrides(values), check=False)
    if code:
        return code
    show()
    return 0


def simulate() -> None:
    """Make the simulated scenes, unless the ones that are there come from the same program."""
    service = Path("services/simulate")
    digest = hashlib.sha256()
    for file in sorted(service.glob("*.*")):
        digest.update(file.read_bytes())
    stamp = Path(".make/simulated")
    if ARCHIVE.is_dir() and stamp.is_file() and stamp.read_text(encoding="ascii") == digest.hexdigest():
        return
    call("swath", "exec", "simulate", "--out", str(ARCHIVE))
    stamp.parent.mkdir(exist_ok=True)
    stamp.write_text(digest.hexdigest(), encoding="ascii")


def experiments(jobs: list[str]) -> int:
    """Two more trainings, each saved as a DVC experiment, the first state restored, and the table of all."""
    if not Path("results/metrics.json").is_file():
        return fail("there is no result to compare with yet: make demo")
    for role in (
        "AUTHOR",
        "COMMITTER",
    ):  # experiments are Git commits: a machine where nobody is known to Git gets a name
        os.environ.setdefault(f"GIT_{role}_NAME", git_setting("user.name") or "swath demo")
        os.environ.setdefault(f"GIT_{role}_EMAIL", git_setting("user.email") or "demo@example.invalid")
    before = Path("params.yaml").read_text(encoding="utf-8")
    save_experiment("demo")
    try:
        for name, values in EXPERIMENTS.items():
            call("swath", "run", *jobs, *overrides(values))
            save_experiment(name)
            Path("params.yaml").write_text(before, encoding="utf-8")
    finally:
        Path("params.yaml").write_text(before, encoding="utf-8")
    call("swath", "run", *jobs)
    experiment_table()
    return 0


def save_experiment(name: str) -> None:
    """Save the workspace as a DVC experiment, with what nobody has committed yet."""
    listed = subprocess.run(
        ["git", "ls-files", "--others", "--exclude-standard", "--", *RESULTS],
        capture_output=True,
        text=True,
        check=True,
    )
    untracked = [word for path in listed.stdout.split() for word in ("--include-untracked", path)]
    call("dvc", "exp", "save", "--force", "--name", name, *untracked, "--quiet")


def git_setting(name: str) -> str:
    """A setting of Git, or an empty text."""
    return subprocess.run(["git", "config", name], capture_output=True, text=True, check=False).stdout.strip()


def show() -> None:
    """The tables of DVC, and where the rest is."""
    experiment_table()
    print_scores(json.loads(Path("results/metrics.json").read_text(encoding="utf-8")))
    call("dvc", "plots", "show", "--quiet", check=False)
    print(
        "\nDone. Look at:\n"
        "  results/map.png           image, truth and prediction of the test part, side by side\n"
        "  results/metrics.json      scores for each class, beside those of always saying the commonest class\n"
        "  data/model/forest.keras   the model; data/model/card.json says what it was made from\n"
        "  dvc_plots/index.html      loss curves and confusion matrix (dvc plots show; DVC's page fetches Vega\n"
        "                            from the internet, your data stays here)\n"
        "  swath plan --all          what each stage would do now, and why; a second `make demo` does nothing\n"
        "Next: make experiments      another model and another band set, and the table that compares them"
    )


def print_scores(metrics: dict[str, Any]) -> None:
    """The scores that matter, with what they are worth: `results/metrics.json` has all."""
    test = metrics["test"]
    kind = "REAL scenes" if metrics["data"] == "real" else "SIMULATED scenes: no claim about real forests"
    print(f"\nTest part, spatially apart from training, {test['pixels']} pixels of {kind}")
    majority = f"always the commonest class: {test['majority_accuracy']:.3f}"
    print(f"  accuracy {test['accuracy']:.3f} ({majority}), kappa {test['kappa']:.3f}")
    for name, scores in metrics["classes"].items():
        print(f"  {name:16} IoU {scores['iou']:.3f}  F1 {scores['f1']:.3f}  {scores['pixels']:>8} pixels")


def experiment_table() -> None:
    """`dvc exp show` with the columns that matter."""
    kept = r"Experiment|test\.(accuracy|kappa|mean_iou)|train\.structure|bands"
    os.environ.setdefault("COLUMNS", "140")
    call("dvc", "exp", "show", "--no-pager", "--drop", ".*", "--keep", kept)


def overrides(values: dict[str, object]) -> list[str]:
    """``-S key=value`` for each entry, quoted for Hydra's grammar."""
    words = []
    for key, value in values.items():
        words += ["-S", f"{key}={quoted(value) if isinstance(value, str) else value}"]
    return words


def quoted(text: str) -> str:
    """A text in Hydra's grammar: as it is when it is one plain word, else in double quotes."""
    if (
        text.replace("-", "").replace("_", "").isalnum()
        and not text[0].isdigit()
        and text.lower() not in {"null", "true", "false"}
    ):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def call(*words: str, check: bool = True) -> int:
    """Print a command and run it; a failure ends the demo with its exit code."""
    print(f"\033[1m$ {shlex.join(words)}\033[0m" if sys.stdout.isatty() else f"$ {shlex.join(words)}", flush=True)
    code = subprocess.run(words, check=False).returncode
    if code and check:
        raise SystemExit(code)
    return code


def fail(message: str) -> int:
    """Say what is wrong; returns the exit code for it."""
    print(f"demo: {message}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
