"""One rule's requests: path, query and body into the method's message."""

from collections.abc import Sequence
from typing import cast

from google.api.httpbody_pb2 import HttpBody
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message

from gateway.transcoding import body as bodies
from gateway.transcoding.bind import PathBinder
from gateway.transcoding.decode import Decoder
from gateway.transcoding.failure import ConfigurationError, Malformed
from gateway.transcoding.http_message import Request
from gateway.transcoding.http_rule import WHOLE_BODY, Route
from gateway.transcoding.json_value import JsonError, JsonValue, loads
from gateway.transcoding.profile import Match, Profile
from gateway.transcoding.query import QueryBinder, QueryNames, parse_pairs
from gateway.transcoding.scalar import ValueReject
from gateway.transcoding.update_mask import fill_if_empty, mask_field

HTTP_BODY = "google.api.HttpBody"


class RequestReader:
    """Builds the request message of one route; compiled once, used for every request."""

    def __init__(self, route: Route, profile: Profile, decoder: Decoder, names: QueryNames) -> None:
        self._route = route
        self._profile = profile
        descriptor = route.rpc.input
        self._new_message = route.rpc.request_class
        self._fill = decoder.fill_of(descriptor)
        self._path = PathBinder(route.template, descriptor, decoder)
        self._body_field = route.body_field
        self._fill_body_field = decoder.value_fill(self._body_field) if self._body_field is not None else None
        self.is_raw = _is_http_body(self._raw_target())
        pretty = {profile.pretty_parameter} if profile.pretty_parameter else set()
        self._unread_query = profile.ignored_query | pretty
        self._query = QueryBinder(
            names,
            descriptor,
            taken=self._path.field_paths
            | ({(self._body_field.name,)} if self._body_field is not None else set()),
            ignored=self._unread_query,
            ignore_unknown=profile.ignore_unknown_query,
        )
        wants_mask = route.rpc.full_name in profile.fill_update_mask and route.http_method == "PATCH"
        self._mask = mask_field(descriptor) if wants_mask else None
        if wants_mask and (self._mask is None or self._body_field is None):
            raise ConfigurationError(f"{route}: there is no update mask or no body field to fill it from")

    @property
    def wants_body(self) -> bool:
        """Whether the rule reads a body at all; any other body is discarded."""
        return bool(self._route.body)

    def match(self, parts: Sequence[str]) -> Match:
        """What the path of a request says; Malformed for a broken escape."""
        return Match(route=self._route, variables=self._path.texts(parts))

    def read(self, request: Request, match: Match, body: bytes, *, first: bool = True) -> Message:
        """The message of a request, or of one piece of its stream; Malformed names the field that does not fit."""
        message = self._new_message()
        given: JsonValue = None
        if self.is_raw:
            self._set_raw(message, request, body, first=first)
        elif self._route.body == WHOLE_BODY:
            given = self._fill_whole(message, request, match, body)
        elif self._body_field is not None:
            given = self._fill_field(message, request, match, body)
        self._bind_query(message, request, match)
        self._path.bind(message, match.variables, given)
        self._complete_mask(message, given)
        return message

    def _fill_whole(self, message: Message, request: Request, match: Match, body: bytes) -> JsonValue:
        value = self._body_value(request, match, body)
        if value is _EMPTY:
            return None
        try:
            self._fill(message, value)
        except ValueReject as e:
            raise bodies.malformed_body(e.why, e.path) from None
        return value

    def _fill_field(self, message: Message, request: Request, match: Match, body: bytes) -> JsonValue:
        value = self._body_value(request, match, body)
        if value is _EMPTY or self._fill_body_field is None or self._body_field is None:
            return None
        try:
            self._fill_body_field(message, value)
        except ValueReject as e:
            raise bodies.malformed_body(e.why, e.path) from None
        return {self._body_field.name: value}

    def _body_value(self, request: Request, match: Match, body: bytes) -> JsonValue:
        if self._profile.read_body is not None:
            return dict(self._profile.read_body(request, match, body))
        if not body.strip(b" \t\r\n"):
            return _EMPTY
        bodies.check_json_type(request)
        try:
            return loads(body)
        except JsonError as e:
            raise Malformed(f"{e} (at character {e.offset})", field="body") from None

    def _bind_query(self, message: Message, request: Request, match: Match) -> None:
        if self._profile.read_query is not None:
            pairs = parse_pairs(request.query_string)
            try:
                self._fill(message, dict(self._profile.read_query(request, match, pairs)))
            except ValueReject as e:
                raise Malformed(e.why, field=e.path) from None
        elif not request.query_string:
            return
        elif self._route.body == WHOLE_BODY:
            self._refuse_query_beside_body(request)
        else:
            self._query.bind(message, parse_pairs(request.query_string))

    def _refuse_query_beside_body(self, request: Request) -> None:
        if not self._profile.strict_body:
            return
        for name, _ in parse_pairs(request.query_string):
            if name not in self._unread_query:
                raise Malformed("this method takes its fields from the body only", field=name[:200])

    def _set_raw(self, message: Message, request: Request, body: bytes, *, first: bool) -> None:
        # Of whichever pool; `is_raw` has checked the type's name.
        target = cast(
            "HttpBody", getattr(message, self._body_field.name) if self._body_field is not None else message
        )
        target.data = body
        if first:
            target.content_type = _valid_text(request.header("content-type") or "")

    def _complete_mask(self, message: Message, given: JsonValue) -> None:
        if self._mask is None or self._body_field is None or not isinstance(given, dict):
            return
        if self._body_field.message_type is not None:
            body = given[self._body_field.name]
            fill_if_empty(message, self._mask, self._body_field.message_type, body)

    def _raw_target(self) -> Descriptor | None:
        if self._route.body == WHOLE_BODY:
            return self._route.rpc.input
        if self._body_field is not None and not self._body_field.is_repeated:
            return self._body_field.message_type
        return None


# Told apart from every value of JSON by identity; a body of white space is no body.
_EMPTY: JsonValue = {}


def _is_http_body(descriptor: Descriptor | None) -> bool:
    return descriptor is not None and descriptor.full_name == HTTP_BODY


def _valid_text(text: str) -> str:
    return text if text.isascii() else ""
