"""The simulated archive: the same bytes twice."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("shapely", reason="in the service's own environment: swath service test simulate")
pytest.importorskip("rasterio", reason="in the service's own environment: swath service test simulate")


def test_same_bytes_twice(run, tmp_path: Path) -> None:
    contents = []
    for name in ("a", "b"):
        done = run("--out", tmp_path / name, "--size", 64)
        assert done.returncode == 0, done.stderr
        files = sorted(path for path in (tmp_path / name).rglob("*") if path.is_file())
        contents.append({str(path.relative_to(tmp_path / name)): path.read_bytes() for path in files})
    assert contents[0] == contents[1]
    assert sum(name.endswith(".clouds.tif") for name in contents[0]) == 7
