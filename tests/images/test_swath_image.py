from __future__ import annotations

import hashlib
import json
import os
import subprocess
import tarfile
from typing import TYPE_CHECKING

import pytest

from swath.images.registry import push_image_parts
from swath.images.swath_image import Blob, _layer, assemble, pack_layer, write_archive

if TYPE_CHECKING:
    from pathlib import Path

    from swath.images.swath_image import BuiltImage


def tree(folder: Path, *, backwards: bool = False, time_s: int = 0) -> Path:
    """A folder with each kind of thing; made in either order."""
    names = ["bin/program", "etc/a", "etc/b"]
    for name in reversed(names) if backwards else names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
        path.chmod(0o700 if name.startswith("bin") else 0o600)
    (folder / "bin/soft").symlink_to("program")
    (folder / "bin/second").hardlink_to(folder / "bin/program")
    (folder / "tmp").mkdir(mode=0o1777)
    (folder / "tmp").chmod(0o1777)
    for path in folder.rglob("*"):
        os.utime(path, (time_s, time_s), follow_symlinks=False)
    return folder


def layer(folder: Path, target: Path) -> Blob:
    pack_layer(folder, target)
    return _layer(target)


def small_image(folder: Path) -> BuiltImage:
    blob = layer(tree(folder / "tree"), folder / "layer.tar.gz")
    return assemble([blob], folder, {"swath.version": "1"})


def test_equal_contents_are_equal_bytes(tmp_path: Path) -> None:
    one = layer(tree(tmp_path / "one"), tmp_path / "one.gz")
    other = layer(tree(tmp_path / "other", backwards=True, time_s=1_000_000_000), tmp_path / "other.gz")
    assert (one.digest, one.diff_id, one.size) == (other.digest, other.diff_id, other.size)


def test_what_a_layer_holds(tmp_path: Path) -> None:
    layer(tree(tmp_path / "tree"), tmp_path / "layer.gz")
    with tarfile.open(tmp_path / "layer.gz") as archive:
        entries = archive.getmembers()
    assert [(entry.name, oct(entry.mode), entry.type) for entry in entries if not entry.issym()] == [
        ("bin", "0o755", tarfile.DIRTYPE),
        ("bin/program", "0o755", tarfile.REGTYPE),
        ("bin/second", "0o755", tarfile.REGTYPE),
        ("etc", "0o755", tarfile.DIRTYPE),
        ("etc/a", "0o644", tarfile.REGTYPE),
        ("etc/b", "0o644", tarfile.REGTYPE),
        ("tmp", "0o1777", tarfile.DIRTYPE),
    ]
    assert {(entry.uid, entry.gid, entry.mtime) for entry in entries} == {(0, 0, 0)}
    assert [entry.linkname for entry in entries if entry.issym()] == ["program"]


def test_digests_are_those_of_the_files(tmp_path: Path) -> None:
    image = small_image(tmp_path)
    for blob in image.blobs:
        data = blob.path.read_bytes()
        assert (blob.digest, blob.size) == (f"sha256:{hashlib.sha256(data).hexdigest()}", len(data))
    manifest = json.loads(image.manifest)
    assert [each["digest"] for each in [*manifest["layers"], manifest["config"]]] == [b.digest for b in image.blobs]
    assert json.loads(image.config.path.read_bytes())["config"]["Labels"] == {"swath.version": "1"}


@pytest.mark.docker
def test_an_engine_loads_the_archive(tmp_path: Path) -> None:
    image, name = small_image(tmp_path), f"swath-test/archive:{os.getpid()}"
    write_archive(image, name, tmp_path / "image.tar")
    try:
        loaded = subprocess.run(
            ["docker", "load", "-qi", str(tmp_path / "image.tar")], capture_output=True, text=True, check=True
        )
        assert loaded.stdout == f"Loaded image: {name}\n"
    finally:
        subprocess.run(["docker", "rmi", "-f", name], capture_output=True, check=False)


@pytest.mark.docker
def test_a_registry_takes_it_once_and_an_engine_pulls_it(tmp_path: Path, registry: str) -> None:
    image, environ = small_image(tmp_path), {"CI_REGISTRY_IMAGE": f"{registry}/group/{tmp_path.name}"}
    reference = "$CI_REGISTRY_IMAGE/swath:1"
    assert push_image_parts(image, reference, ["latest"], environ) == sum(blob.size for blob in image.blobs)
    assert push_image_parts(image, reference, ["latest"], environ) == 0
    for tag in ("1", "latest"):
        name = f"{environ['CI_REGISTRY_IMAGE']}/swath:{tag}"
        pulled = subprocess.run(["docker", "pull", name], capture_output=True, text=True, check=True)
        assert f"Digest: {image.digest}\n" in pulled.stdout
        subprocess.run(["docker", "rmi", "-f", name], capture_output=True, check=True)
