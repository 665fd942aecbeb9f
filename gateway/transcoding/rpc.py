"""The methods that can be called, and the ports through which they are called."""

from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import dataclass
from typing import Protocol

from google.protobuf.descriptor import Descriptor, MethodDescriptor
from google.protobuf.message import Message

from gateway.transcoding.failure import Metadata
from gateway.transcoding.message_types import class_of


@dataclass(frozen=True, slots=True, kw_only=True)
class RpcMethod:
    """One method of a service, with the classes of its messages."""

    service: str
    name: str
    input: Descriptor
    output: Descriptor
    request_class: type[Message]
    response_class: type[Message]
    client_streaming: bool
    server_streaming: bool
    deprecated: bool = False

    @property
    def full_name(self) -> str:
        """`package.Service.Method`."""
        return f"{self.service}.{self.name}"

    @property
    def path(self) -> str:
        """`/package.Service/Method`, as gRPC spells it on the wire."""
        return f"/{self.service}/{self.name}"

    @property
    def is_streaming(self) -> bool:
        """Whether either side sends more than one message."""
        return self.client_streaming or self.server_streaming


def rpc_method(descriptor: MethodDescriptor) -> RpcMethod:
    """The method that a descriptor describes."""
    return RpcMethod(
        service=descriptor.containing_service.full_name,
        name=descriptor.name,
        input=descriptor.input_type,
        output=descriptor.output_type,
        request_class=class_of(descriptor.input_type),
        response_class=class_of(descriptor.output_type),
        client_streaming=descriptor.client_streaming,
        server_streaming=descriptor.server_streaming,
        deprecated=descriptor.GetOptions().deprecated,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class UnaryAnswer:
    """What a method without streams answered."""

    response: Message
    initial_metadata: Metadata = ()
    trailing_metadata: Metadata = ()


class StreamAnswer(Protocol):
    """The answer to a call with a stream on either side; iterate it once, then close it."""

    def __aiter__(self) -> AsyncIterator[Message]:
        """The responses in order; RpcFailure where the method fails."""
        ...

    @property
    def initial_metadata(self) -> Metadata:
        """What the method sent before its first response; complete once that has arrived."""
        ...

    async def aclose(self) -> None:
        """Cancel the call unless it is over; safe to repeat."""
        ...


class Backend(Protocol):
    """Where the methods of a service are carried out."""

    def prepare(self, method: RpcMethod) -> None:
        """Get ready for a method that has a route; ConfigurationError where it cannot be carried out."""
        ...

    async def unary(
        self, method: RpcMethod, request: Message, *, metadata: Metadata, timeout_s: float | None
    ) -> UnaryAnswer:
        """Call a method without streams; RpcFailure when it answers with an error.

        Cancelling the awaiting task cancels the call.
        """
        ...

    def stream(
        self,
        method: RpcMethod,
        requests: AsyncIterable[Message],
        *,
        metadata: Metadata,
        timeout_s: float | None,
    ) -> StreamAnswer:
        """Start a call with a stream on either side; a method without a client stream takes one request."""
        ...
