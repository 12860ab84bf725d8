"""`truth` on web services: OGC API Features and WFS 2.0, paging, axes, faults that pass and those that do not."""

from __future__ import annotations

import hashlib
import json

import pytest

CRS84 = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
BUSY = (503, {"Retry-After": "1"})


@pytest.fixture
def features(make):
    """Five squares on the scene, of 50 to 90 m, and one elsewhere."""
    squares = [
        make.feature(f"lu.{index}", [make.ring(150 * index, 100, 50 + 10 * index)], kind=index) for index in range(5)
    ]
    return [*squares, make.feature("lu.9", [make.ring(9000, 0, 10)], kind=9)]


EXPECTED = [(index, str(index), f"lu.{index}") for index in (4, 3, 2, 1, 0)]


def in_box(features, box):
    """The features of which a corner lies in a box."""
    west, south, east, north = box
    return [
        one
        for one in features
        if any(west <= x <= east and south <= y <= north for x, y in one["geometry"]["coordinates"][0])
    ]


# --- OGC API Features


@pytest.fixture
def collection(server, make, features):
    """A collection in longitude and latitude; returns its URL."""
    stored = [make.in_crs(one, "OGC:CRS84") for one in features]

    def items(query):
        found = in_box(stored, map(float, query["bbox"].split(",")))
        limit, start = min(2, int(query["limit"])), int(query.get("offset", 0))
        page = make.collection(found[start : start + limit], crs=None)
        link = f"items?bbox={query['bbox']}&limit={limit}&offset={start + limit}"
        links = [{"rel": "next", "href": link}] if start + limit < len(found) else []
        return {**page, "numberMatched": len(found), "links": [{"rel": "self", "href": "x"}, *links]}

    server.paths = {"/c/lu": lambda _: {"id": "lu", "links": []}, "/c/lu/items": items}
    return f"{server.url}/c/lu"


@pytest.mark.parametrize("end", ["", "/", "/items"])
def test_pages_are_followed_by_their_links(truth, server, collection, end):
    assert truth.classes(collection + end) == EXPECTED
    assert [query.get("offset") for query in server.queries[1:]] == [None, "2", "4"]
    west, south, east, north = map(float, server.queries[1]["bbox"].split(","))
    assert (west, south, east, north) == pytest.approx((15.0, 50.5413, 15.0141, 50.5504), abs=2e-3)


def test_a_collection_is_read_in_the_crs_that_it_is_kept_in(truth, server, make, features):
    uri = "http://www.opengis.net/def/crs/EPSG/0/32633"
    server.paths = {
        "/c/lu": lambda _: {"id": "lu", "storageCrs": uri, "crs": [CRS84, uri]},
        "/c/lu/items": lambda query: make.collection(features[:5]) if query["crs"] == uri else {},
    }
    document, _ = truth(f"{server.url}/c/lu")
    assert document["features"][-1]["geometry"]["coordinates"] == [make.ring(0, 100, 50)]


@pytest.mark.parametrize("obeys", [True, False])
def test_axes_of_epsg_4326_in_a_collection(truth, server, make, features, obeys):
    uri = "http://www.opengis.net/def/crs/EPSG/0/4326"
    stored = [make.in_crs(one, "OGC:CRS84", north_first=obeys) for one in features[:5]]
    server.paths = {
        "/c/lu": lambda _: {"id": "lu", "storageCrs": uri},
        "/c/lu/items": lambda _: make.collection(stored, crs=None),
    }
    document, done = truth(f"{server.url}/c/lu")
    assert [one["properties"]["class"] for one in document["features"]] == [4, 3, 2, 1, 0]
    assert ("exchanged" in done.stderr) is not obeys


def test_a_busy_server_is_asked_again(truth, server, collection):
    server.refusals = [BUSY, (429, {})]
    assert truth.classes(collection) == EXPECTED


def test_a_server_that_stays_busy_is_a_passing_fault(truth, server, collection):
    server.refusals = [BUSY] * 2
    _, done = truth(collection, "--retries", "1", code=75)
    assert done.stderr == f"{collection} answers 503 Service Unavailable, after 2 tries\n"
    assert not truth.out.exists()


def test_a_server_that_is_not_there_is_a_passing_fault(truth):
    assert (
        "does not answer (ConnectionError), after 1 tries"
        in truth("http://127.0.0.1:9/c/lu", "--retries", "0", code=75)[1].stderr
    )


