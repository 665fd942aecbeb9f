"""Lets requests in or turns them away, by the rules of the surface that they are for."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl

from gateway.auth.access import PathClass, enter, path_class
from gateway.auth.callers import Caller, client_address
from gateway.auth.token import INVALID, MISSING, TokenRefused, TokenVerifier, bearer_token
from gateway.legacy.problem import METHOD_NOT_ALLOWED, legacy_problem
from gateway.legacy.rate_limit import SlidingWindow, limit_key
from gateway.surface import is_v1
from gateway.transcoding.code import Code
from gateway.transcoding.failure import HttpProblem
from gateway.transcoding.http_message import Request
from gateway.transcoding.json_value import JsonValue
from gateway.transcoding.profile import Match
from gateway.visit import Visit, current_visit
from runtime.context import request_id
from runtime.network import Address, Network, is_inside

CALLER_KEY: Final = "x-opitios-caller"
IDEMPOTENCY_KEY: Final = "idempotency-key"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustedNetworks:
    """Which addresses mean something."""

    internal: tuple[Network, ...]
    """Callers of /v1 that need no token."""
    legacy_internal: tuple[Network, ...]
    """Callers of the legacy surface that need no token."""
    proxies: tuple[Network, ...]
    """Peers whose X-Forwarded-For counts."""


class Gatekeeper:
    """The transcoder's authorisation hook; fills in the current visit."""

    def __init__(self, *, tokens: TokenVerifier, networks: TrustedNetworks, limits: SlidingWindow) -> None:
        self._tokens = tokens
        self._networks = networks
        self._limits = limits

    async def __call__(self, request: Request, match: Match | None) -> Mapping[str, str]:
        """The metadata that names the caller to the services; raises HttpProblem to turn it away."""
        request_id.set(request.request_id)
        visit = current_visit()
        visit.idempotency_key = request.header(IDEMPOTENCY_KEY) or ""
        visit.authorization = _authorization(request)
        address = self._address(request)
        visit.client_ip = "" if address is None else str(address)
        visit.is_trusted = address is not None and is_inside(address, self._networks.internal)
        if is_v1(request.raw_path):
            visit.caller = self._enter_v1(request, visit)
        else:
            visit.caller = self._enter_legacy(request, visit)
            _refuse_head(request, match)
        return {CALLER_KEY: visit.caller.as_metadata}

    def _enter_v1(self, request: Request, visit: Visit) -> Caller:
        internal = visit.is_trusted
        if internal and not request.header_values("authorization"):
            return _without_token(request)
        token = bearer_token(_authorization(request), any_case=True)
        if token is None:
            raise _unauthenticated(MISSING)
        try:
            return Caller(internal=internal, claims=self._tokens.verify(token))
        except TokenRefused as refused:
            raise _unauthenticated(str(refused)) from None

    def _enter_legacy(self, request: Request, visit: Visit) -> Caller:
        kind = path_class(request.method, request.raw_path)
        entry = enter(
            kind,
            authorization=_authorization(request),
            internal=self._is_inside(request, self._networks.legacy_internal),
            tokens=self._tokens,
        )
        if kind is not PathClass.JWT:
            visit.is_timed = True
        if entry.refusal is not None:
            raise legacy_problem(401, entry.refusal)
        if kind is PathClass.JWT:
            self._take_budget(request, entry.caller, visit)
            visit.is_timed = True
        return entry.caller

    def _take_budget(self, request: Request, caller: Caller, visit: Visit) -> None:
        account_id = dict(parse_qsl(request.query_string)).get("account_id")
        key = limit_key(user_id=caller.user_id, path=request.raw_path, account_id=account_id)
        admission = self._limits.admit(key, request.raw_path)
        visit.headers.extend(admission.headers)
        if not admission.allowed:
            raise HttpProblem(429, {**admission.problem})

    def _is_inside(self, request: Request, networks: tuple[Network, ...]) -> bool:
        address = self._address(request)
        return address is not None and is_inside(address, networks)

    def _address(self, request: Request) -> Address | None:
        peer = None if request.client is None else request.client[0]
        return client_address(peer, request.header_values("x-forwarded-for"), self._networks.proxies)


def _without_token(request: Request) -> Caller:
    """An internal caller of /v1: its network vouches for programs, not for pages that a browser there has open."""
    if request.header("origin") is not None:
        raise _unauthenticated(MISSING)
    return Caller(internal=True)


def _authorization(request: Request) -> str | None:
    """The one Authorization header; of several nobody can say which one counts."""
    values = request.header_values("authorization")
    return values[0] if len(values) == 1 else None


def _unauthenticated(message: str) -> HttpProblem:
    body: JsonValue = {
        "code": int(Code.UNAUTHENTICATED),
        "message": message,
        "details": [
            {
                "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                "reason": "TOKEN_INVALID" if message == INVALID else "UNAUTHENTICATED",
                "domain": "opitios",
                "metadata": {},
            }
        ],
    }
    return HttpProblem(401, body, {"www-authenticate": "Bearer"})


def _refuse_head(request: Request, match: Match | None) -> None:
    if request.method == "HEAD" and match is not None:
        raise legacy_problem(405, METHOD_NOT_ALLOWED, {"allow": match.route.http_method})
