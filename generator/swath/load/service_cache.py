"""Read a service without reading YAML: `swath exec` starts once a stage, and libyaml's loader is a fifth of its start.

    <root>/.dvc/tmp/swath/services/<name>     a line with the digest of service.yaml, then the `Service` as JSON

A file without findings is remembered by its content; another content, or another Swath, and it is read anew. Files that
the service.yaml names may have gone since: who needs them says so.
"""

from __future__ import annotations

import contextlib
import importlib
import os
from _blake2 import blake2b  # hashlib would load OpenSSL: 4 ms before every service
from typing import TYPE_CHECKING, Final

import msgspec

from swath.model.service import Service

if TYPE_CHECKING:
    from pathlib import Path

CACHE_FOLDER: Final = ".dvc/tmp/swath/services"
_FORM: Final = b"1 "  # another number forgets all


def remembered_service(root: Path, name: str) -> Service:
    """One service of the repository, as `load_service` gives it.

    Args:
        root: the repository's root.
        name: the service's name.

    Raises:
        UserError: there is no such service.
        FindingsError: its service.yaml is wrong.
    """
    memory = root / CACHE_FOLDER / name
    digest = _digest(root / "services" / name / "service.yaml") if "/" not in name and name else None
    if digest is not None:
        with contextlib.suppress(OSError, msgspec.DecodeError):
            known, _, data = memory.read_bytes().partition(b"\n")
            if known == digest:
                return _DECODER.decode(data)
    service: Service = importlib.import_module("swath.load.services").load_service(root, name)
    if digest is not None:
        _remember(memory, digest + b"\n" + msgspec.json.encode(service, enc_hook=int))
    return service


def _digest(file: Path) -> bytes | None:
    try:
        return _FORM + blake2b(file.read_bytes(), digest_size=16).hexdigest().encode()
    except OSError:
        return None


def _remember(memory: Path, data: bytes) -> None:
    """Write beside the place and rename; where that cannot be, nothing is remembered."""
    temporary = memory.with_name(f".{memory.name}.{os.getpid()}.tmp")
    try:
        memory.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(data)
        temporary.replace(memory)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def _decode(kind: type, value: object) -> object:
    return kind(value)


_DECODER: Final = msgspec.json.Decoder(Service, dec_hook=_decode)
