"""Debian packages -> files in a folder, without installing them: apt resolves and fetches, dpkg-deb unpacks.

The host's own apt settings say from where; no maintainer script runs, so no root is needed. Used for what Swath's own
image is made of.

Source: apt-get(8), dpkg-deb(1) of Debian 12, read 2026-11-22.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tarfile
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, Final

from swath.errors import PassingFaultError, UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_PROGRAMS: Final = ("apt-get", "apt-cache", "dpkg-deb")
# Folders that are links in a Debian of today: what lies in /lib/x is unpacked into /usr/lib/x.
_MERGED: Final = ("bin", "sbin", "lib", "lib64")
_NO_SPACE: Final = re.compile(r"no space left|not enough free space|enough free space", re.IGNORECASE)
_LAST_LINES: Final = 4


def check_programs() -> None:
    """See whether this host can unpack Debian packages.

    Raises:
        UserError: it cannot.
    """
    missing = [program for program in _PROGRAMS if shutil.which(program) is None]
    if missing:
        hint = "run it on Debian or Ubuntu, or in a container of one (x86-64, with Python and pip install swath)"
        raise UserError(f"Swath's image is made of Debian packages, and {missing[0]} is not here", hint=hint)


def python_version() -> str:
    """The version of the host's Debian Python: ``3.11``.

    Raises:
        UserError: apt does not know one.
    """
    said = _run(["apt-cache", "show", "--no-all-versions", "python3"], "apt-cache show python3")
    found = re.search(r"^Version: (\d+\.\d+)", said, re.MULTILINE)
    if found is None:
        raise UserError("apt does not know the package python3", hint="refresh its lists: apt-get update")
    return found.group(1)


def download(packages: Sequence[str], work: Path) -> list[Path]:
    """Fetch packages with all that they depend on, as if nothing were installed.

    Args:
        packages: names.
        work: a folder for them.

    Returns:
        The .deb files, sorted by name.

    Raises:
        UserError: apt knows one of them not.
        PassingFaultError: they could not be fetched.
    """
    archives = work / "archives"
    (archives / "partial").mkdir(parents=True, exist_ok=True)
    status = work / "status"
    status.write_text("")
    options = {
        "Dir::State::status": status,
        "Dir::Cache::archives": archives,
        "APT::Sandbox::User": "root",  # the folder is ours: apt's own user may not write there
        "Debug::NoLocking": "1",
        "APT::Keep-Downloaded-Packages": "true",
    }
    words = [word for key, value in options.items() for word in ("-o", f"{key}={value}")]
    command = ["apt-get", "-y", "-qq", "--no-install-recommends", *words, "--download-only", "install", *packages]
    _run(command, "apt-get")
    return sorted(archives.glob("*.deb"))


def unpack(archives: Sequence[Path], folder: Path, wanted: Callable[[PurePosixPath], bool]) -> None:
    """Unpack the files of packages that are wanted, in the order of the packages.

    Args:
        wanted: told each path below the root, with /bin, /lib and their like already as /usr/bin and /usr/lib.
    """
    for archive in archives:
        with subprocess.Popen(
            ["dpkg-deb", "--fsys-tarfile", str(archive)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ) as process:
            try:
                _unpack(process.stdout, folder, wanted)
                damaged = process.wait() != 0
            except (tarfile.ReadError, EOFError):
                damaged = True
        if damaged:
            raise PassingFaultError(f"the package {archive.name} is damaged; run the command again")


def _unpack(stream: IO[bytes] | None, folder: Path, wanted: Callable[[PurePosixPath], bool]) -> None:
    with tarfile.open(fileobj=stream, mode="r|") as files:
        for member in files:
            path = _merged(member.name)
            if not member.isdir() and wanted(path):
                _extract(files, member, path, folder)


def _merged(name: str) -> PurePosixPath:
    path = PurePosixPath(name.removeprefix("./").lstrip("/"))
    return PurePosixPath("usr") / path if path.parts and path.parts[0] in _MERGED else path


def _extract(files: tarfile.TarFile, member: tarfile.TarInfo, path: PurePosixPath, folder: Path) -> None:
    target = folder / path
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.is_symlink() or target.exists():
        target.unlink()
    if member.issym():
        target.symlink_to(member.linkname)
    elif member.islnk():
        os.link(folder / _merged(member.linkname), target)
    elif (content := files.extractfile(member)) is not None:
        with target.open("wb") as file:
            shutil.copyfileobj(content, file)
        target.chmod(0o755 if member.mode & 0o100 else 0o644)


def _run(command: Sequence[str], what: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "LC_ALL": "C.UTF-8"})
    if done.returncode == 0:
        return done.stdout
    said = "\n".join(f"  {line}" for line in done.stderr.strip().splitlines()[-_LAST_LINES:])
    if "Unable to locate package" in said:
        raise UserError(f"{what} does not know a package:\n{said}", hint="refresh its lists: apt-get update")
    raise PassingFaultError(f"{what} failed{' (no space is left)' if _NO_SPACE.search(said) else ''}:\n{said}")
