"""The order of the parts, read from the imports: nothing imports what stands above it."""

from __future__ import annotations

import ast
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Final

import pytest

import swath

ROOT: Final = Path(swath.__file__).parent
LAYERS: Final = (
    {"__main__"},
    {"cli"},
    {"clean"},
    {"local", "job", "report"},
    {"record", "images"},
    {"execute", "emit", "plan", "lint", "gitlab"},
    {"load"},
    {"dvc_border"},
    {"schema"},
    {"files"},
    {"model"},
    {"limits", "errors"},
)
FOREIGN: Final = {"dvc": "dvc_border", "dvc_data": "dvc_border", "dvc_objects": "dvc_border", "scmrepo": "dvc_border"}
FOREIGN |= {"gitlab": "gitlab", "docker": "execute"}  # python-gitlab, and the docker SDK
FILES: Final = sorted(ROOT.rglob("*.py"))


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def part(module: str) -> str:
    """``plan`` of ``swath.plan.decide``."""
    return module.split(".")[1] if "." in module else ""


def layer(module: str) -> int:
    return next(number for number, names in enumerate(LAYERS) if part(module) in names)


@cache
def imports(path: Path) -> tuple[tuple[str, bool], ...]:
    """The modules that a file imports, each with whether it does so when it is itself imported."""
    found: list[tuple[str, bool]] = []
    _walk(ast.parse(path.read_text()), found, eager=True)
    return tuple(found)


def _walk(node: ast.AST, found: list[tuple[str, bool]], *, eager: bool) -> None:
    if isinstance(node, ast.Import):
        found.extend((alias.name, eager) for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        assert node.level == 0, "imports are absolute"
        found.extend((_imported(node.module or "", alias.name), eager) for alias in node.names)
    inside = eager and not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
    if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
        inside = False
    for child in ast.iter_child_nodes(node):
        _walk(child, found, eager=inside)


def _imported(module: str, name: str) -> str:
    inner = ROOT.parent.joinpath(*module.split("."), name)
    return f"{module}.{name}" if inner.with_suffix(".py").exists() or (inner / "__init__.py").exists() else module


@pytest.mark.parametrize("path", FILES, ids=module_name)
def test_a_module_imports_only_parts_below_its_own(path: Path) -> None:
    own = module_name(path)
    if own == "swath":
        return
    for imported, _ in imports(path):
        if imported.startswith("swath.") and part(imported) != part(own):
            assert layer(imported) > layer(own), f"{own} imports {imported}"


@pytest.mark.parametrize("path", FILES, ids=module_name)
def test_only_one_part_knows_a_large_library(path: Path) -> None:
    owners = {FOREIGN[name] for imported, _ in imports(path) if (name := imported.split(".")[0]) in FOREIGN}
    assert owners <= {part(module_name(path))}


@pytest.mark.parametrize("path", FILES, ids=module_name)
def test_nothing_imports_the_facade(path: Path) -> None:
    assert "swath" not in {imported for imported, _ in imports(path)}


def test_no_modules_import_each_other_in_a_circle() -> None:
    names = {module_name(path) for path in FILES}
    edges = {module_name(p): {i for i, eager in imports(p) if eager and i in names} for p in FILES}
    order = list(TopologicalSorter(edges).static_order())  # raises CycleError
    assert set(order) == names


def test_every_part_has_a_layer() -> None:
    parts = {part(module_name(path)) for path in FILES} - {""}
    assert parts <= set().union(*LAYERS)


_OF_THE_PROCESS: Final = {"chdir", "fchdir", "chroot", "umask", "putenv", "unsetenv"}
_CHANGES: Final = {"update", "pop", "popitem", "setdefault", "clear", "__setitem__", "__delitem__"}


def changes_of_the_process(tree: ast.AST) -> set[str]:
    """What a module does to the working directory, the umask and the environment, which all threads share."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in _OF_THE_PROCESS:
            found.add(node.attr)
        if isinstance(node, ast.ImportFrom) and node.module in {"os", "contextlib"}:
            found |= {alias.name for alias in node.names} & {*_OF_THE_PROCESS, "environ"}
        if isinstance(node, ast.Subscript | ast.Attribute) and ast.unparse(node.value) == "os.environ":
            written = isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store | ast.Del)
            if written or (isinstance(node, ast.Attribute) and node.attr in _CHANGES):
                found.add(ast.unparse(node))
        if isinstance(node, ast.AugAssign | ast.Assign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found |= {"os.environ =" for target in targets if ast.unparse(target) == "os.environ"}
    return found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("os.chdir(x)", {"chdir"}),
        ("with contextlib.chdir(x): pass", {"chdir"}),
        ("from contextlib import chdir", {"chdir"}),
        ("os.umask(0)", {"umask"}),
        ("os.environ['A'] = 'b'", {"os.environ['A']"}),
        ("del os.environ['A']", {"os.environ['A']"}),
        ("os.environ.update(a)", {"os.environ.update"}),
        ("os.environ |= a", {"os.environ ="}),
        ("from os import environ", {"environ"}),
        ("x = os.environ['A'], os.environ.get('A'), {**os.environ}, subprocess.run([], umask=0)", set()),
    ],
)
def test_changes_of_the_process_are_seen(text: str, found: set[str]) -> None:
    assert changes_of_the_process(ast.parse(text)) == found


OWN_PROGRAMS: Final = {"swath.execute.supervisor"}  # a process and a thread of their own
SHARED: Final = [path for path in FILES if part(module_name(path)) != "cli" and module_name(path) not in OWN_PROGRAMS]


@pytest.mark.parametrize("path", SHARED, ids=module_name)
def test_only_the_command_line_changes_what_all_threads_share(path: Path) -> None:
    assert changes_of_the_process(ast.parse(path.read_text())) == set()
