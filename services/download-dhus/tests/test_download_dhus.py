# SPDX-License-Identifier: GPL-3.0-or-later
"""`download-dhus` with the real client: recorded products, and Sentinel-2 products of our own making."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile

import pytest

UUID = "0b8a3c7e-0000-4000-8000-123456789abc"
TITLE = "S2A_MSIL1C_20240601T100031_N0510_R122_T33TVL_20240601T120000"
WEST, NORTH, EDGE_M = 500_000, 5_100_000, 600
L1C_SIZES = {
    "B01": 60, "B02": 10, "B03": 10, "B04": 10, "B05": 20, "B06": 20, "B07": 20, "B08": 10, "B8A": 20, "B09": 60,
    "B10": 60, "B11": 20, "B12": 20,
}  # fmt: skip


def jp2(pixels, size):
    """A lossless JPEG 2000 file, (N, H, W) or (H, W)."""
    import numpy as np
    import rasterio
    from rasterio.io import MemoryFile

    layers = np.atleast_3d(pixels) if pixels.ndim == 3 else pixels[None]
    profile = {
        "driver": "JP2OpenJPEG", "count": len(layers), "height": layers.shape[1], "width": layers.shape[2],
        "dtype": layers.dtype, "crs": "EPSG:32633", "transform": rasterio.Affine(size, 0, WEST, 0, -size, NORTH),
        "QUALITY": "100", "REVERSIBLE": "YES", "YCBCR420": "NO",
    }  # fmt: skip
    with MemoryFile(ext=".jp2") as memory:
        with memory.open(**profile) as raster:
            raster.write(layers)
        return memory.read()


def numbers(band, size):
    """A band of our own making: 2000 and its position, no data in the left third."""
    import numpy as np

    edge = EDGE_M // size
    pixels = np.full((edge, edge), 2000 + list(L1C_SIZES).index(band), dtype="uint16")
    pixels[:, : edge // 3] = 0
    pixels[0, -1] = 900  # less than nothing once the offset is added
    return pixels


def metadata(baseline, offset, element):
    """A product's metadata, as far as they are read."""
    offsets = (
        ""
        if offset is None
        else f'<{element} band_id="0">{offset}</{element}><{element} band_id="1">{offset}</{element}>'
    )
    return (
        '<?xml version="1.0"?><n1:Product xmlns:n1="urn:x"><n1:General_Info><PROCESSING_BASELINE>'
        f"{baseline}</PROCESSING_BASELINE><QUANTIFICATION_VALUE>10000</QUANTIFICATION_VALUE>{offsets}"
        "</n1:General_Info></n1:Product>"
    )


def safe_l1c(*, baseline="05.10", offset=-1000, mask=True):
    """A small L1C product as a zip."""
    import numpy as np

    files = {"MTD_MSIL1C.xml": metadata(baseline, offset, "RADIO_ADD_OFFSET")}
    for band, size in L1C_SIZES.items():
        files[f"GRANULE/L1C_T33TVL/IMG_DATA/T33TVL_20240601T100031_{band}.jp2"] = jp2(numbers(band, size), size)
    if mask:
        layers = np.zeros((3, 10, 10), dtype="uint8")
        layers[0, 5, 5] = layers[1, 6, 6] = layers[2, 7, 7] = 1  # opaque, cirrus, snow
        files["GRANULE/L1C_T33TVL/QI_DATA/MSK_CLASSI_B00.jp2"] = jp2(layers, 60)
    return packed(files)


def safe_l2a():
    """A small L2A product: bands in several resolutions, a scene classification, the offset by its baseline alone."""
    import numpy as np

    files = {"MTD_MSIL2A.xml": metadata("05.10", None, "")}
    for band, sizes in {"B02": (10, 20, 60), "B8A": (20, 60), "B01": (60,)}.items():
        for size in sizes:
            path = f"GRANULE/L2A_T33TVL/IMG_DATA/R{size}m/T33TVL_20240601T100031_{band}_{size}m.jp2"
            files[path] = jp2(numbers(band, size), size)
    classes = np.full((30, 30), 4, dtype="uint8")
    classes[20, 20], classes[21, 21] = 9, 3
    files["GRANULE/L2A_T33TVL/IMG_DATA/R20m/T33TVL_20240601T100031_SCL_20m.jp2"] = jp2(classes, 20)
    return packed(files)


def packed(files):
    """A zip with the files in a SAFE folder, and one that leads out of it."""
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w") as archive:
        for name, content in files.items():
            archive.writestr(f"{TITLE}.SAFE/{name}", content)
        archive.writestr("../outside.SAFE/MTD_MSIL2A.xml", "<x/>")
    return memory.getvalue()


