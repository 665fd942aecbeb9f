"""HTTP headers to gRPC metadata and back."""

import base64
import binascii
import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address

from gateway.transcoding.failure import Malformed, Metadata
from gateway.transcoding.http_message import Request

REQUEST_ID = "x-request-id"

_PREFIX = "grpc-metadata-"
_LEGAL_KEY = re.compile(r"[0-9a-z_.\-]+")
_LEGAL_VALUE = re.compile(r"[\x20-\x7e]*")
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:/+=@\-]{1,128}")
# What a caller may never set through the prefix: it belongs to the connection, to gRPC, or to this gateway.
_NEVER = frozenset(
    {
        "authorization", "connection", "content-length", "content-type", "cookie", "host", "keep-alive",
        "proxy-authorization", "te", "trailer", "transfer-encoding", "upgrade", "user-agent",
        "x-forwarded-for", "x-forwarded-host", REQUEST_ID,
    }
)  # fmt: skip
_HIDDEN_FROM_CLIENTS = frozenset({"content-type", "date", "server"})
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class MetadataOptions:
    """Which headers cross the gateway."""

    forwarded: frozenset[str] = frozenset({"authorization", "traceparent", "tracestate"})
    """Request headers that become metadata under their own name."""
    reserved: frozenset[str] = frozenset()
    """Metadata keys that no header may set: those by which the services know who calls."""
    unprefixed: frozenset[str] = frozenset({REQUEST_ID})
    """Response metadata that become headers without `Grpc-Metadata-`."""


def request_id_of(headers: Iterable[tuple[bytes, bytes]], make: Callable[[], str]) -> str:
    """The caller's x-request-id where it is usable, else a new one."""
    for name, value in headers:
        if name == b"x-request-id":
            text = value.decode("latin-1")
            return text if _REQUEST_ID.fullmatch(text) else make()
    return make()


def to_metadata(request: Request, caller: Mapping[str, str], options: MetadataOptions) -> Metadata:
    """The metadata of a call: forwarded headers, then what identifies the caller.

    Malformed for a `Grpc-Metadata-*-bin` header that is not base64.
    """
    blocked = options.reserved | caller.keys()
    metadata: list[tuple[str, str | bytes]] = []
    for raw_name, raw_value in request.headers:
        name = raw_name.decode("latin-1")
        if name in options.forwarded and name not in blocked:
            metadata.extend(_text_entry(name, raw_value))
        elif name.startswith(_PREFIX):
            key = name.removeprefix(_PREFIX)
            if key not in blocked and key not in _NEVER and not key.startswith("grpc-"):
                metadata.extend(_entry(key, raw_value))
    metadata.extend(_forwarded_for(request))
    metadata.append((REQUEST_ID, request.request_id))
    metadata.extend(caller.items())
    return tuple(metadata)


def to_headers(
    initial: Metadata, trailing: Metadata, *, request: Request, options: MetadataOptions
) -> tuple[tuple[str, str], ...]:
    """Response metadata as headers; trailing metadata only for a request with `TE: trailers`."""
    headers = list(_prefixed("grpc-metadata-", initial, options.unprefixed))
    if any("trailers" in value.lower() for value in request.header_values("te")):
        headers.extend(_prefixed("grpc-trailer-", trailing, options.unprefixed))
    else:
        allowed = tuple((key, value) for key, value in trailing if key in options.unprefixed)
        headers.extend(_prefixed("", allowed, options.unprefixed))
    return tuple(headers)


def _text_entry(name: str, raw_value: bytes) -> Iterator[tuple[str, str | bytes]]:
    value = raw_value.decode("latin-1").strip(" \t")
    if not (_LEGAL_KEY.fullmatch(name) and _LEGAL_VALUE.fullmatch(value)):
        _log.info("header %s is not forwarded: its name or value is not legal gRPC metadata", ascii(name))
        return
    yield name, value


def _entry(key: str, raw_value: bytes) -> Iterator[tuple[str, str | bytes]]:
    if not key.endswith("-bin"):
        yield from _text_entry(key, raw_value)
        return
    if not _LEGAL_KEY.fullmatch(key):
        return
    text = raw_value.strip(b" \t")
    try:
        yield key, binascii.a2b_base64(text + b"=" * (-len(text) % 4), strict_mode=True) if text else b""
    except binascii.Error:
        raise Malformed("expected base64", field=f"{_PREFIX}{key}") from None


def _forwarded_for(request: Request) -> Iterator[tuple[str, str]]:
    hops = [value for value in request.header_values("x-forwarded-for") if _LEGAL_VALUE.fullmatch(value)]
    if request.client is not None and _is_address(request.client[0]):
        hops.append(request.client[0])
    if hops:
        yield "x-forwarded-for", ", ".join(hops)
    host = request.header("x-forwarded-host") or request.header("host")
    if host and _LEGAL_VALUE.fullmatch(host):
        yield "x-forwarded-host", host


@lru_cache(maxsize=1024)
def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _prefixed(prefix: str, metadata: Metadata, unprefixed: frozenset[str]) -> Iterator[tuple[str, str]]:
    for key, value in metadata:
        # The request's own id is echoed on every answer already.
        if key == REQUEST_ID or key in _HIDDEN_FROM_CLIENTS or key.startswith("grpc-"):
            continue
        text = base64.b64encode(value).decode("ascii") if isinstance(value, bytes) else value
        yield (key if key in unprefixed else prefix + key), text
