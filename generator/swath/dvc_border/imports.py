"""Data of other repositories (`dvc import`): `dvc push` does not send it, so it comes from where it lies."""

from __future__ import annotations

import os
import re
import tempfile
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from dvc.exceptions import DvcException
from dvc.scm import SCMError

from swath.dvc_border.sound_listings import guard_listings, refused_listing
from swath.dvc_border.translate import translated
from swath.errors import PassingFaultError, Place, UserError
from swath.model.server_address import is_of_server

if TYPE_CHECKING:
    import threading
    from collections.abc import Container, Iterable, Mapping

    from swath.dvc_border.cache import Cache
    from swath.dvc_border.data_files import DataOutput, ImportSource
    from swath.dvc_border.repository import Repository
    from swath.model.content import Content
    from swath.model.lock_entry import LockEntry


class ImportStore:
    """The one content of an import, asked for as from a remote.

    Args:
        environ: CI_SERVER_URL and CI_JOB_TOKEN, with which repositories of the same GitLab are read.
    """

    def __init__(self, repository: Repository, cache: Cache, data: DataOutput, environ: Mapping[str, str]) -> None:
        self._repository, self._cache, self._data, self._environ = repository, cache, data, environ

    def missing(self, contents: Iterable[Content]) -> set[str]:
        """The contents that are not this import."""
        return {content.value for content in contents if not content.same_as(self._data.content)}

    def pull(self, contents: Iterable[Content], stop: threading.Event | None = None) -> int:  # noqa: ARG002 - DVC goes on
        """Bring the import into the cache.

        Returns:
            Bytes that came.

        Raises:
            PassingFaultError: the other repository does not answer, does not let us in, or has not got it.
            UserError: a listing there names files outside its folder.
        """
        lacking = [content for content in contents if not self._cache.has(content)]
        if lacking:
            self._fetch()
        return sum(content.size or 0 for content in lacking)

    def pull_listings(self, contents: Iterable[Content]) -> None:
        """As `pull`: a listing does not come by itself."""
        self.pull(contents)

    def load_run_cache(self, key: str, prefer: Container[str] = ()) -> LockEntry | None:  # noqa: ARG002
        """None: results of stages are elsewhere."""
        return None

    def _fetch(self) -> None:
        from dvc_data.index import DataIndexDirError

        source = self._data.source
        if source is None:
            return
        temporary = self._repository.tmp_dir.parent
        temporary.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="swath-import-", dir=temporary) as folder:
            path = os.path.join(folder, "data")
            try:
                _download(address_for_job(source.url, self._environ), source, path)
            except (DvcException, DataIndexDirError, SCMError, OSError) as error:
                raise refused_listing(error) or self._fault(source, error) from error
            self._adopt(path, source)

    def _fault(self, source: ImportSource, error: Exception) -> PassingFaultError:
        said = re.sub(r"//[^/ ]*@", "//", f"{error.__cause__ or error}")
        message = f"{self._data.file}: {source.path} of {_clean(source.url)} cannot be had: {said}"
        hint = "may this project read it (its Settings > CI/CD > Job token permissions), and was it pushed (dvc push)?"
        return PassingFaultError(f"{message}\n  {hint}")

    def _adopt(self, path: str, source: ImportSource) -> None:
        """Put what came into the cache, if it is what was imported."""
        from dvc.fs import localfs
        from dvc_data.hashfile.build import build
        from dvc_data.hashfile.transfer import transfer

        content = self._data.content
        legacy = bool(content and content.legacy)
        with translated(Place(self._data.file)):
            odb = self._repository.full.cache.legacy if legacy else self._repository.full.cache.local
            staging, _, found = build(odb, path, localfs, "md5-dos2unix" if legacy else "md5")
            if content is not None and found.hash_info.value != content.value:
                message = f"{source.path} of {_clean(source.url)} is not what was imported"
                raise UserError(message, place=Place(self._data.file), hint="import it again: dvc update")
            transfer(staging, odb, {found.hash_info}, shallow=False)


def _download(url: str, source: ImportSource, path: str) -> None:
    """Write a file or a folder of another repository to `path`."""
    from dvc.api import DVCFileSystem
    from dvc.config import Config
    from dvc.repo.open_repo import clean_repos

    guard_listings()
    config = source.config if isinstance(source.config, dict) else Config.load_file(source.config)
    remote = {"remote_config" if isinstance(source.remote, dict) else "remote": source.remote} if source.remote else {}
    system = DVCFileSystem(url, rev=source.rev, subrepos=True, config=config, **remote)
    try:
        system.get(source.path, path, recursive=system.isdir(source.path))
    finally:
        clean_repos()  # the clone goes, and with it what the next attempt would take for an answer


def _clean(url: str) -> str:
    """The address without a password."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl() if parts.password else url


def import_stores(
    repository: Repository, cache: Cache, data: Iterable[DataOutput], environ: Mapping[str, str]
) -> dict[str, ImportStore]:
    """Of all data that lies elsewhere, by `.dvc` file."""
    return {out.file: ImportStore(repository, cache, out, environ) for out in data if out.source}


def address_for_job(url: str, environ: Mapping[str, str]) -> str:
    """A Git address with the job's token, where it is one of the job's GitLab server, by HTTP or by SSH.

    Args:
        environ: of the job; without CI_SERVER_URL and CI_JOB_TOKEN nothing changes.
    """
    server, token = environ.get("CI_SERVER_URL", "").rstrip("/"), environ.get("CI_JOB_TOKEN", "")
    if not server or not token:
        return url
    parts = urlsplit(server)
    ssh = environ.get("CI_SERVER_SHELL_SSH_HOST") or parts.hostname
    port = environ.get("CI_SERVER_SHELL_SSH_PORT") or "22"
    for start in (f"{server}/", f"git@{ssh}:", f"ssh://git@{ssh}/", f"ssh://git@{ssh}:{port}/"):
        path = url.removeprefix(start)
        if url.startswith(start) and is_of_server(f"{server}/{path}", server):
            netloc = f"gitlab-ci-token:{quote(token, safe='')}@{parts.netloc}"
            return f"{parts._replace(netloc=netloc).geturl()}/{path}"
    return url
