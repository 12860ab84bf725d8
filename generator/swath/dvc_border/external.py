"""Deps and outputs outside the repository (s3://, http://, remote://, ds://): left to DVC's own classes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from swath.dvc_border.translate import translated

if TYPE_CHECKING:
    from swath.dvc_border.repository import Repository
    from swath.model.stage import JSONValue, Stage


def external_item(repository: Repository, stage: Stage, text: str) -> dict[str, JSONValue] | None:
    """The lock item of one external dep or output as it is now; None when it does not exist.

    Args:
        text: its path as dvc.yaml says it.

    Raises:
        UserError: the remote cannot be asked, or does not answer.
    """
    with translated(stage.place, hint="check the address, the remote's settings and the network"):
        loaded = repository.full.stage.load_one(str(repository.root / stage.file), stage.key)
        for edge in (*loaded.deps, *loaded.outs):
            if edge.def_path != text:
                continue
            if not edge.exists:
                return None
            edge.save()
            return _lock_item(edge)
    return None


def _lock_item(edge: object) -> dict[str, JSONValue]:
    from dvc.stage.serialize import to_single_stage_lockfile

    class _Only:
        cmd = "-"
        deps = (edge,)
        outs = ()

    document = to_single_stage_lockfile(_Only())  # it reads these three only
    item: dict[str, JSONValue] = dict(document["deps"][0])
    return item
