"""A small workflow of three services with an image each, so that each stage is a job: cut -> learn -> judge."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

_SERVICE = """\
name: {name}
kind: {kind}
description: {name}.
image: {{build: .}}
entrypoint: [sh, {name}.sh]
process: {{}}
{more}parameters:
{parameters}"""
_ARGUMENTS = 'while [ $# -gt 0 ]; do case $1 in --*) eval "${1#--}=\\$2"; shift;; esac; shift; done\n'
_CUT = (
    _ARGUMENTS + 'mkdir -p "$out"; i=0; while read -r line; do i=$((i+1)); echo "$line" > "$out/$i"; done < "$input"\n'
)
_LEARN = (
    _ARGUMENTS
    + """\
env > {folder}/learn.env
echo epoch >> "$SWATH_SCRATCH/epochs"
cp "$SWATH_SCRATCH/epochs" {folder}/epochs
echo learning at $rate
if [ -e {folder}/slow ]; then touch {folder}/started; sleep 60 || exit; fi
if [ -e {folder}/fail ]; then exit 3; fi
cat "$tiles"/* > "$out"; echo "$rate" >> "$out"
"""
)
_JUDGE = _ARGUMENTS + 'echo "{\\"bytes\\": $(wc -c < "$model")}" > "$out"\n'
_PATH = "  - {{name: {name}, type: {type}, direction: {direction}, required: true, description: d}}\n"


def _service(
    name: str, script: str, *paths: tuple[str, str, str], kind: str = "processing", more: str = "", extra: str = ""
) -> dict[str, str]:
    parameters = "".join(_PATH.format(name=n, type=t, direction=d) for n, t, d in paths) + extra
    return {
        f"services/{name}/service.yaml": _SERVICE.format(name=name, kind=kind, parameters=parameters, more=more),
        f"services/{name}/{name}.sh": script,
        f"services/{name}/Dockerfile": "FROM swath-test/busybox:1\nCOPY . /opt/service\n",
    }


def three_services(folder: Path) -> dict[str, Any]:
    """The repository's files.

    Args:
        folder: where the learning service looks for the files `fail` and `slow`, and leaves what it saw.
    """
    return {
        ".dvcignore": "services/*/tests\n__pycache__\n.gitignore\n",
        "params.yaml": {"rate": 1},
        "swath.yaml": "runners:\n  - {tags: [docker]}\n",
        "data/in": "one\ntwo\n",
        **_service("cut", _CUT, ("input", "file", "input"), ("out", "directory", "output")),
        **_service(
            "learn",
            _LEARN.replace("{folder}", str(folder)),
            ("tiles", "directory", "input"),
            ("out", "file", "output"),
            kind="training",
            more="secrets: [API_KEY_OF_LEARN]\n",
            extra="  - {name: rate, type: number, default: 1, description: d}\n",
        ),
        **_service("judge", _JUDGE, ("model", "file", "input"), ("out", "file", "output")),
        "dvc.yaml": {
            "stages": {
                "cut": {
                    "cmd": "swath exec cut --input data/in --out tiles",
                    "deps": ["services/cut", "data/in"],
                    "outs": ["tiles"],
                },
                "learn": {
                    "cmd": "swath exec learn --tiles tiles --rate ${rate} --out model",
                    "deps": ["services/learn", "tiles"],
                    "params": ["rate"],
                    "outs": ["model"],
                },
                "judge": {
                    "cmd": "swath exec judge --model model --out judged.json",
                    "deps": ["services/judge", "model"],
                    "metrics": [{"judged.json": {"cache": False}}],
                },
            }
        },
    }
