"""The two names of an order, checked before they go into a request."""

import re
from uuid import UUID

from runtime.errors import FieldViolation, MalformedRequest

__all__ = ["check_client_order_id", "check_order_id", "client_order_id_problem"]

_CLIENT_ORDER_ID = re.compile(r"[ -~]{1,128}")


def check_order_id(text: str) -> str:
    """The broker's id in its canonical form; raises MalformedRequest where it is no UUID."""
    try:
        canonical = str(UUID(text))
    except ValueError:
        canonical = None
    # UUID() also takes braces, "urn:uuid:" and missing hyphens, none of which is an id Alpaca gives.
    if canonical is None or canonical != text.lower():
        raise _malformed("order_id", f"is {text[:40]!r}, not a UUID such as Alpaca gives every order")
    return canonical


def client_order_id_problem(text: str) -> str | None:
    """What is wrong with a client_order_id, `None` when it is fine."""
    return None if _CLIENT_ORDER_ID.fullmatch(text) else "is not 1 to 128 printable ASCII characters"


def check_client_order_id(text: str) -> str:
    """The id unchanged; raises MalformedRequest."""
    problem = client_order_id_problem(text)
    if problem is not None:
        raise _malformed("client_order_id", problem)
    return text


def _malformed(field: str, description: str) -> MalformedRequest:
    return MalformedRequest([FieldViolation(field=field, description=description)])
