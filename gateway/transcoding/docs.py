"""An OpenAPI document and Swagger UI for it, served from the files of this package."""

import gzip
import hashlib
import html
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Final

from gateway.transcoding.asgi import AsgiApp, Receive, Scope, Send
from gateway.transcoding.exchange import Exchange
from gateway.transcoding.http_message import HttpResponse
from gateway.transcoding.json_value import JsonObject, dumps
from gateway.transcoding.status import JSON_TYPE

_HTML: Final = "text/html; charset=utf-8"
_SCRIPT: Final = "text/javascript; charset=utf-8"
_STYLE: Final = "text/css; charset=utf-8"
_ACCEPTS_GZIP: Final = re.compile(r"\s*(?:gzip|\*)\s*(?:;\s*q\s*=\s*(?P<q>[0-9.]+))?\s*", re.IGNORECASE)
# Nothing from elsewhere, and no script but the package's own; Swagger UI sets styles on its elements.
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="stylesheet" href="{base}/swagger-ui.css">
<link rel="icon" type="image/png" href="{base}/favicon.png">
</head>
<body>
<div id="swagger-ui"></div>
<script src="{base}/swagger-ui-bundle.js"></script>
<script src="{base}/start.js"></script>
</body>
</html>
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Documented:
    """One document, and the path that serves it."""

    name: str
    """As readers choose it in Swagger UI."""
    path: str
    document: JsonObject


def docs_mounts(title: str, documents: tuple[Documented, ...], *, path: str = "/docs") -> dict[str, AsgiApp]:
    """Applications by exact path for `Transcoder(mounts=...)`: every document, and one Swagger UI for all."""
    folder = files("gateway.transcoding") / "swagger_ui"

    def packed(name: str, content_type: str) -> AsgiApp:
        content = (folder / f"{name}.gz").read_bytes()
        return StaticFile(gzip.decompress(content), content_type, packed=content)

    mounts: dict[str, AsgiApp] = {
        path: docs_page(title, path=path),
        f"{path}/start.js": StaticFile(_start_script(documents), _SCRIPT),
        f"{path}/swagger-ui-bundle.js": packed("swagger-ui-bundle.js", _SCRIPT),
        f"{path}/swagger-ui.css": packed("swagger-ui.css", _STYLE),
        f"{path}/favicon.png": StaticFile((folder / "favicon-32x32.png").read_bytes(), "image/png"),
    }
    for documented in documents:
        mounts[documented.path] = StaticFile(dumps(documented.document), JSON_TYPE)
    return mounts


def docs_page(title: str, *, path: str = "/docs") -> AsgiApp:
    """Swagger UI's page alone, for a server that shows the same documents under several titles."""
    page = _PAGE.format(title=html.escape(title), base=html.escape(path))
    return StaticFile(page.encode(), _HTML, {"content-security-policy": _POLICY})


class StaticFile:
    """An ASGI application of one file, compressed once; answers GET and HEAD, and 304 to who has it.

    `packed` is the same content as gzip, where that is at hand.
    """

    def __init__(
        self,
        content: bytes,
        content_type: str,
        headers: Mapping[str, str] | None = None,
        *,
        packed: bytes | None = None,
    ) -> None:
        self._plain = content
        self._packed = packed if packed is not None else gzip.compress(content, mtime=0)
        self._etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
        self._headers = (
            ("content-type", content_type),
            ("etag", self._etag),
            ("cache-control", "no-cache"),
            ("vary", "accept-encoding"),
            ("x-content-type-options", "nosniff"),
            *(headers or {}).items(),
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        del receive
        await Exchange(send, is_head=scope["method"] == "HEAD").respond(self._answer(scope))

    def _answer(self, scope: Scope) -> HttpResponse:
        if scope["method"] not in ("GET", "HEAD"):
            return HttpResponse(status=405, headers=(("allow", "GET, HEAD"),))
        known = {tag.strip().removeprefix("W/") for tag in _header(scope, b"if-none-match").split(",")}
        if self._etag in known or "*" in known:
            return HttpResponse(status=304, headers=self._headers)
        if any(_takes_gzip(coding) for coding in _header(scope, b"accept-encoding").split(",")):
            headers = (*self._headers, ("content-encoding", "gzip"))
            return HttpResponse(status=200, headers=headers, body=self._packed)
        return HttpResponse(status=200, headers=self._headers, body=self._plain)


def _start_script(documents: tuple[Documented, ...]) -> bytes:
    urls = dumps([{"name": documented.name, "url": documented.path} for documented in documents])
    first = dumps(documents[0].path) if documents else b'""'
    # The bundle alone has no bar to choose a document with: a list of links does that.
    return (
        b"const documents = " + urls + b";\n"
        b"const wanted = new URLSearchParams(location.search).get('document');\n"
        b"const chosen = documents.find((each) => each.name === wanted);\n"
        b"if (documents.length > 1) {\n"
        b"  const bar = document.createElement('nav');\n"
        b"  for (const each of documents) {\n"
        b"    const link = document.createElement('a');\n"
        b"    link.href = `?document=${encodeURIComponent(each.name)}`;\n"
        b"    link.textContent = each.name;\n"
        b"    link.style.margin = '1em';\n"
        b"    bar.append(link);\n"
        b"  }\n"
        b"  document.body.prepend(bar);\n"
        b"}\n"
        b"SwaggerUIBundle({url: chosen ? chosen.url : " + first + b", dom_id: '#swagger-ui', "
        b"deepLinking: true, validatorUrl: null});\n"
    )


def _header(scope: Scope, wanted: bytes) -> str:
    return ",".join(bytes(value).decode("latin-1") for name, value in scope["headers"] if name == wanted)


def _takes_gzip(coding: str) -> bool:
    match = _ACCEPTS_GZIP.fullmatch(coding)
    return match is not None and (match["q"] or "1").strip("0.") != ""
