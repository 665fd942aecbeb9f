"""Which browser pages may call: the former service's CORS answers; pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from gateway.transcoding.http_message import HttpResponse

ANY: Final = "*"
METHODS: Final = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")
MAX_AGE_SECONDS: Final = 600

_CREDENTIALS: Final = ("access-control-allow-credentials", "true")
_VARY: Final = ("vary", "Origin")
_TEXT: Final = ("content-type", "text/plain; charset=utf-8")


@dataclass(frozen=True, slots=True, kw_only=True)
class Preflight:
    """What a browser asks before it sends a request."""

    origin: str
    method: str
    headers: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cors:
    """The origins that may call, with credentials, by every method and with every header."""

    origins: frozenset[str]

    @property
    def allows_any(self) -> bool:
        """Whether every page of the web may call."""
        return ANY in self.origins

    def named_only(self) -> "Cors":
        """The same without "every page": for paths where that was never promised to anyone."""
        return Cors(origins=self.origins - {ANY})

    def answer(self, preflight: Preflight) -> HttpResponse:
        """200 where the request may follow, 400 naming what is not allowed."""
        refused = [
            what
            for what, allowed in (
                ("origin", self._allows(preflight.origin)),
                ("method", preflight.method in METHODS),
            )
            if not allowed
        ]
        headers = [
            _VARY,
            ("access-control-allow-methods", ", ".join(METHODS)),
            ("access-control-max-age", str(MAX_AGE_SECONDS)),
            _CREDENTIALS,
        ]
        if self._allows(preflight.origin):
            headers.append(("access-control-allow-origin", preflight.origin))
        if preflight.headers is not None:
            headers.append(("access-control-allow-headers", preflight.headers))
        text = f"Disallowed CORS {', '.join(refused)}" if refused else "OK"
        return HttpResponse(status=400 if refused else 200, headers=(*headers, _TEXT), body=text.encode())

    def headers_for(self, origin: str | None, *, has_cookie: bool) -> Iterable[tuple[str, str]]:
        """What the answer to a simple request carries; nothing for one that is not a browser's."""
        if origin is None:
            return ()
        if self.allows_any and not has_cookie:
            return (("access-control-allow-origin", ANY), _CREDENTIALS)
        if self._allows(origin):
            return (("access-control-allow-origin", origin), _CREDENTIALS, _VARY)
        return (_CREDENTIALS,)

    def _allows(self, origin: str) -> bool:
        return self.allows_any or origin in self.origins
