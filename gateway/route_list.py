"""A page that lists what is served, in plain HTML without scripts: /redoc."""

from collections.abc import Iterable
from html import escape
from typing import Final

from gateway.legacy.health import SERVICE_NAME
from gateway.pages import Page
from gateway.surface import is_v1
from gateway.transcoding.docs import Documented, StaticFile
from gateway.transcoding.http_rule import Route

_HTML: Final = "text/html; charset=utf-8"
_POLICY: Final = {"content-security-policy": "default-src 'none'; style-src 'unsafe-inline'"}
_STYLE: Final = "body{font-family:sans-serif;margin:2rem}td{padding:.1rem 1rem .1rem 0}"


def route_list_page(routes: Iterable[Route], documents: Iterable[Documented]) -> Page:
    """The page, with links to the documents; its title ends with the caller's class, as the former one did."""
    known = sorted(routes, key=lambda route: (route.template.text, route.http_method))
    links = "".join(f'<li><a href="{escape(each.path)}">{escape(each.name)}</a></li>' for each in documents)
    tables = "".join(
        f"<h2>{title}</h2><table>{_rows(part)}</table>"
        for title, part in (
            ("/v1", [route for route in known if is_v1(route.template.text)]),
            ("/api/v1", [route for route in known if not is_v1(route.template.text)]),
        )
    )
    content = f"<ul>{links}</ul>{tables}"
    inside, outside = (
        StaticFile(_document(f"{SERVICE_NAME} - {kind}", content), _HTML, _POLICY)
        for kind in ("Internal", "External")
    )
    return Page(inside=inside, outside=outside)


def _rows(routes: Iterable[Route]) -> str:
    return "".join(
        f"<tr><td>{escape(route.http_method)}</td><td><code>{escape(route.template.text)}</code></td>"
        f"<td>{escape(route.rpc.full_name)}</td></tr>"
        for route in routes
    )


def _document(title: str, content: str) -> bytes:
    head = f'<meta charset="utf-8"><title>{escape(title)}</title><style>{_STYLE}</style>'
    return f"<!doctype html><html><head>{head}</head><body><h1>{escape(title)}</h1>{content}</body></html>".encode()
