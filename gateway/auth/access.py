"""Who may reach which path of the legacy surface; pure. What a caller may do there is decided further in."""

import enum
import re
from dataclasses import dataclass
from typing import Final

from gateway.auth.callers import Caller
from gateway.auth.token import MISSING, Claims, TokenRefused, TokenVerifier, bearer_token

ROUTE_REFUSAL: Final = "Invalid or missing JWT token"


class PathClass(enum.Enum):
    """What a path asks of callers from outside."""

    PUBLIC = enum.auto()
    """Nothing."""
    ROUTE = enum.auto()
    """A token, asked for by the route itself: scheme in any case, one text for every refusal, no rate limit."""
    JWT = enum.auto()
    """A token, asked for before the path is even looked up."""


_PUBLIC_PATHS: Final = frozenset(
    {
        "/",
        "/docs",
        "/redoc",
        "/openapi.json",
        "/health",
        "/healthz",
        "/livez",
        "/favicon.ico",
        "/api/v1/test-connection",
        "/api/v1/auth/verify-token",
        "/api/v1/auth/admin-token",
    }
)
_PUBLIC_PREFIXES: Final = ("/static/", "/api/v1/health")
_PUBLIC_QUOTE: Final = re.compile(r"/api/v1/stocks/[^/]+/quote")
_ROUTE_PATHS: Final = frozenset({"/api/v1/account", "/api/v1/positions"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """The caller of a legacy request and whether it may come in."""

    caller: Caller
    refusal: str | None = None
    """What a 401 says; `None` for one who may come in."""


def path_class(method: str, raw_path: str) -> PathClass:
    """The class of a path as it was sent, before any decoding; whatever is not listed asks for a token."""
    if raw_path in _PUBLIC_PATHS or raw_path.startswith(_PUBLIC_PREFIXES):
        return PathClass.PUBLIC
    if method == "GET" and _PUBLIC_QUOTE.fullmatch(raw_path):
        return PathClass.PUBLIC
    return PathClass.ROUTE if raw_path in _ROUTE_PATHS else PathClass.JWT


def enter(kind: PathClass, *, authorization: str | None, internal: bool, tokens: TokenVerifier) -> Entry:
    """Lets a legacy caller in or says why not.

    An internal caller always comes in: its token counts if it is valid and is ignored if not.
    """
    claims, refusal = _claims_or_refusal(
        bearer_token(authorization, any_case=kind is PathClass.ROUTE), tokens
    )
    caller = Caller(internal=internal, claims=claims)
    if claims is not None or internal or kind is PathClass.PUBLIC:
        return Entry(caller=caller)
    return Entry(caller=caller, refusal=ROUTE_REFUSAL if kind is PathClass.ROUTE else refusal)


def _claims_or_refusal(token: str | None, tokens: TokenVerifier) -> tuple[Claims | None, str]:
    if token is None:
        return None, MISSING
    try:
        return tokens.verify(token), ""
    except TokenRefused as refused:
        return None, str(refused)
