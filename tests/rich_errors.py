"""What a caller finds in the details of a refused RPC."""

from __future__ import annotations

import grpc
from google.rpc import error_details_pb2, status_pb2

DETAILS = "grpc-status-details-bin"


def status_of(error: grpc.aio.AioRpcError) -> status_pb2.Status:
    """The google.rpc.Status in the trailers."""
    (encoded,) = [value for key, value in error.trailing_metadata() if key == DETAILS]
    assert isinstance(encoded, bytes)
    return status_pb2.Status.FromString(encoded)


def error_info(error: grpc.aio.AioRpcError) -> error_details_pb2.ErrorInfo:
    """Reason, domain and figures."""
    info = error_details_pb2.ErrorInfo()
    assert any(detail.Unpack(info) for detail in status_of(error).details)
    return info


def violated_fields(error: grpc.aio.AioRpcError) -> list[str]:
    """The fields that a malformed request names."""
    bad = error_details_pb2.BadRequest()
    assert any(detail.Unpack(bad) for detail in status_of(error).details)
    return [violation.field for violation in bad.field_violations]
