"""What is wrong with a configuration, in words an operator can act on, never with a secret in them."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from pydantic import BaseModel, SecretStr, ValidationError
from pydantic_core import ErrorDetails

from runtime.settings_section import field_at

MAX_SHOWN_CHARACTERS: Final = 60
_SECRET_NAME: Final = re.compile(r"key|secret|password|token|url|webhook|channel", re.IGNORECASE)

_TYPES: Final[Mapping[str, str]] = {
    "bool": "must be true or false",
    "int": "must be a whole number",
    "decimal": "must be a number",
    "float": "must be a number",
    "string": "must be text",
    "list": "must be a list",
    "tuple": "must be a list",
    "model": "must be a section with keys",
    "dict": "must be a section with keys",
    "path": "must be a path",
}
_LIMITS: Final[Mapping[str, tuple[str, str]]] = {
    "greater_than": ("gt", ">"),
    "greater_than_equal": ("ge", ">="),
    "less_than": ("lt", "<"),
    "less_than_equal": ("le", "<="),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing wrong, or worth a warning."""

    path: str
    """Key path such as `trading.minimum_balance`, or a file."""
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"


class SettingsError(Exception):
    """The configuration cannot be used; holds every problem, its text has one a line."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


def problems_of(error: ValidationError, model: type[BaseModel]) -> tuple[Problem, ...]:
    """Pydantic's findings in our words, in the file's key paths."""
    return tuple(
        Problem(path=".".join(map(str, one["loc"])), message=_message(one, is_secret=_is_secret(one, model)))
        for one in error.errors(include_url=False)
    )


def _message(one: ErrorDetails, *, is_secret: bool) -> str:
    kind, context = one["type"], one.get("ctx", {})
    if kind == "missing":
        return "is required"
    if kind == "value_error":
        # Raised by our own validators, which say what they got themselves and never for secrets.
        return str(context.get("error", one["msg"]))
    return f"{_wanted(kind, context, one['msg'])}{'' if is_secret else f', got {_shown(one)}'}"


def _wanted(kind: str, context: Mapping[str, object], fallback: str) -> str:
    if kind in _LIMITS:
        name, sign = _LIMITS[kind]
        limit = context[name]
        return f"must be {sign} {f'{limit:g}' if isinstance(limit, float) else limit}"
    if kind in {"enum", "literal_error"}:
        return f"must be {str(context['expected']).replace(chr(39), '')}"
    if kind == "string_too_short":
        return "must not be empty"
    if kind == "finite_number":
        return "must be a finite number"
    return _TYPES.get(kind.split("_", maxsplit=1)[0], fallback[:1].lower() + fallback[1:])


def _shown(one: ErrorDetails) -> str:
    value = one["input"]
    if isinstance(value, dict | list):
        return f"a {'section' if isinstance(value, dict) else 'list'}"
    text = "nothing" if value is None else repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= MAX_SHOWN_CHARACTERS else f"{text[:MAX_SHOWN_CHARACTERS]}…"


def _is_secret(one: ErrorDetails, model: type[BaseModel]) -> bool:
    path = tuple(map(str, one["loc"]))
    field = field_at(model, path)
    return any(map(_SECRET_NAME.search, path)) or (field is not None and SecretStr in field.leaf_types)
