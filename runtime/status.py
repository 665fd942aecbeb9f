"""The error tree on the wire: to a google.rpc.Status with details, and back without loss."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Final

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import DecodeError, Message
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RequestInfo, ResourceInfo, RetryInfo
from google.rpc.status_pb2 import Status

from runtime.errors import FieldViolation, Internal, Resource, ServiceError, Unavailable, base_of

DOMAIN: Final = "opitios"
STATUS_DETAILS_KEY: Final = "grpc-status-details-bin"

# A peer's default limit is 8 KiB of trailers, in which the message stands twice, once with up to three
# bytes for one; beyond it the peer sees no status at all. So long texts are cut, each to its share.
MAX_MESSAGE_BYTES: Final = 1024
MAX_VALUE_BYTES: Final = 256
MAX_DETAIL_BYTES: Final = 1536
"""All violations, and all metadata, of one error; what comes after is left out."""


def to_status(error: ServiceError, request_id: str | None) -> Status:
    """The status a caller receives: code, message, ErrorInfo and whichever details the error has."""
    status = Status(code=_number(error.code), message=clip(error.message, MAX_MESSAGE_BYTES))
    for detail in _details(error, request_id):
        status.details.add().Pack(detail)
    return status


def from_rpc_error(error: grpc.aio.AioRpcError) -> ServiceError:
    """The error the server raised: same base class, reason, metadata, violations and details.

    A status without our details (the peer is down, a proxy answered) keeps its
    code's base and takes the base's own reason. Codes we never answer with
    become `Internal`, but CANCELLED becomes `Unavailable`: the peer went away.
    """
    code = error.code()
    status = _attached(error) or Status(message=error.details() or code.name)
    return from_status(status, code)


def from_status(status: Status, code: grpc.StatusCode) -> ServiceError:
    """The error a status stands for, see `from_rpc_error`."""
    base = base_of(code) or (Unavailable if code is grpc.StatusCode.CANCELLED else Internal)
    info, request, retry, resource = ErrorInfo(), BadRequest(), RetryInfo(), ResourceInfo()
    for packed in status.details:
        for detail in (info, request, retry, resource):
            _unpack(packed, detail)
    error = base(
        status.message,
        metadata=dict(info.metadata),
        violations=[
            FieldViolation(field=one.field, description=one.description) for one in request.field_violations
        ],
        retry_after=retry.retry_delay.ToTimedelta() if retry.HasField("retry_delay") else None,
        resource=Resource(type=resource.resource_type, name=resource.resource_name)
        if resource.resource_type
        else None,
    )
    if info.reason:
        # The leaf's class lives in the service that raised it; its reason is what callers act on.
        vars(error)["reason"] = info.reason
    return error


def _details(error: ServiceError, request_id: str | None) -> Iterable[Message]:
    metadata = {key: clip(value, MAX_VALUE_BYTES) for key, value in error.metadata.items()}
    yield ErrorInfo(reason=error.reason, domain=DOMAIN, metadata=dict(_fitting(metadata.items())))
    if error.violations:
        listed = [
            (clip(one.field, MAX_VALUE_BYTES), clip(one.description, MAX_VALUE_BYTES))
            for one in error.violations
        ]
        yield BadRequest(
            field_violations=[
                BadRequest.FieldViolation(field=field, description=description)
                for field, description in _fitting(listed)
            ]
        )
    if error.retry_after is not None:
        yield RetryInfo(retry_delay=_duration(error.retry_after))
    if error.resource is not None:
        yield ResourceInfo(resource_type=error.resource.type, resource_name=error.resource.name)
    if request_id is not None:
        yield RequestInfo(request_id=request_id)


def clip(text: str, max_bytes: int) -> str:
    """The text, cut to so many bytes of UTF-8 without cutting a character."""
    return text.encode("utf-8", "replace")[:max_bytes].decode("utf-8", "ignore")


def _fitting(pairs: Iterable[tuple[str, str]]) -> Iterable[tuple[str, str]]:
    left = MAX_DETAIL_BYTES
    for one, other in pairs:
        left -= len(one.encode()) + len(other.encode())
        if left < 0:
            return
        yield one, other


def _attached(error: grpc.aio.AioRpcError) -> Status | None:
    for key, value in error.trailing_metadata() or ():
        if key == STATUS_DETAILS_KEY and isinstance(value, bytes):
            try:
                return Status.FromString(value)
            except DecodeError:
                return None
    return None


def _unpack(packed: AnyMessage, into: Message) -> None:
    try:
        packed.Unpack(into)  # does nothing where the type differs
    except DecodeError:
        # A detail we cannot read must not hide the code and message that we can.
        return


def _duration(value: timedelta) -> Duration:
    duration = Duration()
    duration.FromTimedelta(value)
    return duration


def _number(code: grpc.StatusCode) -> int:
    number, _ = code.value
    return int(number)