@pytest.fixture
def offer(hub, replay):
    """Let the hub offer a product of our own making."""

    def start(content, *answers, online="true"):
        url = f"{hub.url}/odata/v1/Products('{UUID}')"
        start_of = {"Start": "/Date(1717236031000)/", "End": "/Date(1717236031000)/"}
        described = {
            "__metadata": {"media_src": f"{url}/$value"}, "Id": UUID, "Name": TITLE, "ContentLength": str(len(content)),
            "Checksum": {"Algorithm": "MD5", "Value": hashlib.md5(content).hexdigest().upper()}, "ContentDate": start_of,
            "CreationDate": "/Date(1717236031000)/", "IngestionDate": "/Date(1717236031000)/", "Online": True,
            "Attributes": {},
            "ContentGeometry": "<gml:Polygon xmlns:gml='http://www.opengis.net/gml'><gml:outerBoundaryIs>"
            "<gml:LinearRing><gml:coordinates>45,14 45,15 46,15 45,14</gml:coordinates></gml:LinearRing>"
            "</gml:outerBoundaryIs></gml:Polygon>",
        }  # fmt: skip
        name = {"Content-Disposition": f'inline;filename="{TITLE}.zip"', "Content-Type": "application/octet-stream"}
        path = f"/odata/v1/Products('{UUID}')"
        hub.add("GET", f"{path}?$format=json", replay.Answer(json.dumps({"d": described}).encode()))
        hub.add("GET", f"{path}/Online/$value", replay.Answer(online.encode()))
        hub.add("HEAD", f"{path}/$value", replay.Answer(content, headers=name))
        hub.add("GET", f"{path}/$value", *answers, replay.Answer(content, headers=name))

    return start


@pytest.fixture
def fetch(run, hub, tmp_path):
    """Run a download; returns (the folder, the finished process)."""

    def start(*words, uuid=UUID, code=0, **environment):
        out = tmp_path / "scene"
        done = run(
            "--backend", "dhus", "--id", TITLE, "--datetime", "2024-06-01T10:00:31Z", "--cloud-cover", "12.5",
            "--base", hub.url, "--assets", f"product={uuid}", "--offset", "-1000", "--retries", 0, "--out", out, *words,
            code=code, **environment,
        )  # fmt: skip
        assert bool(code) is not (out / "item.json").exists()
        assert not list(out.glob("*.part"))
        return out, done

    return start


def test_l1c(fetch, offer):
    import rasterio

    offer(safe_l1c())
    out, _ = fetch()
    with rasterio.open(out / "scene.tif") as scene:
        assert scene.descriptions == tuple(L1C_SIZES)
        assert (scene.crs.to_epsg(), scene.width, scene.height, scene.nodata) == (32633, 60, 60, 0)
        assert list(scene.transform)[:6] == [10, 0, WEST, 0, -10, NORTH]
        assert (scene.profile["compress"], scene.profile["interleave"]) == ("zstd", "band")
        pixels = scene.read()
        assert scene.tags() | {"AREA_OR_POINT": "Area"} == {
            "AREA_OR_POINT": "Area", "SCENE_ID": TITLE, "ACQUISITION": "2024-06-01T10:00:31Z", "LEVEL": "L1C",
            "PROCESSING_BASELINE": "05.10", "OFFSET_APPLIED": "-1000", "OFFSET_CHECK": "ok", "CLOUD_FRACTION": "0.1250",
            "SIMULATED": "no", "SCALE": "10000", "ATTRIBUTION": "Contains modified Copernicus Sentinel data [2024]",
        }  # fmt: skip
    assert [int(band[40, 40]) for band in pixels] == [1000 + index for index in range(13)]
    assert (pixels[:, :, :18] == 0).all()
    assert pixels[1, 0, 59] == 1
    with rasterio.open(out / "clouds.tif") as clouds:
        mask = clouds.read(1)
    assert (mask[30:36, 30:36] == 1).all()
    assert (mask[36:42, 36:42] == 1).all()
    assert ((mask == 1).sum(), mask[0, 0], clouds.nodata) == (72, 255, 255)
    item = json.loads((out / "item.json").read_text())
    assert item["properties"]["swath:source"]["assets"] == f"product={UUID}"
    assert sorted(item["assets"]) == ["clouds", "scene"]


def test_l2a_takes_the_finest_file_of_each_band_and_the_offset_of_its_baseline(fetch, offer):
    import rasterio

    offer(safe_l2a())
    out, _ = fetch("--offset", "0", "--level", "L2A")
    with rasterio.open(out / "scene.tif") as scene:
        assert scene.descriptions == ("B01", "B02", "B8A")
        assert (scene.tags()["LEVEL"], scene.tags()["OFFSET_CHECK"]) == ("L2A", "corrected")
        assert scene.read(2)[0, 58:].tolist() == [1001, 1]  # one pixel of 10 m
        assert [int(value) for value in scene.read()[:, 40, 40]] == [1000, 1001, 1008]
    with rasterio.open(out / "clouds.tif") as clouds:
        assert (clouds.read(1) == 1).sum() == 8


