"""One route at work: reads the request, calls the method, writes the answer."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from gateway.transcoding import body as bodies
from gateway.transcoding.asgi import Receive
from gateway.transcoding.deadline import TimeoutOptions, timeout_of
from gateway.transcoding.decode import Decoder
from gateway.transcoding.disconnect import Watch, cancelled_on_disconnect
from gateway.transcoding.encode import Encoder
from gateway.transcoding.exchange import Exchange
from gateway.transcoding.failure import Failure, Metadata, RpcFailure
from gateway.transcoding.http_message import Headers, HttpResponse, Request
from gateway.transcoding.http_rule import Route
from gateway.transcoding.limits import Limits
from gateway.transcoding.message_types import Types
from gateway.transcoding.metadata import MetadataOptions, to_headers, to_metadata
from gateway.transcoding.profile import Match, Profile
from gateway.transcoding.query import QueryNames, parse_pairs
from gateway.transcoding.request_reader import RequestReader
from gateway.transcoding.request_stream import RequestStream, single
from gateway.transcoding.response_writer import ResponseWriter
from gateway.transcoding.rpc import Backend, StreamAnswer
from gateway.transcoding.status import StatusPrinter
from gateway.transcoding.stream import StreamWriter
from gateway.transcoding.stream_format import format_for


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Options of the whole application."""

    limits: Limits = field(default_factory=Limits)
    metadata: MetadataOptions = field(default_factory=MetadataOptions)
    timeouts: TimeoutOptions = field(default_factory=TimeoutOptions)
    heartbeat_s: float = 15.0
    """How long a stream may be idle before something is written to keep it open."""


class ServiceTools:
    """What the routes of one service share: its profile, compiled for its messages."""

    def __init__(self, types: Types, profile: Profile) -> None:
        self.profile = profile
        self.decoder = Decoder(types, strict=profile.strict_body)
        self.encoder = Encoder(types, profile.json)
        self.names = QueryNames(self.decoder)
        self.status = StatusPrinter(self.encoder, profile.json)


class Endpoint:
    """One route, compiled."""

    def __init__(self, route: Route, backend: Backend, tools: ServiceTools, options: Options) -> None:
        self.route = route
        backend.prepare(route.rpc)
        self._backend = backend
        self._profile = tools.profile
        self._status = tools.status
        self._options = options
        self._reader = RequestReader(route, tools.profile, tools.decoder, tools.names)
        self._writer = ResponseWriter(route, tools.encoder, tools.profile.answer_as)

    def match(self, parts: Sequence[str]) -> Match:
        """What the path of a request says; Malformed for a broken escape."""
        return self._reader.match(parts)

    async def serve(
        self,
        request: Request,
        match: Match,
        caller: dict[str, str],
        receive: Receive,
        exchange: Exchange,
        watch: Watch | None = None,
    ) -> HttpResponse | None:
        """The answer, or None where a stream has been written already; a Failure before either."""
        timeout_s = timeout_of(
            request, self._options.timeouts, server_streaming=self.route.rpc.server_streaming
        )
        metadata = to_metadata(request, caller, self._options.metadata)
        if self.route.rpc.client_streaming:
            return await self._serve_client_stream(
                request, match, metadata, timeout_s, receive, exchange, watch
            )
        limit = self._options.limits.max_body_bytes
        body = await bodies.read(receive, limit) if self._reader.wants_body else b""
        message = self._reader.read(request, match, body)
        async with cancelled_on_disconnect(receive, watch):
            if self.route.rpc.server_streaming:
                answer = self._backend.stream(
                    self.route.rpc, single(message), metadata=metadata, timeout_s=timeout_s
                )
                await self._write_stream(request, answer, exchange)
                return None
            unary = await self._backend.unary(self.route.rpc, message, metadata=metadata, timeout_s=timeout_s)
        headers = self._metadata_headers(request, unary.initial_metadata, unary.trailing_metadata)
        return self._writer.respond(unary.response, pretty=self._is_pretty(request)).with_headers(
            (*headers, *self._extra_headers(request))
        )

    def respond_failure(self, failure: Failure, request: Request) -> HttpResponse:
        """The answer to a failure, by the service's profile."""
        if self._profile.error_response is not None:
            response = self._profile.error_response(failure, request, self.route)
        else:
            response = self._status.respond(failure)
        headers: Headers = ()
        if isinstance(failure, RpcFailure):
            headers = self._metadata_headers(request, failure.initial_metadata, failure.trailing_metadata)
        return response.with_headers((*headers, *self._extra_headers(request)))

    async def _serve_client_stream(
        self,
        request: Request,
        match: Match,
        metadata: Metadata,
        timeout_s: float | None,
        receive: Receive,
        exchange: Exchange,
        watch: Watch | None,
    ) -> HttpResponse | None:
        limit = self._options.limits.max_body_bytes
        requests = RequestStream(self._reader, request, match, receive, limit=limit)
        async with cancelled_on_disconnect(requests.receive_after_body, watch):
            answer = self._backend.stream(self.route.rpc, requests, metadata=metadata, timeout_s=timeout_s)
            if self.route.rpc.server_streaming:
                await self._write_stream(request, answer, exchange)
                return None
            return await self._respond_single(request, answer)

    async def _respond_single(self, request: Request, answer: StreamAnswer) -> HttpResponse:
        responses = [message async for message in answer]
        headers = self._metadata_headers(request, answer.initial_metadata, ())
        return self._writer.respond(responses[0], pretty=self._is_pretty(request)).with_headers(
            (*headers, *self._extra_headers(request))
        )

    async def _write_stream(self, request: Request, answer: StreamAnswer, exchange: Exchange) -> None:
        writer = StreamWriter(
            exchange,
            self._writer,
            format_for(request),
            headers=lambda: (
                *self._metadata_headers(request, answer.initial_metadata, ()),
                *self._extra_headers(request),
                ("x-request-id", request.request_id),
            ),
            status_of=self._status.to_json,
            heartbeat_s=self._options.heartbeat_s,
        )
        await writer.write_all(answer)

    def _is_pretty(self, request: Request) -> bool:
        wanted = self._profile.pretty_parameter
        if not wanted or wanted not in request.query_string:
            return False
        return any(
            name == wanted and value.lower() in ("", "1", "true")
            for name, value in parse_pairs(request.query_string)
        )

    def _metadata_headers(self, request: Request, initial: Metadata, trailing: Metadata) -> Headers:
        return to_headers(initial, trailing, request=request, options=self._options.metadata)

    def _extra_headers(self, request: Request) -> Headers:
        if self._profile.response_headers is None:
            return ()
        return tuple(self._profile.response_headers(request, self.route))
