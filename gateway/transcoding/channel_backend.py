"""Calls methods over a gRPC channel."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Callable
from typing import TypeAlias, cast

import grpc
from google.protobuf.message import DecodeError, EncodeError, Message

from gateway.transcoding.code import Code
from gateway.transcoding.failure import Malformed, Metadata, RpcFailure
from gateway.transcoding.limits import Limits
from gateway.transcoding.rpc import RpcMethod, StreamAnswer, UnaryAnswer
from gateway.transcoding.status import details_of

_Responses: TypeAlias = "grpc.aio.UnaryStreamCall[bytes, bytes] | grpc.aio.StreamStreamCall[bytes, bytes]"
# A message may be larger than the JSON it came from: a path and a query add to it.
_HEADROOM_BYTES = 1024 * 1024
_UnaryCallable = Callable[..., "grpc.aio.UnaryUnaryCall[bytes, bytes]"]


def channel_options(limits: Limits) -> tuple[tuple[str, int | str], ...]:
    """Options of a channel that carries what these limits let in, and answers of any size."""
    return (
        ("grpc.max_send_message_length", limits.max_body_bytes + _HEADROOM_BYTES),
        ("grpc.max_receive_message_length", -1),
        # Retries are for who knows which methods may be repeated; kept on, they cost every call a copy.
        ("grpc.enable_retries", 0),
        ("grpc.optimization_target", "throughput"),
    )


class ChannelBackend:
    """The service at the other end of a channel; the channel stays its owner's to close."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._channel = channel
        self._unary: dict[str, _UnaryCallable] = {}

    def prepare(self, method: RpcMethod) -> None:
        """Make the callable of a method without streams, once."""
        if not method.is_streaming:
            # Without serializers bytes go in and come out, which the stubs of grpc cannot say.
            self._unary[method.path] = cast("_UnaryCallable", self._channel.unary_unary(method.path))

    async def unary(
        self, method: RpcMethod, request: Message, *, metadata: Metadata, timeout_s: float | None
    ) -> UnaryAnswer:
        """Call a method without streams; RpcFailure when it answers with an error."""
        call = self._unary[method.path](serialize(request), metadata=metadata, timeout=timeout_s)
        try:
            response = await call
            initial = await call.initial_metadata()
            trailing = await call.trailing_metadata()
        except grpc.aio.AioRpcError as e:
            raise failure_of(e) from None
        return UnaryAnswer(
            response=parse_response(method, response),
            initial_metadata=metadata_of(initial),
            trailing_metadata=metadata_of(trailing),
        )

    def stream(
        self,
        method: RpcMethod,
        requests: AsyncIterable[Message],
        *,
        metadata: Metadata,
        timeout_s: float | None,
    ) -> StreamAnswer:
        """Start a call with a stream on either side."""
        return _ChannelStream(self._channel, method, requests, metadata=metadata, timeout_s=timeout_s)


def serialize(request: Message) -> bytes:
    """The request on the wire; Malformed where the message cannot be written."""
    try:
        return request.SerializeToString()
    except EncodeError as e:
        raise Malformed(f"the request cannot be sent: {e}") from None


def parse_response(method: RpcMethod, data: bytes) -> Message:
    """The response message; an RpcFailure where the bytes are none."""
    try:
        return method.response_class.FromString(data)
    except DecodeError:
        raise RpcFailure(Code.INTERNAL, f"{method.full_name} answered bytes that are no message") from None


def failure_of(error: grpc.aio.AioRpcError) -> RpcFailure:
    """The same failure, free of grpc's classes."""
    trailing = metadata_of(error.trailing_metadata())
    return RpcFailure(
        Code.from_grpc(error.code()),
        error.details() or "",
        details=details_of(trailing),
        initial_metadata=metadata_of(error.initial_metadata()),
        trailing_metadata=trailing,
    )


def metadata_of(metadata: object) -> Metadata:
    """Metadata as plain pairs; grpc's own class and tuples of pairs both come from a call."""
    pairs = cast("list[tuple[str, str | bytes]]", list(metadata)) if metadata else []  # type: ignore[call-overload]  # iterable, as said
    return tuple((key, value) for key, value in pairs)


class _ChannelStream:
    """One call with a stream; starts when it is iterated."""

    def __init__(
        self,
        channel: grpc.aio.Channel,
        method: RpcMethod,
        requests: AsyncIterable[Message],
        *,
        metadata: Metadata,
        timeout_s: float | None,
    ) -> None:
        self._channel = channel
        self._method = method
        self._path = method.path
        self._requests = requests
        self._metadata = metadata
        self._timeout_s = timeout_s
        self._call: grpc.aio.Call | None = None
        self._request_error: BaseException | None = None
        self._initial: Metadata = ()

    @property
    def initial_metadata(self) -> Metadata:
        return self._initial

    async def __aiter__(self) -> AsyncIterator[Message]:
        try:
            async for data in self._responses():
                yield parse_response(self._method, data)
        except grpc.aio.AioRpcError as e:
            self._raise_request_error()
            raise failure_of(e) from None
        except asyncio.CancelledError:
            # grpc cancels the call when our iterator of requests raises.
            self._raise_request_error()
            raise

    async def aclose(self) -> None:
        if self._call is not None and not self._call.done():
            self._call.cancel()

    async def _responses(self) -> AsyncIterator[bytes]:
        requests = self._serialized()
        if not self._method.server_streaming:
            single = self._stream_unary(requests)
            self._call = single
            response = await single
            self._initial = metadata_of(await single.initial_metadata())
            yield response
            return
        if self._method.client_streaming:
            call = self._stream_stream(requests)
        else:
            call = self._unary_stream(await anext(requests))
        self._call = call
        first_seen = False
        async for response in call:
            if not first_seen:
                self._initial = metadata_of(await call.initial_metadata())
                first_seen = True
            yield response

    # Without serializers bytes go in and come out, which the stubs of grpc cannot say.

    def _stream_unary(self, requests: AsyncIterator[bytes]) -> "grpc.aio.StreamUnaryCall[bytes, bytes]":
        start = cast(
            "Callable[..., grpc.aio.StreamUnaryCall[bytes, bytes]]", self._channel.stream_unary(self._path)
        )
        return start(requests, metadata=self._metadata, timeout=self._timeout_s)

    def _stream_stream(self, requests: AsyncIterator[bytes]) -> _Responses:
        start = cast("Callable[..., _Responses]", self._channel.stream_stream(self._path))
        return start(requests, metadata=self._metadata, timeout=self._timeout_s)

    def _unary_stream(self, request: bytes) -> _Responses:
        start = cast("Callable[..., _Responses]", self._channel.unary_stream(self._path))
        return start(request, metadata=self._metadata, timeout=self._timeout_s)

    async def _serialized(self) -> AsyncIterator[bytes]:
        try:
            async for request in self._requests:
                yield serialize(request)
        except Exception as e:  # kept for the reader of the responses, who raises it
            self._request_error = e
            raise

    def _raise_request_error(self) -> None:
        if self._request_error is not None:
            raise self._request_error
