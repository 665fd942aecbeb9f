"""Failures as google.rpc.Status in JSON, and the details that gRPC carries beside a status."""

from collections.abc import Iterable

from google.protobuf import any_pb2
from google.protobuf.message import DecodeError
from google.rpc import status_pb2

from gateway.transcoding.encode import Encoder
from gateway.transcoding.failure import Failure, Metadata
from gateway.transcoding.http_message import HttpResponse
from gateway.transcoding.json_options import JsonOptions, Unset
from gateway.transcoding.json_value import JsonObject, JsonValue, dumps
from gateway.transcoding.well_known_text import TextFormError

DETAILS_KEY = "grpc-status-details-bin"
JSON_TYPE = "application/json"


def details_of(trailing_metadata: Metadata) -> tuple[any_pb2.Any, ...]:
    """The details in a call's trailing metadata; none where they are absent or broken."""
    for key, value in trailing_metadata:
        if key == DETAILS_KEY and isinstance(value, bytes):
            try:
                return tuple(status_pb2.Status.FromString(value).details)
            except DecodeError:
                return ()
    return ()


class StatusPrinter:
    """Prints failures with one service's JSON options."""

    def __init__(self, encoder: Encoder, options: JsonOptions) -> None:
        self._encoder = encoder
        self._omit = options.unset is Unset.OMIT

    def to_json(self, failure: Failure) -> JsonObject:
        """The google.rpc.Status of a failure."""
        status: JsonObject = {"code": int(failure.code)}
        if failure.message or not self._omit:
            status["message"] = failure.message
        if failure.details or not self._omit:
            status["details"] = self._details(failure.details)
        return status

    def respond(self, failure: Failure) -> HttpResponse:
        """The HTTP answer to a failure."""
        headers = [("content-type", JSON_TYPE), *failure.headers]
        if failure.http_status == 401:  # RFC 9110 asks for the header with this status
            headers.append(("www-authenticate", "Bearer"))
        return HttpResponse(
            status=failure.http_status, headers=tuple(headers), body=dumps(self.to_json(failure))
        )

    def _details(self, details: Iterable[any_pb2.Any]) -> list[JsonValue]:
        printed: list[JsonValue] = []
        for detail in details:
            try:
                printed.append(self._encoder.print_any(detail))
            except TextFormError:
                printed.append({"@type": detail.type_url})
        return printed
