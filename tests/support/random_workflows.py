"""Random workflows with all that DVC has, and random edits of them, for comparing Swath with `dvc repro`.

A command writes what it read and its own text, so that outputs depend on inputs and nothing else, and it notes its
stage's name in the file $RAN, so that a test knows what was executed.
"""

from __future__ import annotations

import random
import shlex
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

# Parameters that a lock must keep as they are: keys that are no text, text that looks like something else.
ODD_VALUES: list[Any] = [
    {0: "cat", 1: "dog"}, {True: "a", False: {None: "b"}}, {1.5: [{2: {}}], 1e300: []}, None, float("-inf"), 1e-5, 1e16,
    10**30, "1e3", "0x1F", "~", "yes", "2020-01-01", " a: b #c ", "", "line\n  line\n\n", "é\u2028😀\x07", "w " * 60, {"a b": {"": 1}},
]  # fmt: skip
SCRIPT = """\
import hashlib, os, sys
name, inputs, outs = sys.argv[1], sys.argv[2].split(","), sys.argv[3].split(",")
digest = hashlib.md5(sys.argv[4].encode() if len(sys.argv) > 4 else b"")
def read(path):
    if os.path.isdir(path):
        for entry in sorted(os.listdir(path)):
            if entry != ".gitignore":
                digest.update(entry.encode())
                read(os.path.join(path, entry))
    elif os.path.exists(path):
        digest.update(open(path, "rb").read())
for path in filter(None, inputs):
    read(path)
text = digest.hexdigest()
for out in filter(None, outs):
    if os.path.dirname(out):
        os.makedirs(os.path.dirname(out), exist_ok=True)
    if out.endswith("_d"):
        os.makedirs(os.path.join(out, "sub"), exist_ok=True)
        for inner in ("a", "sub/b"):
            open(os.path.join(out, inner), "w").write(out + inner + text[:1])
    elif out.endswith(".json"):
        open(out, "w").write('{"value": %d}' % (int(text[:2], 16) % 3))
    else:
        open(out, "w").write(os.path.basename(out) + text[:1])
with open(os.environ["RAN"], "a") as log:
    log.write(name + "\\n")
"""


@dataclass
class World:
    """A random repository: its files by path, and how often each feature of DVC stands in it."""

    files: dict[str, str] = field(default_factory=dict)
    features: Counter[str] = field(default_factory=Counter)
    outs: list[str] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)
    tracked: list[str] = field(default_factory=list)

    def write(self, root: Path) -> None:
        """Put the files there."""
        for name, text in self.files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)


