"""What a request can fail with.

Failure                     answered with its status and a google.rpc.Status body
|-- RpcFailure              the called method answered with an error
|-- Malformed               the request cannot become the method's message (400)
`-- Refused                 the gateway itself says no (404, 405, 408, 413, 415, 417, 431, 503)
HttpProblem                 answered exactly as given; raised by the hooks of a profile
ConfigurationError          the rules or the descriptors are wrong; at start only
ClientGoneError             nobody is there to be answered
"""

from collections.abc import Iterable, Mapping
from typing import ClassVar

from google.protobuf import any_pb2
from google.rpc import error_details_pb2

from gateway.transcoding.code import Code, http_status_of
from gateway.transcoding.json_value import JsonValue

Metadata = tuple[tuple[str, str | bytes], ...]


class Failure(Exception):
    """An error with a gRPC code, and what its answer needs beside it."""

    def __init__(
        self,
        code: Code,
        message: str,
        *,
        details: Iterable[any_pb2.Any] = (),
        http_status: int | None = None,
        headers: Iterable[tuple[str, str]] = (),
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.details = tuple(details)
        self.http_status = http_status if http_status is not None else http_status_of(code)
        self.headers = tuple(headers)


class RpcFailure(Failure):
    """The status that the called method answered with."""

    def __init__(
        self,
        code: Code,
        message: str,
        *,
        details: Iterable[any_pb2.Any] = (),
        initial_metadata: Metadata = (),
        trailing_metadata: Metadata = (),
    ) -> None:
        super().__init__(code, message, details=details)
        self.initial_metadata = initial_metadata
        self.trailing_metadata = trailing_metadata


class Malformed(Failure):
    """The request cannot become the method's message; `field` names the place in proto names."""

    def __init__(self, why: str, *, field: str = "") -> None:
        super().__init__(Code.INVALID_ARGUMENT, why)
        self.why = why
        self.field = ""
        if field:
            self.place(field)

    def place(self, field: str) -> None:
        """Say which field it is, in the message and as a google.rpc.BadRequest detail."""
        self.field = field
        self.message = f"{field}: {self.why}"
        violation = error_details_pb2.BadRequest.FieldViolation(field=field, description=self.why)
        detail = any_pb2.Any()
        detail.Pack(error_details_pb2.BadRequest(field_violations=[violation]))
        self.details = (detail,)


class Refused(Failure):
    """The gateway's own refusal, before any method was called."""

    CODES: ClassVar[Mapping[int, Code]] = {
        400: Code.INVALID_ARGUMENT,
        404: Code.NOT_FOUND,
        405: Code.UNIMPLEMENTED,
        408: Code.DEADLINE_EXCEEDED,
        413: Code.RESOURCE_EXHAUSTED,
        414: Code.INVALID_ARGUMENT,
        415: Code.INVALID_ARGUMENT,
        417: Code.INVALID_ARGUMENT,
        431: Code.RESOURCE_EXHAUSTED,
        500: Code.INTERNAL,
        503: Code.UNAVAILABLE,
    }

    def __init__(self, http_status: int, message: str, *, headers: Iterable[tuple[str, str]] = ()) -> None:
        super().__init__(self.CODES[http_status], message, http_status=http_status, headers=headers)


class HttpProblem(Exception):
    """A complete HTTP answer that a hook of the caller chose; `body` becomes JSON as it is."""

    def __init__(self, status: int, body: JsonValue, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(f"HTTP {status}")
        self.status = status
        self.body = body
        self.headers = dict(headers or {})


class ConfigurationError(ValueError):
    """Rules, descriptors and options do not fit together; raised while the gateway is built."""


class ClientGoneError(Exception):
    """The client closed its connection before the answer was complete."""
