"""Documents for people and their browsers: each under one exact path, open to everyone."""

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.auth.callers import client_address
from gateway.legacy.problem import METHOD_NOT_ALLOWED
from gateway.transcoding.asgi import AsgiApp, Receive, Scope, Send
from gateway.transcoding.exchange import Exchange
from gateway.transcoding.http_message import HttpResponse
from gateway.transcoding.json_value import dumps
from gateway.visit import current_visit
from runtime.network import Network, is_inside


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One document, which may look otherwise to callers from outside."""

    inside: AsgiApp
    """Answers GET to callers of an internal network."""
    outside: AsgiApp
    is_file: bool = False
    """Whether HEAD is answered too, as for static files."""


def page_for_all(app: AsgiApp, *, is_file: bool = False) -> Page:
    """A document that is the same for everyone."""
    return Page(inside=app, outside=app, is_file=is_file)


@dataclass(frozen=True, slots=True, kw_only=True)
class InternalNetworks:
    """Whose callers count as internal, and whose word about a caller's address counts."""

    internal: tuple[Network, ...]
    proxies: tuple[Network, ...]

    def holds(self, scope: Scope) -> bool:
        """Whether a request comes from inside."""
        client = scope.get("client")
        forwarded = [
            value.decode("latin-1") for name, value in scope["headers"] if name == b"x-forwarded-for"
        ]
        address = client_address(client[0] if client else None, forwarded, self.proxies)
        return address is not None and is_inside(address, self.internal)


class Pages:
    """An ASGI application around another, which serves whatever is no page."""

    def __init__(self, app: AsgiApp, *, pages: Mapping[str, Page], networks: InternalNetworks) -> None:
        self._app = app
        self._pages = dict(pages)
        self._networks = networks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        page = self._pages.get(scope["path"]) if scope["type"] == "http" else None
        if page is None:
            await self._app(scope, receive, send)
            return
        current_visit().is_timed = True
        allowed = ("GET", "HEAD") if page.is_file else ("GET",)
        if scope["method"] not in allowed:
            await Exchange(send, is_head=False).respond(_not_allowed(allowed))
            return
        shown = page.inside if self._networks.holds(scope) else page.outside
        await shown(scope, receive, send)


def _not_allowed(allowed: tuple[str, ...]) -> HttpResponse:
    headers = (("content-type", "application/json"), ("allow", ", ".join(allowed)))
    return HttpResponse(status=405, headers=headers, body=dumps({"detail": METHOD_NOT_ALLOWED}))
