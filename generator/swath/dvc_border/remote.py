"""Ask the DVC remote what it has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from swath.dvc_border.translate import translated

if TYPE_CHECKING:
    from collections.abc import Iterable

    from swath.dvc_border.repository import Repository
    from swath.model.content import Content


def missing_in_remote(repository: Repository, contents: Iterable[Content]) -> set[str]:
    """Hashes of the contents that the default remote lacks, wholly or in part.

    Raises:
        UserError: there is no remote, or it cannot be asked.
    """
    wanted = {content.value for content in contents if not content.legacy}
    if not wanted:
        return set()
    from dvc_data.hashfile.hash_info import HashInfo
    from dvc_data.hashfile.tree import Tree

    with translated(hint="set a default remote: dvc remote add -d NAME URL"):
        odb = repository.full.cloud.get_remote_odb(None, "status")
        present = set(odb.oids_exist(sorted(wanted)))
        missing = wanted - present
        inner: dict[str, set[str]] = {}
        for folder in (value for value in present if value.endswith(".dir")):
            for _, _, info in Tree.load(odb, HashInfo("md5", folder)):
                if info is not None:
                    inner.setdefault(str(info.value), set()).add(folder)
        if inner:
            missing = missing.union(*(inner[value] for value in set(inner) - set(odb.oids_exist(sorted(inner)))))
    return missing
