from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from swath.errors import PassingFaultError, UserError
from swath.images.debian import check_programs, download, python_version, unpack

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(shutil.which("apt-get") is None, reason="needs apt-get and dpkg-deb")


def package(folder: Path, name: str, files: dict[str, str]) -> Path:
    """A Debian package with these files; one whose name ends with `.sh` is a program."""
    tree = folder / f"tree-{name}"
    (tree / "DEBIAN").mkdir(parents=True)
    text = f"Package: {name}\nVersion: 1\nArchitecture: all\nMaintainer: T <t@example.invalid>\nDescription: d\n"
    (tree / "DEBIAN/control").write_text(text)
    for path, content in files.items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_text(content)
        (tree / path).chmod(0o755 if path.endswith(".sh") else 0o600)
    archive = folder / f"{name}.deb"
    subprocess.run(["dpkg-deb", "--build", str(tree), str(archive)], check=True, capture_output=True)
    return archive


def test_files_come_out_where_a_debian_of_today_has_them(tmp_path: Path) -> None:
    archive = package(tmp_path, "a", {"lib/x/liba.so.1.0": "a", "bin/run.sh": "#!/bin/sh", "usr/share/doc/a": "no"})
    target = tmp_path / "root"
    unpack([archive], target, lambda path: "doc" not in path.parts)
    found = {str(path.relative_to(target)): path.stat().st_mode & 0o777 for path in target.rglob("*") if path.is_file()}
    assert found == {"usr/lib/x/liba.so.1.0": 0o644, "usr/bin/run.sh": 0o755}


def test_links_stay_links(tmp_path: Path) -> None:
    tree = tmp_path / "tree-links"
    (tree / "lib").mkdir(parents=True)
    (tree / "lib/one").write_text("content")
    (tree / "lib/two").hardlink_to(tree / "lib/one")
    (tree / "lib/soft").symlink_to("one")
    archive = package(tmp_path, "links", {})
    target = tmp_path / "root"
    unpack([archive], target, lambda _: True)
    assert (target / "usr/lib/two").samefile(target / "usr/lib/one")
    assert (target / "usr/lib/soft").readlink().name == "one"


def test_the_later_package_wins(tmp_path: Path) -> None:
    archives = [package(tmp_path, name, {"usr/lib/same": name}) for name in ("first", "second")]
    unpack(archives, tmp_path / "root", lambda _: True)
    assert (tmp_path / "root/usr/lib/same").read_text() == "second"


def test_a_damaged_package_is_a_passing_fault(tmp_path: Path) -> None:
    archive = package(tmp_path, "short", {"usr/lib/big": "x" * 100_000})
    archive.write_bytes(archive.read_bytes()[:-60])
    with pytest.raises(PassingFaultError) as caught:
        unpack([archive], tmp_path / "root", lambda _: True)
    assert str(caught.value) == "the package short.deb is damaged; run the command again"


def test_a_machine_without_debians_programs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError) as caught:
        check_programs()
    assert str(caught.value) == (
        "Swath's image is made of Debian packages, and apt-get is not here\n"
        "  run it on Debian or Ubuntu, or in a container of one (x86-64, with Python and pip install swath)"
    )


def test_a_package_that_apt_does_not_know(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        download(["no-such-package-as-this"], tmp_path)
    assert str(caught.value) == (
        "apt-get does not know a package:\n"
        "  E: Unable to locate package no-such-package-as-this\n"
        "  refresh its lists: apt-get update"
    )


def test_the_version_of_the_hosts_python_is_apts() -> None:
    major, minor = python_version().split(".")
    assert (major, int(minor) >= 9) == ("3", True)
