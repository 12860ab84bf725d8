"""Swath's own image: a static busybox with a shell, and the tool layer. Made without Docker, the same each time.

    shell ─┐
    tools ─┼─▶ layers (tar, gzip) ─▶ config, manifest ─▶ registry, or an archive for `docker load`
    Swath ─┘

Files in a layer are sorted, belong to root and have no times, so equal contents are equal bytes, with equal digests:
a registry that has a layer is not sent it again.

Source: Docker's image manifest V2 schema 2, https://distribution.github.io/distribution/spec/manifest-v2-2/, and image
specification v1.2, read 2026-11-22.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from swath.images.debian import download, unpack
from swath.images.tool_layer import HOME, make_own_package, make_tools

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

MANIFEST_TYPE: Final = "application/vnd.docker.distribution.manifest.v2+json"
_CONFIG_TYPE: Final = "application/vnd.docker.container.image.v1+json"
_LAYER_TYPE: Final = "application/vnd.docker.image.rootfs.diff.tar.gzip"
_EPOCH: Final = "1970-01-01T00:00:00Z"
_BUSYBOX: Final = "bin/busybox"
_CERTIFICATES: Final = "etc/ssl/certs/ca-certificates.crt"
_PATH: Final = f"{HOME}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:{HOME}/libexec"
_BLOCK: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Blob:
    """A part of an image, as a file.

    Attributes:
        digest: ``sha256:…`` of the file.
        size: of the file, in bytes.
        diff_id: of a layer: the digest of what is inside the gzip; else empty.
    """

    path: Path
    digest: str
    size: int
    diff_id: str = ""


@dataclass(frozen=True, slots=True)
class BuiltImage:
    """An image on this machine.

    Attributes:
        layers: from the lowest.
        config: the image's configuration.
        manifest: its JSON text.
    """

    layers: tuple[Blob, ...]
    config: Blob
    manifest: bytes

    @property
    def blobs(self) -> tuple[Blob, ...]:
        """All that the manifest names."""
        return (*self.layers, self.config)

    @property
    def digest(self) -> str:
        """The image's digest: of its manifest."""
        return f"sha256:{hashlib.sha256(self.manifest).hexdigest()}"


def build_swath_image(work: Path, remotes: Sequence[str], version: str, say: Callable[[str], None]) -> BuiltImage:
    """Make the image.

    Args:
        work: a folder; about a gigabyte is needed. What an earlier call made there of other parts than Swath itself is
            taken as it is.
        remotes: kinds of DVC remotes that it can use.
        version: of Swath, for the label.
        say: told what is done next.

    Raises:
        UserError: this host cannot make it.
        PassingFaultError: something could not be fetched.
    """
    base, tools, own = (work / name for name in ("base", "tools", "own"))
    packed = [work / f"{part.name}.tar.gz" for part in (base, tools, own)]
    if not packed[1].exists():
        say("fetching a shell and certificates (Debian packages)")
        _remove(base, tools)
        make_base(base, work / "packages")
        say(f"making {HOME}: Python, Git, DVC (a minute or two)")
        make_tools(tools / HOME.lstrip("/"), remotes, work / "packages")
        pack_layer(base, packed[0])
        pack_layer(tools, packed[1])
    say("adding Swath")
    _remove(own)
    make_own_package(own / HOME.lstrip("/"), tools / HOME.lstrip("/"))
    pack_layer(own, packed[2])
    layers = tuple(_layer(path) for path in packed)
    return assemble(layers, work, {"swath.version": version, "swath.remotes": ",".join(sorted(remotes))})


def _remove(*folders: Path) -> None:
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


def make_base(folder: Path, work: Path) -> None:
    """A root file system with a shell, certificates and nothing else.

    Raises:
        UserError: this host cannot unpack Debian packages.
        PassingFaultError: they could not be fetched.
    """
    unpack(download(["busybox-static"], work / "shell"), folder, lambda path: str(path) == "usr/bin/busybox")
    (folder / "usr/bin").rename(folder / "bin")
    (folder / "usr").rmdir()
    unpack(
        [each for each in download(["ca-certificates"], work / "certificates") if each.name.startswith("ca-cert")],
        work / "authorities",
        lambda path: path.is_relative_to("usr/share/ca-certificates/mozilla"),
    )
    _write(folder / _CERTIFICATES, "".join(p.read_text() for p in sorted((work / "authorities").rglob("*.crt"))))
    _write(folder / "etc/passwd", "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/nonexistent:/bin/false\n")
    _write(folder / "etc/group", "root:x:0:\nnogroup:x:65534:\n")
    for name in ("root", "tmp", "var/tmp", "proc", "sys", "dev", "run"):
        (folder / name).mkdir(parents=True)
    for name in ("tmp", "var/tmp"):
        (folder / name).chmod(0o1777)
    for applet in _applets(folder / _BUSYBOX):
        (folder / "bin" / applet).symlink_to("busybox")


