"""Texts and types for tests of lint."""

from __future__ import annotations

from collections.abc import Callable

Tell = Callable[..., list[str]]
GOOD = "--input in.tif --out out"


def stage_text(cmd: str, deps: str = "[services/split, in.tif]", outs: str = "[out]", more: str = "") -> str:
    """A dvc.yaml with one stage `a`."""
    return f"stages:\n  a:\n    cmd: {cmd}\n    deps: {deps}\n    outs: {outs}\n{more}"
