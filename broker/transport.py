"""HTTP to Alpaca on the event loop: one pool for all accounts, one send, and a deadline for the whole."""

# ruff: noqa: ASYNC109 - a time limit is a value here: it spans several steps, and is part of the port

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import SimpleNamespace, TracebackType
from typing import Self
from urllib.parse import urlencode

import aiohttp
from yarl import URL

from broker.raw_answer import CallError, CallRecord, FailureKind, RawAnswer
from runtime.clock import SYSTEM_CLOCK, Clock

__all__ = ["AsyncTransport", "HttpRequest", "TransportLimits"]

REQUEST_ID_HEADER = "X-Request-ID"


@dataclass(frozen=True, slots=True, kw_only=True)
class TransportLimits:
    """What a transport takes at most."""

    connections: int = 256
    """Open at once, over all accounts of the process."""
    connect_seconds: float = 3.0
    """For a free connection, the name, TCP and TLS together."""
    keepalive_seconds: float = 15.0
    """How long an idle connection is kept: well below what load balancers allow, so that an order rarely
    meets a connection that the other side has just closed."""
    answer_bytes: int = 16 * 1024 * 1024
    """Of one body, after decompression. 500 orders are about 0.6 MB."""

    def __post_init__(self) -> None:
        for name in ("connections", "connect_seconds", "keepalive_seconds", "answer_bytes"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} is {getattr(self, name)}, not above 0")


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRequest:
    """One request as alpaca-py builds it."""

    method: str
    url: str
    headers: Mapping[str, str] = field(repr=False)
    """With the account's keys, hence not shown."""
    query: Mapping[str, object] | None = None
    """`None` values are left out, as `requests` does."""
    json: object = None


class AsyncTransport:
    """Sends requests over connections that all accounts of the process share.

    Open it with `async with`. It never follows a redirect, never reads proxy settings or .netrc, keeps no
    cookies, and sends each request once. One exception is aiohttp's, and stays: when a kept connection
    turns out dead, a GET or DELETE goes out again on a fresh one (RFC 9110, 9.2.2); a POST never does.
    """

    def __init__(self, *, limits: TransportLimits | None = None, clock: Clock = SYSTEM_CLOCK) -> None:
        self._limits = limits or TransportLimits()
        self._clock = clock
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        """Opens the pool; connections come with the first calls."""
        if self._session is not None:
            raise RuntimeError("the transport is already open")
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=self._limits.connections,
                keepalive_timeout=self._limits.keepalive_seconds,
            ),
            # The accounts share the pool; a cookie of one must not reach the broker with another's keys.
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, connect=self._limits.connect_seconds),
            trust_env=False,
            trace_configs=[_trace()],
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes every connection; calls under way fail."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def send(self, request: HttpRequest, *, timeout: float) -> RawAnswer:
        """The whole answer to one request, whatever its status.

        Raises CallError, which says whether the request may have left us. Cancelling drops the
        connection; a cancelled POST may have been carried out.
        """
        call = _Call(started_at=self._clock.now(), started=self._clock.monotonic())
        try:
            async with asyncio.timeout(timeout):
                return await self._exchange(request, call)
        except TimeoutError as e:
            kind = (
                FailureKind.CONNECT if isinstance(e, aiohttp.ConnectionTimeoutError) else FailureKind.DEADLINE
            )
            limit = self._limits.connect_seconds if kind is FailureKind.CONNECT else timeout
            raise self._failed(call, kind, f"nothing within {limit:g} s") from None
        except _TooLargeError:
            raise self._failed(
                call, FailureKind.TOO_LARGE, f"over {self._limits.answer_bytes} bytes"
            ) from None
        # aiohttp's response errors carry the request's headers, keys included: name the kind, drop the rest.
        except aiohttp.ClientResponseError as e:
            raise self._failed(call, FailureKind.NOT_HTTP, type(e).__name__) from None
        except (aiohttp.ClientError, OSError) as e:
            kind = FailureKind.LOST if call.request_written else FailureKind.CONNECT
            raise self._failed(call, kind, f"{type(e).__name__}: {e}") from None

    async def _exchange(self, request: HttpRequest, call: "_Call") -> RawAnswer:
        if self._session is None:
            raise RuntimeError("the transport is not open")
        async with self._session.request(
            request.method,
            _url(request),
            headers={**request.headers, **_body_headers(request)},
            data=None if request.json is None else _body(request.json),
            allow_redirects=False,
            trace_request_ctx=call,
        ) as response:
            body = await self._read(response)
            return RawAnswer(
                status=response.status,
                headers=response.headers,
                body=body,
                record=CallRecord(
                    started_at=call.started_at,
                    started=call.started,
                    finished=self._clock.monotonic(),
                    http_status=response.status,
                    x_request_id=response.headers.get(REQUEST_ID_HEADER),
                ),
            )

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        body = bytearray()
        async for chunk in response.content.iter_any():
            body += chunk
            if len(body) > self._limits.answer_bytes:
                raise _TooLargeError
        return bytes(body)

    def _failed(self, call: "_Call", kind: FailureKind, text: str) -> CallError:
        record = CallRecord(
            started_at=call.started_at, started=call.started, finished=self._clock.monotonic()
        )
        return CallError(kind, text, request_written=call.request_written, record=record)


class _TooLargeError(Exception):
    pass


@dataclass(slots=True, kw_only=True)
class _Call:
    """What is known of a call while it runs."""

    started_at: datetime
    started: float
    request_written: bool = False


def _trace() -> aiohttp.TraceConfig:
    """Tells each call when its request starts to leave.

    aiohttp fires this once it has a connection and before it hands the first byte to the socket, so
    a call that fails without it was never seen by the broker.
    """

    async def mark(
        _session: aiohttp.ClientSession,
        context: SimpleNamespace,
        _params: aiohttp.TraceRequestHeadersSentParams,
    ) -> None:
        context.trace_request_ctx.request_written = True

    trace = aiohttp.TraceConfig()
    trace.on_request_headers_sent.append(mark)
    return trace


def _url(request: HttpRequest) -> URL:
    pairs = [(name, _query_text(value)) for name, value in (request.query or {}).items() if value is not None]
    query = f"?{urlencode(pairs)}" if pairs else ""
    return URL(f"{request.url}{query}", encoded=True)


def _query_text(value: object) -> str:
    if isinstance(value, str):
        return str.__str__(value)  # also for alpaca-py's enums, which are strings
    if isinstance(value, Sequence):
        return ",".join(_query_text(one) for one in value)
    return str(value)


def _body(value: object) -> bytes:
    return json.dumps(value, allow_nan=False, separators=(",", ":")).encode()


def _body_headers(request: HttpRequest) -> dict[str, str]:
    return {} if request.json is None else {"Content-Type": "application/json"}
