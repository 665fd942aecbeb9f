"""Validation errors in the exact shape of the former service: 422 with one entry a fault."""

from collections.abc import Iterable, Mapping
from typing import Final, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from gateway.legacy.exact_json import BrokenJson, UnreadableBody, read_body, shown
from gateway.legacy.problem import Detail, legacy_problem

Model = TypeVar("Model", bound=BaseModel)

UNPROCESSABLE: Final = 422


def parse_body(
    model: type[Model], body: bytes, content_type: str | None
) -> tuple[Model, Mapping[str, object]]:
    """The validated body, and the same as it was read.

    Raises HttpProblem: 422 for what is not the wanted JSON, 400 for bytes that are no text.
    """
    try:
        raw = read_body(body, content_type)
    except BrokenJson as error:
        raise legacy_problem(UNPROCESSABLE, [_json_invalid(error)]) from None
    except UnreadableBody as error:
        raise legacy_problem(400, str(error)) from None
    if raw is None:
        raise legacy_problem(UNPROCESSABLE, [_missing("body")])
    checked = _validate(model, raw, "body")
    return checked, raw if isinstance(raw, dict) else {}


def parse_query(model: type[Model], parameters: Mapping[str, str]) -> Model:
    """The validated parameters; raises HttpProblem 422."""
    return _validate(model, parameters, "query")


def _validate(model: type[Model], value: object, place: str) -> Model:
    try:
        # The former framework read from attributes too, which decides the error for what is no object.
        return TypeAdapter(model).validate_python(value, from_attributes=True)
    except ValidationError as error:
        faults = error.errors(include_url=False)
        raise legacy_problem(UNPROCESSABLE, [_fault(one, place) for one in faults]) from None


def _fault(error: ErrorDetails, place: str) -> dict[str, Detail]:
    fault: dict[str, Detail] = {
        "type": error["type"],
        "loc": [place, *_steps(error["loc"])],
        "msg": error["msg"],
        "input": shown(error["input"]),
    }
    if "ctx" in error:
        fault["ctx"] = shown(error["ctx"])
    return fault


def _steps(loc: Iterable[int | str]) -> list[Detail]:
    return [shown(step) for step in loc]


def _missing(place: str) -> dict[str, Detail]:
    return {"type": "missing", "loc": [place], "msg": "Field required", "input": None}


def _json_invalid(error: BrokenJson) -> dict[str, Detail]:
    return {
        "type": "json_invalid",
        "loc": ["body", error.offset],
        "msg": "JSON decode error",
        "input": {},
        "ctx": {"error": error.why},
    }
