"""The descriptors of everything.proto, and a client that drives an ASGI application."""

import asyncio
import functools
import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pb2
from google.protobuf.descriptor import Descriptor
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message
from grpc_tools import protoc

from gateway.transcoding.json_value import JsonValue
from gateway.transcoding.message_types import Types, class_of, pool_of

SERVICE = "everything.v1.EverythingService"


@functools.cache
def descriptor_set() -> descriptor_pb2.FileDescriptorSet:
    """everything.proto with all its imports."""
    return compile_protos({"everything.proto": Path(__file__).with_name("everything.proto").read_text()})


def compile_protos(sources: Mapping[str, str]) -> descriptor_pb2.FileDescriptorSet:
    """What protoc makes of some proto files."""
    with tempfile.TemporaryDirectory() as folder:
        for name, source in sources.items():
            Path(folder, name).write_text(source)
        output = Path(folder, "out.binpb")
        arguments = [
            "protoc",
            f"-I{folder}",
            f"-I{files('grpc_tools') / '_proto'}",
            f"-I{Path(str(files('google.api')._paths[0])).parent.parent}",  # type: ignore[attr-defined]  # a namespace package
            "--include_imports",
            "--include_source_info",
            f"--descriptor_set_out={output}",
            *sources,
        ]
        if protoc.main(arguments) != 0:
            raise AssertionError("protoc failed")
        return descriptor_pb2.FileDescriptorSet.FromString(output.read_bytes())


@functools.cache
def pool() -> DescriptorPool:
    """A pool of everything.proto alone."""
    return pool_of(descriptor_set())


@functools.cache
def types() -> Types:
    """The message types of everything.proto."""
    return Types(pool())


def message_type(name: str = "Everything") -> Descriptor:
    """A message type of everything.proto."""
    return pool().FindMessageTypeByName(f"everything.v1.{name}")


def message_class(name: str = "Everything") -> type[Message]:
    """A message class of everything.proto."""
    return class_of(message_type(name))


def new(name: str = "Everything", /, **fields: object) -> Any:
    """A message of everything.proto; its fields are dynamic, so its type is too."""
    return message_class(name)(**fields)


def http_body(content_type: str, data: bytes) -> Message:
    http_body = class_of(pool().FindMessageTypeByName("google.api.HttpBody"))
    return http_body(content_type=content_type, data=data)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What an application answered."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes
    pieces: list[bytes] = field(default_factory=list)

    def json(self) -> Any:
        return json.loads(self.body)

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key == name), None)


class AsgiClient:
    """Calls an ASGI application without a socket."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def request(
        self,
        method: str,
        target: str,
        body: bytes | str | JsonValue = b"",
        headers: Mapping[str, str] | list[tuple[str, str]] = (),  # type: ignore[assignment]  # empty of either kind
        *,
        client: tuple[str, int] | None = ("127.0.0.1", 4321),
        http_version: str = "1.1",
    ) -> Answer:
        raw = (
            body
            if isinstance(body, bytes)
            else json.dumps(body).encode()
            if not isinstance(body, str)
            else body.encode()
        )
        path, _, query = target.partition("?")
        pairs = list(headers.items()) if isinstance(headers, Mapping) else list(headers)
        if not any(name.lower() == "host" for name, _ in pairs):
            pairs.append(("host", "gateway.test"))
        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "raw_path": path.encode("latin-1"),
            "query_string": query.encode("latin-1"),
            "headers": [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in pairs],
            "client": client,
            "http_version": http_version,
            "scheme": "http",
        }
        events = [{"type": "http.request", "body": raw, "more_body": False}]
        sent: list[Any] = []
        forever = asyncio.Event()

        async def receive() -> Any:
            if events:
                return events.pop(0)
            await forever.wait()
            return {"type": "http.disconnect"}

        async def send(event: Any) -> None:
            sent.append(event)

        await self._app(scope, receive, send)
        start, *bodies = sent
        pieces = [event.get("body", b"") for event in bodies]
        return Answer(
            status=start["status"],
            headers=[(name.decode("latin-1"), value.decode("latin-1")) for name, value in start["headers"]],
            body=b"".join(pieces),
            pieces=[piece for piece in pieces if piece],
        )

    async def get(self, target: str, headers: Mapping[str, str] | None = None) -> Answer:
        return await self.request("GET", target, headers=headers or {})
