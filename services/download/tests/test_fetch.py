"""Fetching over HTTP: whatever breaks, the file is the right one or there is none."""

from __future__ import annotations

import hashlib
import sys
import tempfile
from pathlib import Path

import pytest

pytest.importorskip("requests", reason="in the service's own environment: swath service test download")

import requests
from hypothesis import given, settings
from hypothesis import strategies as st
from replay import Rule, replay

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import fetch

BODY = bytes(range(256)) * 40
DIGEST = fetch.Digest("md5", hashlib.md5(BODY).hexdigest(), len(BODY))

broken = st.one_of(
    st.builds(
        lambda cut, ranges: Rule("f", BODY, cut=cut, plays=1, ranges=ranges), st.integers(0, 10_000), st.booleans()
    ),
    st.builds(
        lambda status: Rule("f", b"", status, plays=1, headers={"Retry-After": "0"}), st.sampled_from([429, 500, 503])
    ),
    st.just(Rule("f", b"<html>", plays=1, headers={"Content-Type": "text/html"})),
)


@settings(max_examples=40, deadline=None)
@given(st.lists(broken, max_size=4))
def test_any_breaks_then_the_right_file(breaks: list[Rule]) -> None:
    rules = [Rule(**{name: getattr(rule, name) for name in Rule.__dataclass_fields__}) for rule in breaks]
    with tempfile.TemporaryDirectory() as folder, replay([*rules, Rule("f", BODY, ranges=True)]) as store:
        path = fetch.fetch(f"{store.url}/f", Path(folder) / "f", DIGEST, 0)
        assert path.read_bytes() == BODY
        assert [one.name for one in Path(folder).iterdir()] == ["f"]


def test_only_what_is_missing_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str | None] = []
    get = requests.get

    def recorded(url: str, **options: dict[str, str]) -> requests.Response:
        asked.append(options["headers"].get("Range"))
        return get(url, **options)  # type: ignore[arg-type] # passed on as they came

    monkeypatch.setattr(requests, "get", recorded)
    rules = [Rule("f", BODY, cut=1000, plays=1), Rule("f", b"", 503, plays=1), Rule("f", BODY, ranges=True)]
    with replay(rules) as store:
        fetch.fetch(f"{store.url}/f", tmp_path / "f", DIGEST, 0)
    assert asked == [None, "bytes=1000-", "bytes=1000-"]
    assert (tmp_path / "f").read_bytes() == BODY


def test_a_piece_of_an_earlier_attempt_is_gone_on_with(tmp_path: Path) -> None:
    (tmp_path / "f.part").write_bytes(BODY[:5000])
    with replay([Rule("f", BODY, ranges=True)]) as store:
        fetch.fetch(f"{store.url}/f", tmp_path / "f", DIGEST, 0)
    assert (tmp_path / "f").read_bytes() == BODY


def test_a_piece_of_another_version_is_fetched_anew(tmp_path: Path) -> None:
    (tmp_path / "f.part").write_bytes(b"x" * 5000)
    with replay([Rule("f", BODY, ranges=True)]) as store:
        fetch.fetch(f"{store.url}/f", tmp_path / "f", DIGEST, 0)
        assert len(store.requests) == 2
    assert (tmp_path / "f").read_bytes() == BODY


def test_wrong_checksum_leaves_nothing_behind(tmp_path: Path) -> None:
    with (
        replay([Rule("f", BODY[::-1])]) as store,
        pytest.raises(fetch.DownloadError, match=r"wrong checksum \(md5 [0-9a-f]{32}, the catalogue says"),
    ):
        fetch.fetch(f"{store.url}/f", tmp_path / "f", DIGEST, 0)
    assert list(tmp_path.iterdir()) == []


def test_a_store_that_stays_busy_is_given_up(tmp_path: Path) -> None:
    with (
        replay([Rule("f", b"", 503, headers={"Retry-After": "0"})]) as store,
        pytest.raises(fetch.PassingError, match="answers 503 Service Unavailable, 5 times one after another"),
    ):
        fetch.fetch(f"{store.url}/f", tmp_path / "f", DIGEST, 0)


@pytest.mark.parametrize("text", ["md5:00", "crc32:00:5", "none", "md5:00:x"])
def test_checksums_that_are_none(text: str) -> None:
    with pytest.raises(fetch.DownloadError, match="is no checksum; write ALGORITHM:HEX:BYTES"):
        fetch.Digest.parse(text)
