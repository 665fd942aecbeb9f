"""One rule's answers: the method's message as JSON, or as the bytes of an HttpBody."""

import re
from typing import cast

from google.api.httpbody_pb2 import HttpBody
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message

from gateway.transcoding.code import Code
from gateway.transcoding.encode import Encoder
from gateway.transcoding.failure import Failure
from gateway.transcoding.http_message import HttpResponse
from gateway.transcoding.http_rule import Route
from gateway.transcoding.json_value import JsonValue, dumps
from gateway.transcoding.profile import AnswerAs
from gateway.transcoding.request_reader import HTTP_BODY
from gateway.transcoding.status import JSON_TYPE
from gateway.transcoding.well_known_text import TextFormError

_MEDIA_TYPE = re.compile(r"[\x21-\x7e]+/[\x20-\x7e]+")
_OPAQUE = "application/octet-stream"


class ResponseWriter:
    """Turns the response messages of one route into answers; compiled once."""

    def __init__(self, route: Route, encoder: Encoder, answer_as: AnswerAs | None = None) -> None:
        self._route = route
        self._answer_as = answer_as
        field = route.response_field
        if field is None:
            self._print = encoder.print_of(route.rpc.output)
            answer: Descriptor | None = route.rpc.output
        else:
            self._print = encoder.value_print(field)
            answer = None if field.is_repeated else field.message_type
        self.is_raw = answer is not None and answer.full_name == HTTP_BODY
        self._field_name = field.name if field is not None else None

    def respond(self, message: Message, *, pretty: bool = False) -> HttpResponse:
        """The answer to a call without a stream."""
        if self.is_raw:
            content_type, data = self.raw(message)
            return HttpResponse(status=200, headers=(("content-type", content_type),), body=data)
        status, value = 200, self.json(message)
        if self._answer_as is not None:
            status, value = self._answer_as(self._route, message, value)
        return HttpResponse(
            status=status, headers=(("content-type", JSON_TYPE),), body=dumps(value, pretty=pretty)
        )

    def json(self, message: Message) -> JsonValue:
        """The JSON value of a response; INTERNAL where it has none, such as a time in the year 10000."""
        try:
            return self._print(message)
        except TextFormError as e:
            why = f"{self._route.rpc.full_name} answered a value that has no JSON form: {e}"
            raise Failure(Code.INTERNAL, why) from None

    def raw(self, message: Message) -> tuple[str, bytes]:
        """Content type and bytes of an HttpBody."""
        # Of whichever pool; `is_raw` has checked the type's name.
        target = cast("HttpBody", getattr(message, self._field_name) if self._field_name else message)
        content_type = target.content_type
        return (content_type if _MEDIA_TYPE.fullmatch(content_type) else _OPAQUE), target.data
