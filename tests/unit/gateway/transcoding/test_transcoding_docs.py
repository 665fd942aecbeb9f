"""Swagger UI and the documents it shows, from the files of the package."""

import gzip
import hashlib
import re
from importlib.resources import files

import pytest

from gateway.transcoding.docs import Documented, docs_mounts
from unit.gateway.transcoding.everything_api import AsgiClient
from unit.gateway.transcoding.servicer import transcoder

DOCUMENTS = (
    Documented(name="first <b>", path="/openapi.json", document={"openapi": "3.1.0", "info": {"title": "1"}}),
    Documented(name="second", path="/second.json", document={"openapi": "3.1.0", "info": {"title": "2"}}),
)
client = AsgiClient(transcoder(mounts=docs_mounts("A & B", DOCUMENTS)))


async def test_the_page_loads_nothing_from_elsewhere() -> None:
    page = await client.get("/docs")
    text = page.body.decode()

    assert page.header("content-type") == "text/html; charset=utf-8"
    assert "<title>A &amp; B</title>" in text
    assert "//" not in re.sub(r"<!doctype[^>]*>", "", text)
    assert "default-src 'none'" in (page.header("content-security-policy") or "")


async def test_every_file_that_the_page_names_is_served() -> None:
    page = (await client.get("/docs")).body.decode()
    names = re.findall(r'(?:src|href)="([^"]+)"', page)

    assert len(names) == 4
    for name in names:
        answer = await client.get(name)
        assert answer.status == 200
        assert len(answer.body) > 500


async def test_every_document_is_served_and_offered() -> None:
    assert (await client.get("/second.json")).json()["info"] == {"title": "2"}
    script = (await client.get("/docs/start.js")).body.decode()

    assert '[{"name":"first <b>","url":"/openapi.json"},{"name":"second","url":"/second.json"}]' in script


@pytest.mark.parametrize(
    ("accepts", "packed"),
    [
        pytest.param("gzip", True, id="gzip"),
        pytest.param("br, gzip;q=0.5", True, id="among-others"),
        pytest.param("*", True, id="any"),
        pytest.param("gzip;q=0", False, id="refused"),
        pytest.param("br", False, id="another"),
        pytest.param("", False, id="none"),
    ],
)
async def test_a_file_is_compressed_for_who_takes_it(accepts: str, packed: bool) -> None:
    answer = await client.get("/docs/swagger-ui.css", {"accept-encoding": accepts})

    assert answer.header("content-encoding") == ("gzip" if packed else None)
    assert answer.header("content-length") == str(len(answer.body))
    plain = gzip.decompress(answer.body) if packed else answer.body
    assert plain == (await client.get("/docs/swagger-ui.css")).body


async def test_who_has_a_file_is_told_so() -> None:
    etag = (await client.get("/openapi.json")).header("etag") or ""
    again = await client.get("/openapi.json", {"if-none-match": f'"other", W/{etag}'})
    changed = await client.get("/openapi.json", {"if-none-match": '"other"'})

    assert (again.status, again.body, again.header("content-length")) == (304, b"", None)
    assert changed.status == 200


async def test_other_methods_are_told_which_there_are() -> None:
    assert (await client.request("HEAD", "/docs")).body == b""
    refused = await client.request("POST", "/docs")

    assert (refused.status, refused.header("allow")) == (405, "GET, HEAD")


def test_the_files_are_those_that_the_readme_names_with_their_licence() -> None:
    folder = files("gateway.transcoding") / "swagger_ui"
    named = re.findall(
        r"^\| (\S+\.\w+) \| ([0-9a-f]{64}) \|$", (folder / "README.md").read_text(), re.MULTILINE
    )

    assert len(named) == 2
    for name, digest in named:
        assert hashlib.sha256(gzip.decompress((folder / f"{name}.gz").read_bytes())).hexdigest() == digest
    assert "SmartBear" in (folder / "NOTICE").read_text()
    assert "Apache License" in (folder / "LICENSE").read_text()
