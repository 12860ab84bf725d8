"""A scene's ground, polygons on it, and a server on loopback that speaks OGC API Features and WFS 2.0."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest

FOLDER = Path(__file__).resolve().parents[1]
REAL_DATA = Path(os.environ.get("SWATH_DATA", FOLDER.parents[2] / "shared/data"))
EXTENT = {
    "crs": "EPSG:32633",
    "transform": [10, 0, 500_000, 0, -10, 5_600_000],
    "width": 100,
    "height": 100,
    "bounds": [500_000, 5_599_000, 501_000, 5_600_000],
}


@pytest.fixture(autouse=True)
def _environment():
    """Skip, with the reason, outside of the service's own environment."""
    for needed in ("pyogrio", "pyproj", "requests", "shapely"):
        if importlib.util.find_spec(needed) is None:
            pytest.skip(f"{needed} is in the service's own environment: run `swath service test {FOLDER.name}`")


def ring(left, top, edge):
    """A closed square, in metres from the scene's upper left corner."""
    west, north = 500_000 + left, 5_600_000 - top
    corners = [(0, 0), (edge, 0), (edge, -edge), (0, -edge), (0, 0)]
    return [[west + x, north + y] for x, y in corners]


def feature(identifier, rings, **properties):
    """A GeoJSON polygon."""
    geometry = {"type": "Polygon", "coordinates": rings}
    return {"type": "Feature", "id": identifier, "properties": properties, "geometry": geometry}


def collection(features, crs="urn:ogc:def:crs:EPSG::32633"):
    """A FeatureCollection with a CRS."""
    named = {"crs": {"type": "name", "properties": {"name": crs}}} if crs else {}
    return {"type": "FeatureCollection", **named, "features": features}


def in_crs(one, crs, *, north_first=False):
    """A feature in another CRS."""
    from pyproj import Transformer

    move = Transformer.from_crs("EPSG:32633", crs, always_xy=True).transform
    step = -1 if north_first else 1
    rings = [[list(move(x, y))[::step] for x, y in ring] for ring in one["geometry"]["coordinates"]]
    return {**one, "geometry": {"type": "Polygon", "coordinates": rings}}


@dataclass
class Run:
    """Runs the program on one scene."""

    folder: Path
    out: Path = field(init=False)

    def __post_init__(self):
        self.out = self.folder / "made/truth.geojson"
        (self.folder / "extent.json").write_text(json.dumps(EXTENT))
        (self.folder / "archive").mkdir()

    def extent(self, **changes):
        """Another scene."""
        (self.folder / "extent.json").write_text(json.dumps({**EXTENT, **changes}))

    def source(self, document, name="truth.geojson"):
        """Write a source into the archive; returns its name."""
        (self.folder / "archive" / name).write_text(json.dumps(document))
        return name

    def __call__(self, source, *words, code=0, archive=None, field="kind"):
        """Run it; returns (the document or None, the finished process)."""
        command = [
            sys.executable, str(FOLDER / "truth.py"), "--archive", str(archive or self.folder / "archive"),
            "--source", source, "--field", field, "--extent", str(self.folder / "extent.json"),
            "--out", str(self.out), *map(str, words),
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        assert not list(self.out.parent.glob(".*"))
        return json.loads(self.out.read_text()) if self.out.exists() else None, done

    def classes(self, *words, **options):
        """Run it; returns (class, name, source_id) of each feature in order."""
        document, _ = self(*words, **options)
        return [tuple(one["properties"].values()) for one in document["features"]]


@pytest.fixture
def truth(tmp_path):
    """The program, with a scene of 1 km² in EPSG:32633."""
    return Run(tmp_path)


@pytest.fixture
def real_data():
    """The folder of real data; the test is skipped, with the reason, where it is absent."""
    if not (REAL_DATA / "eolearn-slovenia").is_dir():
        pytest.skip(f"NO REAL DATA: {REAL_DATA}/eolearn-slovenia is absent; SWATH_DATA names another folder")
    return REAL_DATA


@dataclass
class Server:
    """A server whose answers are functions of the query, by path; keeps what it was asked.

    Attributes:
        paths: path → function from the query (names in lower case) to an object (JSON), text (XML) or bytes.
        refusals: (status, headers) to give first, one a request.
    """

    url: str = ""
    paths: dict = field(default_factory=dict)
    refusals: list = field(default_factory=list)
    queries: list = field(default_factory=list)


@pytest.fixture
def server():
    """The server, running."""
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            parts = urlsplit(self.path)
            query = {name.lower(): value for name, value in parse_qsl(parts.query)}
            state.queries.append(query)
            if state.refusals:
                status, headers = state.refusals.pop(0)
                return self.answer(status, "text/plain", b"later", headers)
            if parts.path not in state.paths:
                return self.answer(404, "text/plain", b"no such thing")
            body = state.paths[parts.path](query)
            if isinstance(body, dict):
                return self.answer(200, "application/geo+json", json.dumps(body).encode())
            return self.answer(200, "text/xml", body if isinstance(body, bytes) else body.encode())

        def answer(self, status, kind, body, headers=None):
            self.send_response(status)
            for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **(headers or {})}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        state.url = f"http://127.0.0.1:{running.server_port}"
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield state
        running.shutdown()
        thread.join()


class Make:
    """The functions that make features."""

    ring = staticmethod(ring)
    feature = staticmethod(feature)
    collection = staticmethod(collection)
    in_crs = staticmethod(in_crs)


@pytest.fixture
def make():
    """The functions that make features."""
    return Make
