"""Everything that describes the two surfaces to people and to their tools, built once."""

from collections.abc import Sequence
from importlib.resources import files
from typing import Final

from google.protobuf.descriptor_pb2 import FileDescriptorSet

from gateway import v1_document
from gateway.legacy import document as legacy_document
from gateway.legacy.health import SERVICE_NAME
from gateway.pages import Page, page_for_all
from gateway.route_list import route_list_page
from gateway.surface import is_v1
from gateway.transcoding.docs import Documented, docs_mounts, docs_page
from gateway.transcoding.http_rule import Route
from gateway.transcoding.proto_comments import Comments, comments_of

DOCS: Final = "/docs"
REDOC: Final = "/redoc"


def documentation_pages(routes: Sequence[Route]) -> dict[str, Page]:
    """Every page by path.

    `/openapi.json` describes /v1 and `/openapi-legacy.json` the routes under /api/v1; `/docs`
    shows both, and `/redoc` lists the routes for readers without scripts.
    """
    documents = openapi_documents(routes)
    mounts = docs_mounts(f"{SERVICE_NAME} - Internal", documents, path=DOCS)
    read = {DOCS, *(each.path for each in documents)}
    pages = {path: page_for_all(app, is_file=path not in read) for path, app in mounts.items()}
    outside = docs_page(f"{SERVICE_NAME} - External", path=DOCS)
    return pages | {
        DOCS: Page(inside=mounts[DOCS], outside=outside),
        REDOC: route_list_page(routes, documents),
    }


def openapi_documents(routes: Sequence[Route]) -> tuple[Documented, Documented]:
    """The document of /v1 and that of the legacy surface."""
    comments = _comments()
    v1 = [route for route in routes if is_v1(route.template.text)]
    legacy = [route for route in routes if not is_v1(route.template.text)]
    return (
        Documented(name="/v1", path=v1_document.PATH, document=v1_document.v1_document(v1, comments)),
        Documented(
            name="/api/v1",
            path=legacy_document.PATH,
            document=legacy_document.legacy_document(legacy, comments),
        ),
    )


def _comments() -> Comments:
    descriptors = files("opitios") / "descriptors.binpb"
    return comments_of(FileDescriptorSet.FromString(descriptors.read_bytes()))