def test_bands_and_a_box(fetch, offer):
    import rasterio
    from rasterio.warp import transform_bounds

    offer(safe_l1c(mask=False))
    box = transform_bounds("EPSG:32633", "EPSG:4326", WEST + 303, NORTH - 398, WEST + 497, NORTH - 202)
    out, _ = fetch("--bands", "B11", "--bands", "B04", *(f"--bbox={value!r}" for value in box))
    with rasterio.open(out / "scene.tif") as scene:
        assert scene.descriptions == ("B04", "B11")
        assert (scene.transform.c, scene.transform.f, scene.width, scene.height) == (WEST + 300, NORTH - 200, 20, 20)
    assert not (out / "clouds.tif").exists()
    assert "the box and the scene share no ground" in fetch_fails(
        fetch, out, "--bbox=1", "--bbox=1", "--bbox=2", "--bbox=2"
    )


def fetch_fails(fetch, out, *words, code=1):
    """The message of a download that fails in a folder that has a result."""
    (out / "item.json").unlink()
    return fetch(*words, code=code)[1].stderr


def test_same_product_same_bytes(fetch, offer):
    offer(safe_l2a())
    out, _ = fetch()
    first = {path.name: path.read_bytes() for path in out.iterdir()}
    fetch()
    assert {path.name: path.read_bytes() for path in out.iterdir()} == first


def test_a_product_that_came_wrong_is_fetched_again(fetch, offer, replay, hub):
    content = safe_l2a()
    offer(content, replay.Answer(content[:-9] + b"corrupted", headers={"Content-Type": "application/octet-stream"}))
    _, done = fetch("--retries", 1)
    assert "with another checksum than announced; attempt 2" in done.stderr


def test_a_product_that_always_comes_wrong_is_a_passing_fault(fetch, offer, replay):
    content = safe_l2a()
    bad = replay.Answer(content[:-9] + b"corrupted", headers={"Content-Type": "application/octet-stream"})
    offer(content, bad, bad)
    assert "another checksum than announced; try again later" in fetch(code=75)[1].stderr


def test_a_download_that_broke_off_goes_on(fetch, offer, hub, tmp_path):
    content = safe_l2a()
    offer(content)
    (tmp_path / "scratch").mkdir()
    (tmp_path / f"scratch/{TITLE}.zip.incomplete").write_bytes(content[:1000])
    fetch(SWATH_SCRATCH=str(tmp_path / "scratch"))
    assert [headers["Range"] for _, _, headers in hub.requests if "Range" in headers] == ["bytes=1000-"]


def test_a_product_in_the_long_term_archive_is_ordered(fetch, offer, replay):
    offer(b"", replay.Answer(b"", 202), online="false")
    assert "has to fetch the product from its long-term archive, which takes hours" in fetch(code=75)[1].stderr


def test_the_digest_that_the_search_knew(fetch, offer):
    content = safe_l2a()
    offer(content)
    fetch("--digests", f"product=md5:{hashlib.md5(content).hexdigest()}:{len(content)}")


def test_another_digest_than_the_search_knew(fetch, offer):
    offer(safe_l2a())
    assert "is not the file that the search saw" in fetch("--digests", f"product=md5:{'0' * 32}:7", code=1)[1].stderr


def test_what_is_no_zip(fetch, offer):
    offer(b"hello")
    assert f"{TITLE}.zip cannot be unpacked: File is not a zip file" in fetch(code=1)[1].stderr


def test_recorded_products_come_with_their_checksums_and_are_not_sentinel_2(fetch, hub, cassettes, tmp_path):
    hub.load(cassettes / "test_download_all.yaml")
    (tmp_path / "scratch").mkdir()
    uuids = sorted({path.split("'")[1] for method, path, _ in hub.answers if method == "HEAD"})
    assert len(uuids) == 3
    for uuid in uuids:
        _, done = fetch(uuid=uuid, code=1, SWATH_SCRATCH=str(tmp_path / "scratch"))
        assert "is no Sentinel-2 product (L1C or L2A): it holds S3" in done.stderr
    fetched = {path.name: hashlib.md5(path.read_bytes()).hexdigest() for path in (tmp_path / "scratch").iterdir()}
    expected = {path.name: hashlib.md5(path.read_bytes()).hexdigest() for path in (cassettes / "data").iterdir()}
    assert fetched == expected


def test_the_recorded_refusal_of_an_account(fetch, hub, cassettes):
    hub.load(cassettes / "test_SentinelAPI_wrong_credentials.yaml")
    uuid = next(path.split("'")[1] for _, path, _ in hub.answers if "Products" in path)
    _, done = fetch(uuid=uuid, code=1)
    assert done.stderr == f"download-dhus: {hub.url} refuses the account in DHUS_USER and DHUS_PASSWORD (401)\n"


def test_wrong_arguments(fetch):
    assert "is not product=UUID" in fetch("--assets", "B02=x", code=1)[1].stderr
    assert "--bbox needs four numbers" in fetch("--bbox", "1", code=1)[1].stderr
