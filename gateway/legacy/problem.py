"""A legacy error: an HTTP status and a `detail`, which is a text or a list of faults."""

from collections.abc import Mapping
from typing import Final

from gateway.transcoding.failure import HttpProblem
from gateway.transcoding.json_value import JsonValue

Detail = JsonValue

NOT_FOUND: Final = "Not Found"
METHOD_NOT_ALLOWED: Final = "Method Not Allowed"


def legacy_problem(status: int, detail: Detail, headers: Mapping[str, str] | None = None) -> HttpProblem:
    """The answer `{"detail": ...}` with this status; raise it."""
    return HttpProblem(status, {"detail": detail}, headers)