def test_fewer_features_than_announced_are_a_passing_fault(truth, server, collection, make):
    server.paths["/c/lu/items"] = lambda _: {**make.collection([], crs=None), "numberMatched": 3}
    assert f"{collection}/items announces 3 features and gives 0" in truth(collection, code=75)[1].stderr


def test_refusals_are_one_line_without_secrets(truth, server, collection):
    url = collection.replace("//", "//me:secret@").replace("/lu", "/nothing") + "?token=secret"
    _, done = truth(url, code=1)
    assert done.stderr == f"{server.url}/c/nothing answers 404 Not Found: no such thing\n"


def test_a_page_of_another_kind(truth, server, collection):
    server.paths["/c/lu"] = lambda _: b"<html>Welcome</html>"
    assert truth(collection, code=1)[1].stderr == f"{collection} gives no JSON but '<html>Welcome</html>'\n"


def test_an_unknown_field_of_a_collection(truth, collection):
    assert "no field 'klass'; the features have kind" in truth(collection, code=1, field="klass")[1].stderr


def test_nothing_on_the_scene(truth, server, collection, make):
    server.paths["/c/lu/items"] = lambda _: make.collection([], crs=None)
    assert truth.classes(collection) == []


# --- WFS 2.0


def capabilities(crs, formats, version="2.0.0", types=("lu:landuse",)):
    """A capabilities document of the usual form."""
    values = "".join(f"<ows:Value>{form}</ows:Value>" for form in formats)
    layers = "".join(
        f"<FeatureType><Name>{name}</Name><DefaultCRS>{crs}</DefaultCRS><OtherCRS>EPSG:3857</OtherCRS></FeatureType>"
        for name in types
    )
    return (
        f'<wfs:WFS_Capabilities version="{version}" xmlns:wfs="http://www.opengis.net/wfs/2.0"'
        ' xmlns="http://www.opengis.net/wfs/2.0" xmlns:ows="http://www.opengis.net/ows/1.1"><ows:OperationsMetadata>'
        f'<ows:Operation name="GetFeature"><ows:Parameter name="outputFormat"><ows:AllowedValues>{values}'
        "</ows:AllowedValues></ows:Parameter></ows:Operation></ows:OperationsMetadata>"
        f"<FeatureTypeList>{layers}</FeatureTypeList></wfs:WFS_Capabilities>"
    )


def gml(features, matched, crs, *, north_first=False):
    """A GML 3.2 FeatureCollection."""
    members = ""
    step = -1 if north_first else 1
    for one in features:
        points = " ".join(" ".join(map(repr, point[::step])) for point in one["geometry"]["coordinates"][0])
        members += (
            f'<wfs:member><lu:landuse gml:id="{one["id"]}"><lu:kind>{one["properties"]["kind"]}</lu:kind><lu:geom>'
            f'<gml:Polygon gml:id="g.{one["id"]}" srsName="{crs}"><gml:exterior><gml:LinearRing><gml:posList>{points}'
            "</gml:posList></gml:LinearRing></gml:exterior></gml:Polygon></lu:geom></lu:landuse></wfs:member>"
        )
    return (
        f'<wfs:FeatureCollection numberMatched="{matched}" numberReturned="{len(features)}" '
        'xmlns:wfs="http://www.opengis.net/wfs/2.0" xmlns:gml="http://www.opengis.net/gml/3.2" '
        f'xmlns:lu="http://example.org/lu">{members}</wfs:FeatureCollection>'
    )


@pytest.fixture
def wfs(server, make, features):
    """Set up a WFS; returns its URL."""

    def start(
        crs="urn:ogc:def:crs:EPSG::32633", formats=("application/gml+xml; version=3.2", "application/json"), **how
    ):
        own = "EPSG:4326" if crs.endswith("4326") else "EPSG:32633"
        stored = [make.in_crs(one, own) for one in features] if own == "EPSG:4326" else features
        turned = own == "EPSG:4326" and crs.startswith("urn:")

        def answer(query):
            if query["request"] == "GetCapabilities":
                return capabilities(crs, formats, **how)
            assert (query["version"], query["srsname"], query["typenames"]) == ("2.0.0", crs, "lu:landuse")
            *numbers, box_crs = query["bbox"].split(",")
            assert box_crs == crs
            a, b, c, d = map(float, numbers)
            found = in_box(stored, (b, a, d, c) if turned else (a, b, c, d))
            start = int(query["startindex"])
            page = found[start : start + min(2, int(query["count"]))]
            if "json" in query.get("outputformat", ""):
                return {**make.collection(page, crs=crs), "numberMatched": len(found)}
            return gml(page, len(found), crs, north_first=turned)

        server.paths["/ows/wfs"] = answer
        return f"{server.url}/ows/wfs"

    return start