def _applets(busybox: Path) -> list[str]:
    listed = subprocess.run([str(busybox), "--list"], capture_output=True, text=True, check=True)
    return sorted(set(listed.stdout.split()) - {"busybox"})


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def pack_layer(folder: Path, target: Path) -> None:
    """Write a folder's files as a layer."""
    temporary = target.with_suffix(".tmp")
    with (
        temporary.open("wb") as raw,
        gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=raw, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w|", format=tarfile.PAX_FORMAT) as archive,
    ):
        for path in _sorted_tree(folder):
            _add(archive, folder, path)
    temporary.replace(target)


def _layer(path: Path) -> Blob:
    inner = hashlib.sha256()
    with gzip.open(path) as file:
        while block := file.read(_BLOCK):
            inner.update(block)
    return _blob(path, f"sha256:{inner.hexdigest()}")


def _sorted_tree(folder: Path) -> Iterator[Path]:
    for root, folders, files in os.walk(folder):
        folders.sort()
        linked = [name for name in folders if Path(root, name).is_symlink()]
        if root != str(folder):
            yield Path(root)
        yield from (Path(root, name) for name in sorted([*files, *linked]))


def _add(archive: tarfile.TarFile, folder: Path, path: Path) -> None:
    entry = archive.gettarinfo(path, arcname=str(path.relative_to(folder)))
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = "root"
    entry.mtime = 0
    if entry.isdir():
        entry.mode = 0o1777 if entry.mode & 0o1000 else 0o755
    elif entry.islnk():  # a second name of a file: as a file of its own
        entry.type, entry.size = tarfile.REGTYPE, path.stat().st_size
    if entry.isfile():
        entry.mode = 0o755 if entry.mode & 0o100 else 0o644
        with path.open("rb") as content:
            archive.addfile(entry, content)
    else:
        archive.addfile(entry)


def assemble(layers: Sequence[Blob], work: Path, labels: dict[str, str]) -> BuiltImage:
    """Config and manifest over layers."""
    config = {
        "architecture": "amd64",
        "os": "linux",
        "created": _EPOCH,
        "config": {"Env": [f"PATH={_PATH}", "LANG=C.UTF-8"], "Cmd": ["sh"], "WorkingDir": "/", "Labels": labels},
        "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in layers]},
        "history": [{"created": _EPOCH, "created_by": "swath image push"} for _ in layers],
    }
    path = work / "config.json"
    path.write_bytes(json.dumps(config, sort_keys=True).encode())
    blob = _blob(path)
    described = [{"mediaType": _LAYER_TYPE, "size": layer.size, "digest": layer.digest} for layer in layers]
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": {"mediaType": _CONFIG_TYPE, "size": blob.size, "digest": blob.digest},
        "layers": described,
    }
    return BuiltImage(tuple(layers), blob, json.dumps(manifest, sort_keys=True).encode())


def _blob(path: Path, diff_id: str = "") -> Blob:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return Blob(path, f"sha256:{digest.hexdigest()}", path.stat().st_size, diff_id)


def write_archive(image: BuiltImage, name: str, target: Path) -> None:
    """Write the image as `docker load` and `podman load` take it.

    Args:
        name: repository and tag that it gets there.
    """
    files = {blob.digest.partition(":")[2]: blob for blob in image.blobs}
    config = image.config.digest.partition(":")[2]
    layers = [f"{layer.digest.partition(':')[2]}.tar.gz" for layer in image.layers]
    index = [{"Config": f"{config}.json", "RepoTags": [name], "Layers": layers}]
    temporary = target.with_name(f".{target.name}.tmp")
    try:
        with tarfile.open(temporary, "w") as archive:
            for digest, blob in files.items():
                entry = tarfile.TarInfo(f"{digest}.json" if blob is image.config else f"{digest}.tar.gz")
                entry.size = blob.size
                with blob.path.open("rb") as content:
                    archive.addfile(entry, content)
            text = json.dumps(index).encode()
            entry = tarfile.TarInfo("manifest.json")
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text))
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