class Maker:
    """Makes worlds from a random source."""

    def __init__(self, source: random.Random) -> None:
        self.random = source
        self.world = World()
        self._number = 0

    def make(self) -> World:
        """A world of 3 to 9 groups of stages."""
        world, pick = self.world, self.random
        world.files["work.py"] = SCRIPT
        for number in range(pick.randint(1, 3)):
            world.files[f"in{number}.txt"] = f"input {number}"
            world.sources.append(f"in{number}.txt")
        deep = {"size": 3, "name": "näme", "list": [1, 2]}
        odd = pick.choice(ODD_VALUES)
        world.files["params.yaml"] = yaml.safe_dump({"lr": 0.1, "deep": deep, "keys": ["u", "v"], "odd": odd})
        world.files["more.json"] = '{"depth": 2, "flag": true}'
        if pick.random() < 0.4:
            world.files["data.bin"] = "tracked by dvc add"
            world.tracked.append("data.bin")
            world.features["dvc file"] += 1
        documents: dict[str, dict[str, Any]] = {"dvc.yaml": {"stages": {}}}
        if pick.random() < 0.5:
            documents["sub/dvc.yaml"] = {"stages": {}}
            world.features["several dvc.yaml"] += 1
        for _ in range(pick.randint(3, 9)):
            file = pick.choice(list(documents))
            name, definition = self._group(file)
            documents[file]["stages"][name] = definition
        for file, document in documents.items():
            if document["stages"]:
                world.files[file] = yaml.safe_dump(document, sort_keys=False, allow_unicode=True)
        return world

    def _group(self, file: str) -> tuple[str, dict[str, Any]]:
        pick, world = self.random, self.world
        self._number += 1
        name = f"s{self._number}"
        folder = "sub" if file.startswith("sub/") else ""
        wdir = ""
        if pick.random() < 0.2:
            wdir = "wd"
            world.files["/".join(filter(None, [folder, wdir, "keep.txt"]))] = "x"
            world.features["wdir"] += 1
        base = "/".join(filter(None, [folder, wdir]))
        up = "../" * (base.count("/") + 1) if base else ""
        kind = pick.choices(["plain", "foreach list", "foreach dict", "matrix", "vars"], [6, 2, 1, 1, 1])[0]
        if kind == "plain":
            return name, self._stage(name, base, up, wdir, "")
        world.features[kind] += 1
        if kind == "foreach list":
            return name, {"foreach": ["x", "y"], "do": self._stage(name, base, up, wdir, "${item}")}
        if kind == "foreach dict":
            return name, {
                "foreach": {"x": {"n": 1}, "y": {"n": 2}},
                "do": self._stage(name, base, up, wdir, "${key}", "${item.n}"),
            }
        if kind == "vars" and not folder:
            return name, {"foreach": "${keys}", "do": self._stage(name, base, up, wdir, "${item}")}
        body = self._stage(name, base, up, wdir, "${item.m}")
        return name, {"matrix": {"m": ["p", "q"]}, **body}

    def _stage(self, name: str, base: str, up: str, wdir: str, key: str, extra: str = "") -> dict[str, Any]:
        pick, world = self.random, self.world
        deps = self._deps(up)
        outs, plain = self._outs(name, base, key)
        text = extra or pick.choice(["1", "", "lang " * 25, "ü ñ 漢字", 'it\'s "quoted"'])
        if len(text) > 80:
            world.features["long command"] += 1
        if any(ord(char) > 127 for char in text):
            world.features["non-ASCII command"] += 1
        words = ["python", f"{up}work.py", f"{name}{key}", ",".join(deps), ",".join(plain), text]
        command = " ".join(word if "${" in word else shlex.quote(word) for word in words)
        stage: dict[str, Any] = {"cmd": command}
        if pick.random() < 0.1:
            stage["cmd"] = [pick.choice(["true", "", "  ", "\t"]), command]
            world.features["list command"] += 1
        elif pick.random() < 0.15:
            stage["cmd"] = pick.choice(["\n{}", "\n\n{}\n", "{}\n\n", "true\n\n  \n{}"]).format(command)
            world.features["blank lines in a command"] += 1
        if wdir:
            stage["wdir"] = wdir
        if deps:
            stage["deps"] = deps
        if pick.random() < 0.35:
            stage["params"] = pick.choice(
                [
                    ["lr"],
                    ["deep.size", "deep.name"],
                    ["deep"],
                    ["odd"],
                    ["odd", "lr"],
                    [{f"{up}more.json": ["depth"]}],
                    [{f"{up}more.json": None}],
                ]
            )
            if base and isinstance(stage["params"][0], str):
                stage["params"] = [{f"{up}params.yaml": stage["params"]}]
            world.features["params"] += 1
            world.features["odd values in params"] += "odd" in str(stage["params"])
        for section, items in outs.items():
            stage[section] = items
        if pick.random() < 0.06:
            stage["always_changed"] = True
            world.features["always_changed"] += 1
        if pick.random() < 0.2:
            stage["desc"] = "a description"
            stage["meta"] = {"any": ["thing", 1]}
        return stage

    def _deps(self, up: str) -> list[str]:
        pick, world = self.random, self.world
        candidates = world.sources + world.outs + world.tracked
        folders = sorted({out.rsplit("/", 1)[0] for out in world.outs if out.startswith("grp")})
        chosen = pick.sample(candidates, min(len(candidates), pick.randint(0, 3)))
        if folders and pick.random() < 0.4:
            folder = pick.choice(folders)
            chosen = [path for path in chosen if not path.startswith(folder + "/")] + [folder]
            world.features["folder dep over foreach outs"] += 1
        if chosen and pick.random() < 0.3 and any(path.endswith("_d") for path in chosen):
            inner = next(path for path in chosen if path.endswith("_d"))
            chosen = [path for path in chosen if path != inner] + [inner + "/a"]
            world.features["dep inside a folder out"] += 1
        return sorted({up + path for path in chosen})

    def _outs(self, name: str, base: str, key: str) -> tuple[dict[str, list[Any]], list[str]]:
        pick, world = self.random, self.world
        sections: dict[str, list[Any]] = {}
        plain: list[str] = []
        for number in range(pick.choices([0, 1, 2], [1, 8, 3])[0]):
            stem = f"o_{name}_{number}"
            text = f"grp_{name}{number}/{key}" if key else stem
            kind = pick.choices(["file", "folder", "metric", "uncached", "persist", "plot"], [8, 4, 2, 1, 1, 1])[0]
            text += {"folder": "_d", "metric": ".json"}.get(kind, "")
            plain.append(text)
            item: Any = text
            section = {"metric": "metrics", "plot": "plots"}.get(kind, "outs")
            if (kind == "metric" and pick.random() < 0.6) or kind == "uncached":
                item = {text: {"cache": False}}
                world.features["cache: false"] += 1
            if kind == "persist":
                item = {text: {"persist": True}}
                world.features["persist"] += 1
            if kind == "folder":
                world.features["folder out"] += 1
            sections.setdefault(section, []).append(item)
            for value in self._values(key):
                full = "/".join(filter(None, [base, text.replace(key, value) if key else text]))
                world.outs.append(full)
        return sections, plain

    @staticmethod
    def _values(key: str) -> list[str]:
        return {"": [""], "${item}": ["x", "y"], "${key}": ["x", "y"], "${item.m}": ["p", "q"]}[key]


def edit(root: Path, world: World, source: random.Random) -> str:
    """Change something in a repository, the way a user would; returns what."""
    kind = source.choice(
        ["source", "param", "command", "delete out", "edit out", "tracked", "touch", "revert param", "nothing"]
    )
    if kind == "source":
        path = root / source.choice(world.sources)
        path.write_text(path.read_text() + source.choice("ab"))
    elif kind in {"param", "revert param"}:
        path = root / "params.yaml"
        document = yaml.safe_load(path.read_text())
        document["lr"] = 0.1 if kind == "revert param" else source.choice([0.2, 0.3])
        if source.random() < 0.4 and kind == "param":
            document["deep"]["size"] = source.randint(4, 6)
        path.write_text(yaml.safe_dump(document))
    elif kind == "command":
        path = root / "dvc.yaml"
        if path.exists():
            path.write_text(path.read_text().replace("work.py s1", "work.py  s1"))
    elif kind in {"delete out", "edit out"}:
        there = [root / out for out in world.outs if (root / out).is_file()]
        if there:
            path = source.choice(there)
            path.unlink()
            if kind == "edit out":
                path.write_text("edited by hand")
    elif kind == "tracked" and world.tracked:
        path = root / world.tracked[0]
        path.unlink()
        path.write_text("tracked, changed " + source.choice("xyz"))
    elif kind == "touch":
        (root / world.sources[0]).touch()
    return kind
