"""Read services/NAME/service.yaml: file -> `Service`, or all findings of the file at once.

Called by `swath exec` before every start, so its imports are counted: no DVC, no rich, no pydantic.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from swath.errors import Finding, FindingsError, Place, UserError
from swath.load.service_rules import broken_rules
from swath.load.typed_document import decode
from swath.model.service import Service
from swath.model.suggestion import did_you_mean, one_of
from swath.schema.yaml12 import Document

if TYPE_CHECKING:
    from pathlib import Path

SERVICES: Final = "services"
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
SERVICE_FILE: Final = "service.yaml"


def service_names(root: Path) -> tuple[str, ...]:
    """The names of the repository's services, sorted: the folders of services/ that have a service.yaml."""
    folder = root / SERVICES
    if not folder.is_dir():
        return ()
    return tuple(sorted(child.name for child in folder.iterdir() if (child / SERVICE_FILE).is_file()))


def service_folder(root: Path, name: str) -> Path:
    """The folder of a service, whether it exists or not."""
    return root / SERVICES / name


def load_service(root: Path, name: str) -> Service:
    """One service of the repository.

    Args:
        root: the repository's root.
        name: the service's name.

    Raises:
        UserError: there is no such service.
        FindingsError: its service.yaml is wrong.
    """
    service, findings = read_service(root, name)
    if service is None or findings:
        raise FindingsError(findings)
    return service


def load_services(root: Path) -> dict[str, Service]:
    """All services of the repository by name, sorted.

    Raises:
        FindingsError: the findings of all their files.
    """
    read = {name: read_service(root, name) for name in service_names(root)}
    findings = [finding for _, found in read.values() for finding in found]
    if findings:
        raise FindingsError(findings)
    return {name: service for name, (service, _) in read.items() if service is not None}


def read_service(root: Path, name: str) -> tuple[Service | None, tuple[Finding, ...]]:
    """A service and what is wrong with it.

    Returns:
        The service, None when its file has not even the form of one; and the findings in the order of the file.

    Raises:
        UserError: there is no such service.
    """
    file = f"{SERVICES}/{name}/{SERVICE_FILE}"
    if not _NAME.fullmatch(name):
        raise _unknown_service(root, name)
    try:
        text = (root / file).read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        raise _unknown_service(root, name) from None
    except (OSError, ValueError) as error:
        return None, (Finding(Place(file), "unreadable", f"cannot be read: {error}"),)
    try:
        document = Document(text, file)
    except UserError as error:
        return None, (Finding(error.place or Place(file), "not-yaml", error.message, error.hint),)
    service, findings = decode(document, Service)
    if service is None:
        return None, findings
    return service, tuple(sorted(broken_rules(service, document, service_folder(root, name))))


def _unknown_service(root: Path, name: str) -> UserError:
    names = service_names(root)
    hint = did_you_mean(name, names) or (
        one_of(names) if names else f"make one with `swath service new {name}`: the repository has none yet"
    )
    return UserError(f"there is no service '{name}' (no {SERVICES}/{name}/{SERVICE_FILE})", hint=hint)
