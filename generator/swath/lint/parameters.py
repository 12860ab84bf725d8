"""Parameters that stages read: their files can be read, and DVC can record the values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from swath.dvc_border.params import ParamsReader
from swath.errors import Finding, Place, UserError
from swath.model.recordable import check_recordable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from swath.dvc_border.repository import Repository
    from swath.model.stage import Stage


def parameter_findings(repository: Repository, stages: Sequence[Stage]) -> Iterator[Finding]:
    """What would stop a stage before it runs; files that stages write are left out, for they may be old."""
    reader = ParamsReader(str(repository.root))
    made = {out.path for stage in stages for out in stage.outs}
    for stage in stages:
        for read in () if stage.frozen else stage.params:
            if read.path in made:
                continue
            try:
                check_recordable(stage, read, reader.values(read) or {})
            except UserError as error:
                yield Finding(error.place or Place(read.path), "parameter", error.message, error.hint)
