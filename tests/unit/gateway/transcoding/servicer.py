"""A servicer for everything.proto that echoes, and the application over it."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
from google.protobuf import any_pb2
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from gateway.transcoding.app import Service, Transcoder
from gateway.transcoding.local_backend import LocalBackend
from gateway.transcoding.profile import Profile
from gateway.transcoding.rpc import Backend
from unit.gateway.transcoding.everything_api import SERVICE, http_body, new, pool


class EverythingServicer:
    """Echoes what it is given; works in-process and behind a grpc.aio server."""

    def __init__(self) -> None:
        self.hanging = asyncio.Event()
        self.cancelled = asyncio.Event()
        self.calls: list[str] = []
        self.release = asyncio.Event()

    async def _echo(self, request: Message, context: Any) -> Message:
        return request

    Get = Post = PostField = Cancel = Part = AnyMethod = CustomMethod = _echo

    async def Download(self, request: Any, context: Any) -> Any:
        return http_body("text/csv" if request.name == "csv" else request.name, b"a,b\n1,2\n")

    async def DownloadField(self, request: Any, context: Any) -> Any:
        return new("UploadRequest", name=request.name, file=http_body("image/png", b"\x89PNG"))

    async def Upload(self, request: Any, context: Any) -> Any:
        return new("UploadResponse", content_type=request.content_type, data=request.data)

    async def UploadField(self, request: Any, context: Any) -> Any:
        return new(
            "UploadResponse",
            name=request.name,
            content_type=request.file.content_type,
            data=request.file.data,
        )

    async def UploadStream(self, requests: AsyncIterator[Any], context: Any) -> Any:
        bodies = [body async for body in requests]
        return new(
            "UploadResponse",
            content_type=bodies[0].content_type if bodies else "",
            data=b"".join(body.data for body in bodies),
            pieces=len(bodies),
        )

    async def Watch(self, request: Any, context: Any) -> AsyncIterator[Any]:
        await context.send_initial_metadata((("watch-id", "w1"),))
        for number in range(request.int32_value):
            yield new(int32_value=number)

    async def Silent(self, request: Any, context: Any) -> AsyncIterator[Any]:
        self.hanging.set()
        await self.release.wait()
        yield new(text="at last")

    async def Tail(self, request: Any, context: Any) -> AsyncIterator[Any]:
        yield http_body("text/plain", b"one\n")
        yield http_body("ignored/later", b"two\n")

    async def FailStream(self, request: Any, context: Any) -> AsyncIterator[Any]:
        for number in range(request.after):
            yield new(int32_value=number)
        await self._abort(request, context)

    async def Collect(self, requests: AsyncIterator[Any], context: Any) -> Any:
        return new(pen_names=[request.text async for request in requests])

    async def Chat(self, requests: AsyncIterator[Any], context: Any) -> AsyncIterator[Any]:
        async for request in requests:
            yield new(text=f"you said {request.text}")

    async def Fail(self, request: Any, context: Any) -> Any:
        await self._abort(request, context)

    async def Report(self, request: Any, context: Any) -> Any:
        remaining = context.time_remaining()
        metadata = {
            key: value if isinstance(value, str) else f"bytes:{value.hex()}"
            for key, value in context.invocation_metadata()
        }
        await context.send_initial_metadata((("served-by", "echo"), ("raw-bin", b"\x00\x01")))
        context.set_trailing_metadata((("cost", "7"),))
        return new(
            "CallReport",
            metadata=metadata,
            has_deadline=remaining is not None and remaining < 1e9,
            time_remaining=remaining or 0.0,
        )

    async def Hang(self, request: Any, context: Any) -> Any:
        self.hanging.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.cancelled.set()

    async def HangStream(self, request: Any, context: Any) -> AsyncIterator[Any]:
        yield new(text="first")
        self.hanging.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.cancelled.set()

    async def Unbound(self, request: Any, context: Any) -> Any:
        raise AssertionError("nobody can reach a method without a rule")

    async def _abort(self, request: Any, context: Any) -> None:
        code = next(code for code in grpc.StatusCode if code.value[0] == request.code)
        if code is grpc.StatusCode.OK:
            raise ZeroDivisionError("a secret of the servicer")
        details = [any_pb2.Any(), any_pb2.Any(type_url="type.googleapis.com/no.such.Type", value=b"\x01\x02")]
        details[0].Pack(
            error_details_pb2.ErrorInfo(reason="OUT_OF_INK", domain="everything", metadata={"ink": "0"})
        )
        status = status_pb2.Status(code=request.code, message=request.message, details=details)
        metadata = (("grpc-status-details-bin", status.SerializeToString()), ("retry-hint", "later"))
        await context.abort(code, request.message, metadata)


def transcoder(backend: Backend | None = None, profile: Profile | None = None, **options: Any) -> Transcoder:
    """The application over everything.proto; in-process unless a backend is given."""
    service = Service(
        name=SERVICE, backend=backend or LocalBackend(EverythingServicer()), profile=profile or Profile()
    )
    return Transcoder([service], pool=pool(), **options)