@pytest.mark.parametrize("crs", ["urn:ogc:def:crs:EPSG::32633", "urn:ogc:def:crs:EPSG::4326", "EPSG:4326"])
@pytest.mark.parametrize("formats", [["text/xml"], ["text/xml", "application/json"]])
def test_wfs_pages_in_each_format_and_axis_order(truth, server, wfs, crs, formats):
    assert truth.classes(wfs(crs, formats)) == EXPECTED
    assert [query.get("startindex") for query in server.queries] == [None, "0", "2", "4"]


def test_wfs_coordinates_in_the_scenes_crs_are_the_sources_own(truth, wfs, make):
    for formats in (["text/xml"], ["application/json"]):
        document, _ = truth(wfs(formats=formats))
        assert document["features"][-1]["geometry"]["coordinates"] == [make.ring(0, 100, 50)]


def test_a_query_that_was_made_one_word(truth, server, wfs):
    url = wfs(types=("lu:landuse", "lu:roads"))
    assert truth.classes(f"{url}%3Fmap=a/b.map%26typeNames=lu:landuse") == EXPECTED
    assert {query["map"] for query in server.queries} == {"a/b.map"}
    assert truth.classes(url, "--layer", "landuse") == EXPECTED


def test_a_feature_type_has_to_be_named_where_there_are_several(truth, wfs):
    url = wfs(types=("lu:landuse", "lu:roads"))
    message = f"{url}: name a feature type by typeNames= in the URL; it has lu:landuse, lu:roads\n"
    assert truth(url, code=1)[1].stderr == message
    assert "no feature type 'soil'" in truth(url, "--layer", "soil", code=1)[1].stderr


def test_an_exception_report_is_read(truth, server, wfs):
    url, code = wfs(), "InvalidParameterValue"
    report = (
        '<ows:ExceptionReport xmlns:ows="http://www.opengis.net/ows/1.1"><ows:Exception exceptionCode="{}">'
        "<ows:ExceptionText>no\n such box</ows:ExceptionText></ows:Exception></ows:ExceptionReport>"
    )
    answer = server.paths["/ows/wfs"]
    server.paths["/ows/wfs"] = lambda query: report.format(code) if query["request"] == "GetFeature" else answer(query)
    assert truth(url, code=1)[1].stderr == f"{url} refuses: InvalidParameterValue no such box\n"
    code = "ServerBusy"
    assert truth(url, code=75)[1].stderr == f"{url} refuses: ServerBusy no such box\n"


def test_an_old_wfs_is_refused(truth, wfs):
    assert "speaks WFS 1.1.0; 2.0 is needed" in truth(wfs(version="1.1.0"), code=1)[1].stderr


def test_a_wfs_that_does_not_page_gives_all_at_once(truth, server, wfs, make, features):
    url = wfs()
    answer = server.paths["/ows/wfs"]
    server.paths["/ows/wfs"] = lambda query: (
        make.collection(features[:5]) if query["request"] == "GetFeature" else answer(query)
    )
    assert truth.classes(url) == EXPECTED


def test_a_wfs_with_nothing_on_the_scene(truth, wfs):
    truth.extent(transform=[10, 0, 600_000, 0, -10, 5_600_000])
    for formats in (["text/xml"], ["application/json"]):
        assert truth.classes(wfs(formats=formats)) == []


# --- files on a web server


def test_a_file_on_a_web_server_or_in_an_archive_there(truth, server, make, features):
    content = json.dumps(make.collection(features[:1])).encode()
    server.paths["/archive/a/truth.geojson"] = lambda _: content
    digest = f"md5:{hashlib.md5(content).hexdigest()}:{len(content)}"
    assert truth.classes(f"{server.url}/archive/a/truth.geojson") == [(0, "0", "lu.0")]
    assert truth.classes("a/truth.geojson", "--digest", digest, archive=f"{server.url}/archive") == [(0, "0", "lu.0")]
    wrong = digest.replace("md5:", "md5:0")[:36] + digest[36:]
    assert (
        "of the catalogue"
        in truth("a/truth.geojson", "--digest", wrong, archive=f"{server.url}/archive", code=1)[1].stderr
    )
