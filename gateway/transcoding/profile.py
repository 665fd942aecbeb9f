"""How one service looks over HTTP: its JSON, its strictness, and hooks for a surface with rules of its own."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field

from google.protobuf.message import Message

from gateway.transcoding.failure import Failure
from gateway.transcoding.http_message import HttpResponse, Request
from gateway.transcoding.http_rule import Route
from gateway.transcoding.json_options import JsonOptions
from gateway.transcoding.json_value import JsonObject, JsonValue


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """The route that serves a request, and what its path says."""

    route: Route
    variables: Mapping[str, str]
    """Decoded path variables by dotted field path."""


Authorize = Callable[[Request, Match | None], Awaitable[Mapping[str, str]]]
"""Decides about a request after routing and before its body is read.

Answers the metadata that identifies the caller; raises HttpProblem to refuse. The match
is None where no route serves the request.
"""

ErrorResponse = Callable[[Failure, Request, Route | None], HttpResponse]
ReadBody = Callable[[Request, Match, bytes], JsonObject]
ReadQuery = Callable[[Request, Match, list[tuple[str, str]]], JsonObject]
ResponseHeaders = Callable[[Request, Route], Iterable[tuple[str, str]]]
AnswerAs = Callable[[Route, Message, JsonValue], tuple[int, JsonValue]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """The options of one service."""

    json: JsonOptions = field(default_factory=JsonOptions)
    strict_body: bool = False
    """Unknown body fields, and query parameters beside a whole-message body, are 400."""
    ignore_unknown_query: bool = False
    """Unknown query parameters are ignored instead of 400."""
    ignored_query: frozenset[str] = frozenset()
    """Query parameters that are never looked at."""
    pretty_parameter: str = ""
    """The query parameter that asks for indented JSON (`?pretty`, `?pretty=true`); empty for none."""
    error_response: ErrorResponse | None = None
    """The answer to a failure, in place of google.rpc.Status."""
    read_body: ReadBody | None = None
    """Turns the body, empty too, into the JSON object to bind; may raise HttpProblem."""
    read_query: ReadQuery | None = None
    """Turns the parameters into the JSON object to bind; may raise HttpProblem."""
    answer_as: AnswerAs | None = None
    """Decides status and JSON of a good answer, given its message and JSON; not asked for streams."""
    response_headers: ResponseHeaders | None = None
    """Headers for every answer of the service's routes, errors too."""
    fill_update_mask: frozenset[str] = frozenset()
    """Full names of methods whose empty FieldMask is filled from the keys of a PATCH body field."""
