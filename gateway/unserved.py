"""Answers to requests that no route serves, in the form of the surface that they were meant for."""

from collections.abc import Iterable
from typing import Final

from gateway.legacy.profile import legacy_error
from gateway.surface import is_v1
from gateway.transcoding.failure import Failure
from gateway.transcoding.http_message import HttpResponse, Request
from gateway.transcoding.http_rule import Route
from gateway.transcoding.json_value import dumps
from gateway.transcoding.status import JSON_TYPE

_NOT_FOUND: Final = 404


class Unserved:
    """The transcoder's answer for paths that are not served.

    On the legacy surface a slash too many is redirected, as it always was; `served` are its paths.
    """

    def __init__(self, served: Iterable[str]) -> None:
        self._redirected = frozenset(f"{path}/" for path in served if path != "/")

    def __call__(self, failure: Failure, request: Request, route: Route | None) -> HttpResponse:
        """A google.rpc.Status under /v1, `{"detail": ...}` or a redirection elsewhere."""
        if is_v1(request.raw_path):
            return _status(failure)
        if failure.http_status == _NOT_FOUND and request.raw_path in self._redirected:
            return HttpResponse(status=307, headers=(("location", _without_slash(request)),))
        return legacy_error(failure, request, route)


def _status(failure: Failure) -> HttpResponse:
    body = dumps({"code": int(failure.code), "message": failure.message, "details": []})
    return HttpResponse(
        status=failure.http_status, headers=(("content-type", JSON_TYPE), *failure.headers), body=body
    )


def _without_slash(request: Request) -> str:
    query = f"?{request.query_string}" if request.query_string else ""
    return f"{request.scheme}://{request.header('host') or ''}{request.raw_path[:-1]}{query}"
