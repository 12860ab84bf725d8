"""An open DVC repository: where its things are, and how it is set up.

Only what a plan needs is loaded: importing DVC's own `Repo` costs 0.2 s more, so it is made when somebody asks for it
(`full`). Everything here agrees with `Repo` (a test compares).
"""

from __future__ import annotations

import hashlib
import logging
import os
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from dvc.config import Config

from swath.dvc_border.sound_listings import guard_listings
from swath.dvc_border.translate import translated
from swath.errors import NoGitError, UserError
from swath.files.git_program import call_git, names_in
from swath.files.modes import make_open_folders

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from dvc.ignore import DvcIgnoreFilter
    from dvc.repo import Repo
    from dvc_data.hashfile.state import State

PROJECT_FILE: Final = "dvc.yaml"
DATA_FILE_SUFFIX: Final = ".dvc"
_NEVER_DATA: Final = frozenset({".git", ".hg", ".dvc"})


class Repository:
    """A DVC repository on this machine.

    Args:
        root: its root folder, absolute.
        home: the repository whose `.dvc` folder (cache, remotes, temporary files) is used when `root` is only an
            export of a revision's files.

    Attributes:
        when_refused: what to do when a remote refuses us, for messages.
        written: dvc.lock and `.gitignore` files, from the root, that were written through this object.
    """

    def __init__(self, root: Path, *, home: Path | None = None) -> None:
        self.root = Path(os.path.realpath(root))
        self.home = home or self.root
        self.dvc_dir = self.home / ".dvc"
        self.tmp_dir = self.dvc_dir / "tmp" / "swath"
        self.written: set[str] = set()
        self._over: dict[str, Any] = {}
        self._left_out: frozenset[str] = frozenset()
        self.when_refused = "renew its credentials: .dvc/config.local, in CI the file variable SWATH_DVC_CONFIG"

    @cached_property
    def config(self) -> dict[str, Any]:
        """DVC's merged settings."""
        with translated(hint="correct .dvc/config"):
            config = Config(str(self.dvc_dir), local_dvc_dir=str(self.dvc_dir), config=self._over or None)
        return dict(config)

    def lay_over(self, file: str) -> None:
        """Lay a file of DVC's settings over the repository's own, for this object alone: nothing is written.

        Args:
            file: its path; relative paths in it start at its folder, as in DVC's own files.

        Raises:
            UserError: it cannot be read.
        """
        hint = "it is a file in the form of .dvc/config.local; in GitLab, a variable of the type File"
        with translated(hint=hint):
            try:
                over = Config._load_paths(Config.load_file(file), file)  # noqa: SLF001 - DVC does so with its own files
            except OSError as error:
                message = f"the DVC settings {file} cannot be read: {error.strerror or error}"
                raise UserError(message, hint=hint) from error
        self.set_over(dict(over))

    def set_over(self, settings: dict[str, Any]) -> None:
        """As `lay_over`, with the settings themselves; sections that were laid over before are merged."""
        for section, values in settings.items():
            known = self._over.setdefault(section, {})
            for key, value in values.items():
                known[key] = {**known.get(key, {}), **value} if isinstance(value, dict) else value
        for name in ("config", "cache_dir", "link_types", "full"):
            self.__dict__.pop(name, None)

    @cached_property
    def cache_dir(self) -> str:
        """The cache's folder, absolute."""
        configured = self.config["cache"].get("dir")
        return os.path.normpath(self.dvc_dir / (configured or "cache"))

    @cached_property
    def link_types(self) -> tuple[str, ...]:
        """How files come from the cache into the workspace, in order of preference."""
        return tuple(self.config["cache"].get("type") or ("reflink", "copy"))

    @cached_property
    def has_git(self) -> bool:
        """Whether a Git repository lies around it that DVC uses."""
        return not self.config["core"].get("no_scm", False)

    @cached_property
    def checkout(self) -> Path:
        """The top of Git's checkout around it; its own root outside of Git."""
        folders = (self.home, *self.home.parents)
        return next((folder for folder in folders if os.path.exists(folder / ".git")), self.home)

    @cached_property
    def subfolder(self) -> str:
        """Where it lies in Git's checkout: ``ml``; empty at the top. GitLab starts jobs at the top."""
        path = self.home.relative_to(self.checkout).as_posix()
        return "" if path == "." else path

    @cached_property
    def state(self) -> State:
        """DVC's record of the hashes of files that it has seen."""
        from dvc_data.hashfile.state import State

        return State(str(self.home), self._site_cache_dir(), None)

    def _site_cache_dir(self) -> str:
        """As `Repo.site_cache_dir`: the same database for both.

        Source: DVC 3.67.1, dvc/repo/__init__.py, read 2026-11-22.
        """
        import getpass

        from dvc.dirs import site_cache_dir
        from dvc.version import version_tuple

        base = os.path.join(site_cache_dir(self.config["core"].get("site_cache_dir")), "repo")
        make_open_folders(base)
        btime = self.dvc_dir / "tmp" / "btime"
        born = btime.stat().st_mtime if btime.exists() else self._write_btime(btime)
        try:
            user = getpass.getuser()
        except (KeyError, OSError):  # a user id without a name, as jobs in containers have it
            user = str(os.getuid())
        key = (str(self.home), None, born, user, version_tuple[0], 0)
        token = hashlib.md5(repr(key).encode(), usedforsecurity=False).hexdigest()
        return os.path.join(base, token)

    @staticmethod
    def _write_btime(path: Path) -> float:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        return path.stat().st_mtime

    @cached_property
    def full(self) -> Repo:
        """DVC's own object, for the rare things that are left to DVC."""
        from dvc.repo import Repo

        config = self._over or None
        if self.home != self.root:  # an export of a revision is no Git repository, and its settings lie at home
            config = {**self.config, "core": {**self.config["core"], "no_scm": True}}
        guard_listings()
        logging.getLogger("dvc").setLevel(logging.WARNING)  # what DVC is doing would go to stdout, into `--json`
        with translated():
            return Repo(str(self.root), config=config)

    @cached_property
    def ignore(self) -> DvcIgnoreFilter | None:
        """DVC's filter of ignored files; None when no `.dvcignore` says anything, so that its defaults do."""
        if not any(self._has_patterns(path) for path in self._listed() if path.name == ".dvcignore"):
            return None
        from dvc.fs import localfs
        from dvc.ignore import DvcIgnoreFilter

        return DvcIgnoreFilter(localfs, str(self.root))

    @staticmethod
    def _has_patterns(path: Path) -> bool:
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except (FileNotFoundError, IsADirectoryError):  # DVC takes no notice of such either
            return False
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(f"{path} cannot be read: {error}", hint="a text file in UTF-8 is expected") from error
        return any(line.strip() and not line.strip().startswith("#") for line in lines)

    @cached_property
    def _special_files(self) -> tuple[Path, ...]:
        listing = self._git_listing()
        names = self._walk_listing() if listing is None else listing
        return tuple(sorted(self.root / name for name in names))

    def _listed(self) -> Iterable[Path]:
        return self._special_files

    def _git_listing(self) -> list[str] | None:
        """dvc.yaml, .dvc and .dvcignore files that Git tracks or could track; None without Git."""
        if not self.has_git or self.root != self.home:
            return None
        patterns = [f"*{PROJECT_FILE}", f"*{DATA_FILE_SUFFIX}", "*.dvcignore"]
        words = ["ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *patterns]
        try:
            result = call_git(self.root, *words)
        except NoGitError:  # all that are there count, then
            return None
        if result.returncode:
            return None
        return [name for name in set(names_in(result.stdout)) if (self.root / name).is_file()]

    def _walk_listing(self) -> Iterator[str]:
        for folder, folders, files in os.walk(self.root):
            folders[:] = sorted(name for name in folders if name not in _NEVER_DATA)
            for name in files:
                if name in {PROJECT_FILE, ".dvcignore"} or name.endswith(DATA_FILE_SUFFIX):
                    yield os.path.relpath(os.path.join(folder, name), self.root)

    def _is_ignored(self, path: Path) -> bool:
        return bool(self.ignore) and self.ignore.is_ignored_file(str(path))  # type: ignore[union-attr]

    def _in_subrepository(self, path: Path) -> bool:
        parents = path.relative_to(self.root).parents
        return any((self.root / parent / ".dvc").is_dir() for parent in parents if str(parent) != ".")

    @property
    def workflow_files(self) -> tuple[str, ...]:
        """The dvc.yaml files that count, from the root: the root's own first, then by path."""
        return tuple(name for name in self._workflow_candidates if name not in self._left_out)

    @property
    def data_files(self) -> tuple[str, ...]:
        """The `.dvc` files that count, from the root, by path."""
        return tuple(name for name in self._data_candidates if name not in self._left_out)

    def leave_out(self, files: frozenset[str]) -> None:
        """From now on these dvc.yaml and `.dvc` files (from the root) do not count, and no others: they are data."""
        self._left_out = files

    @cached_property
    def _workflow_candidates(self) -> tuple[str, ...]:
        found = [p for p in self._listed() if p.name == PROJECT_FILE]
        names = [
            p.relative_to(self.root).as_posix() for p in found if not (self._is_ignored(p) or self._in_subrepository(p))
        ]
        return tuple(sorted(names, key=lambda name: (name.count("/"), name)))

    @cached_property
    def _data_candidates(self) -> tuple[str, ...]:
        found = [p for p in self._listed() if p.name.endswith(DATA_FILE_SUFFIX) and p.name != DATA_FILE_SUFFIX]
        return tuple(
            p.relative_to(self.root).as_posix() for p in found if not (self._is_ignored(p) or self._in_subrepository(p))
        )

    def walk(self, folder: str) -> Iterator[tuple[str, list[str]]]:
        """Folders below `folder` (absolute), each with the names of its files that count as data."""
        if self.ignore is not None:
            from dvc.fs import localfs

            for root, _, files in self.ignore.walk(localfs, folder):
                yield root, files
            return
        for root, folders, files in os.walk(folder):
            folders[:] = [name for name in folders if name not in _NEVER_DATA]
            yield root, [name for name in files if name not in _NEVER_DATA]
