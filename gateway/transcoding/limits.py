"""What a request's head must look like before anybody reads more of it."""

import re
from dataclasses import dataclass

from gateway.transcoding.asgi import Scope
from gateway.transcoding.failure import Refused
from gateway.transcoding.http_message import Request

LIFT_BODY_TIMER = "transcoding.lift_body_timer"
"""The ASGI extension by which a server lets an application say that a request's body may take its time."""

_HOST = re.compile(r"(?:[A-Za-z0-9\-._~%!$&'()*+,;=]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")
_HTTP_VERSIONS = frozenset({"1.0", "1.1", "2", "3"})
_CLOSE = (("connection", "close"),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Sizes that a request may have."""

    max_body_bytes: int = 4 * 1024 * 1024
    """One body, or one message of a client stream; raise the channels' limits to match."""
    max_headers: int = 100
    max_header_bytes: int = 32 * 1024
    """Names and values of all headers together."""
    max_path_bytes: int = 8 * 1024
    """Path and query string together."""


def check_head(request: Request, scope: Scope, limits: Limits) -> None:
    """Refuse a request whose head is too large or breaks HTTP/1.1."""
    size = sum(len(name) + len(value) for name, value in request.headers)
    if len(request.headers) > limits.max_headers or size > limits.max_header_bytes:
        raise Refused(431, "the request's headers are too large or too many", headers=_CLOSE)
    if len(request.raw_path) + len(request.query_string) > limits.max_path_bytes:
        raise Refused(414, "the request's path and query are too long", headers=_CLOSE)
    version = scope.get("http_version", "1.1")
    if version not in _HTTP_VERSIONS:
        raise Refused(400, "this HTTP version is not spoken here", headers=_CLOSE)
    _check_host(request, version)
    expect = request.header("expect")
    if expect is not None and expect.lower() != "100-continue":
        raise Refused(417, "the only expectation that can be met is 100-continue", headers=_CLOSE)


def _check_host(request: Request, version: str) -> None:
    hosts = request.header_values("host")
    if not hosts and version == "1.0":
        return
    if len(hosts) != 1 or _HOST.fullmatch(hosts[0]) is None:
        raise Refused(400, "expected one valid Host header", headers=_CLOSE)
