"""Errors as callers see them: one class for each google.rpc code in use.

Leaves fix one `reason` and stand beside the rule or adapter that raises them.

    Exception
    +-- StartupError            the process cannot start; never crosses the wire
    +-- ServiceError            has a code, a reason and details; crosses the wire whole
        +-- InvalidArgument     the request alone is wrong
        |   +-- MalformedRequest
        +-- NotFound            the id is wrong
        +-- AlreadyExists       the id is taken
        +-- FailedPrecondition  retrying alone will not help
        +-- PermissionDenied    known caller, no right
        +-- Unauthenticated     unknown caller
        +-- ResourceExhausted   nothing was done, wait
        +-- Unavailable         nothing was done, retry
        +-- Aborted             a race was lost, repeat the whole operation
        +-- DeadlineExceeded    the time is over, the outcome may be unknown
        +-- Unimplemented       not offered here
        +-- Internal            a bug
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType
from typing import ClassVar

import grpc


class StartupError(Exception):
    """The process cannot start; the message is one line that names the key or file and the remedy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldViolation:
    """One field of a request that is wrong."""

    field: str
    """Path as in the proto, for example `request.items[2].qty`."""
    description: str
    """What was received and what is wanted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """The thing an error is about."""

    type: str
    name: str


class ServiceError(Exception):
    """An outcome its caller must know about, with everything a google.rpc.Status can say.

    `message` names the field or thing, what was received and the remedy;
    `metadata` holds the figures behind it as text; `retry_after` is the shortest sensible wait.
    """

    code: ClassVar[grpc.StatusCode] = grpc.StatusCode.UNKNOWN
    reason: ClassVar[str] = "UNKNOWN"

    def __init__(
        self,
        message: str,
        *,
        metadata: Mapping[str, str] | None = None,
        violations: Iterable[FieldViolation] = (),
        retry_after: timedelta | None = None,
        resource: Resource | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.metadata: Mapping[str, str] = MappingProxyType(dict(metadata or {}))
        self.violations = tuple(violations)
        self.retry_after = retry_after
        self.resource = resource


class InvalidArgument(ServiceError):
    """The request alone is wrong, whatever state we are in; the caller must change it."""

    code = grpc.StatusCode.INVALID_ARGUMENT
    reason = "INVALID_ARGUMENT"


class NotFound(ServiceError):
    """Nothing has this id; the caller has the wrong id or is too late."""

    code = grpc.StatusCode.NOT_FOUND
    reason = "NOT_FOUND"


class AlreadyExists(ServiceError):
    """The id is taken by something else; the caller must choose another."""

    code = grpc.StatusCode.ALREADY_EXISTS
    reason = "ALREADY_EXISTS"


class FailedPrecondition(ServiceError):
    """The request is well formed but the state forbids it; retrying alone will not help."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = "FAILED_PRECONDITION"


class PermissionDenied(ServiceError):
    """We know the caller and it has no right to this."""

    code = grpc.StatusCode.PERMISSION_DENIED
    reason = "PERMISSION_DENIED"


class Unauthenticated(ServiceError):
    """We do not know the caller; it must present valid credentials or come from a listed network."""

    code = grpc.StatusCode.UNAUTHENTICATED
    reason = "UNAUTHENTICATED"


class ResourceExhausted(ServiceError):
    """A budget is used up and nothing was done; the caller may retry after `retry_after`."""

    code = grpc.StatusCode.RESOURCE_EXHAUSTED
    reason = "RESOURCE_EXHAUSTED"


class Unavailable(ServiceError):
    """Something we need does not answer and nothing was done; a retry is safe."""

    code = grpc.StatusCode.UNAVAILABLE
    reason = "UNAVAILABLE"


class Aborted(ServiceError):
    """A race was lost and nothing was done; the caller may repeat the whole operation."""

    code = grpc.StatusCode.ABORTED
    reason = "ABORTED"


class DeadlineExceeded(ServiceError):
    """The time is over; the caller must read the outcome before it repeats a write."""

    code = grpc.StatusCode.DEADLINE_EXCEEDED
    reason = "DEADLINE_EXCEEDED"


class Unimplemented(ServiceError):
    """This server does not offer the operation; no retry will change that."""

    code = grpc.StatusCode.UNIMPLEMENTED
    reason = "UNIMPLEMENTED"


class Internal(ServiceError):
    """A bug of ours; logged with the request id, which is all the caller sees."""

    code = grpc.StatusCode.INTERNAL
    reason = "INTERNAL"


class MalformedRequest(InvalidArgument):
    """Fields of the request are wrong, each named in `violations`; nothing was done."""

    reason = "MALFORMED_REQUEST"

    def __init__(self, violations: Iterable[FieldViolation], message: str | None = None) -> None:
        listed = tuple(violations)
        summary = "; ".join(f"{one.field}: {one.description}" for one in listed)
        super().__init__(message or summary or "the request is malformed", violations=listed)


def base_of(code: grpc.StatusCode) -> type[ServiceError] | None:
    """The base class for a google.rpc code, `None` for a code we never answer with."""
    return _BASES.get(code)


_BASES: Mapping[grpc.StatusCode, type[ServiceError]] = MappingProxyType(
    {base.code: base for base in ServiceError.__subclasses__()}
)
