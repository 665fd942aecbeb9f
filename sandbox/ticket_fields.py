"""Reads single fields of an order request, refusing with Alpaca's words what is malformed."""

import re
from collections.abc import Mapping
from decimal import Decimal
from enum import Enum
from typing import TypeVar

from sandbox.errors import bad_field, refused

_MAX_CLIENT_ORDER_ID = 128
_MAX_QTY_DECIMALS = 9
# Narrower than Decimal: no NaN, no underscores, no digits of other scripts.
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,4})?", re.ASCII)
_SURROGATE = re.compile("[\ud800-\udfff]")
_LARGEST = Decimal(10) ** 12
_ONE_DOLLAR = Decimal(1)

_Closed = TypeVar("_Closed", bound=Enum)


def symbol(body: Mapping[str, object]) -> str:
    """The symbol; required."""
    name = text(body, "symbol")
    if not name:
        raise bad_field("symbol is required")
    return name


def client_order_id(body: Mapping[str, object]) -> str | None:
    """The client's own id for the order, None when left to the exchange."""
    word = text(body, "client_order_id")
    if word is not None and len(word) > _MAX_CLIENT_ORDER_ID:
        raise bad_field(f"client_order_id must be no more than {_MAX_CLIENT_ORDER_ID} characters")
    return word or None


def text(body: Mapping[str, object], field: str) -> str | None:
    """A string, or None when absent."""
    value = body.get(field)
    if value is None:
        return None
    # JSON can spell half a surrogate pair, which no answer could carry back.
    if not isinstance(value, str) or _SURROGATE.search(value):
        raise bad_field(f"{field} must be a string")
    return value


def flag(body: Mapping[str, object], field: str) -> bool:
    """True or false; absent is false."""
    value = body.get(field)
    if value is None:
        return False
    if isinstance(value, bool):
        return value
    raise bad_field(f"{field} must be a boolean")


def required(body: Mapping[str, object], field: str, words: type[_Closed]) -> _Closed:
    """One of a closed set of words."""
    value = optional(body, field, words)
    if value is None:
        raise bad_field(f"{field} is required")
    return value


def optional(body: Mapping[str, object], field: str, words: type[_Closed]) -> _Closed | None:
    """The same, or None when absent."""
    word = text(body, field)
    if not word:
        return None
    try:
        return words(word)
    except ValueError:
        raise bad_field(f"invalid {field}: {word}") from None


def amount(body: Mapping[str, object], field: str) -> Decimal | None:
    """A positive number, given as a JSON number or string; both are sent by clients."""
    value = body.get(field)
    if value is None or value == "":
        return None
    number = decimal(field, value)
    if number <= 0:
        raise bad_field(f"{field} must be > 0")
    if number >= _LARGEST:
        raise bad_field(f"{field} is too large")
    exponent = number.normalize().as_tuple().exponent
    if isinstance(exponent, int) and exponent < -_MAX_QTY_DECIMALS:
        raise bad_field(f"{field} must be limited to {_MAX_QTY_DECIMALS} decimal places")
    return number


def price(body: Mapping[str, object], field: str) -> Decimal | None:
    """A positive price that a venue takes: two decimals, four below a dollar."""
    number = amount(body, field)
    if number is None:
        return None
    exponent = number.normalize().as_tuple().exponent
    if isinstance(exponent, int) and -exponent > (2 if number >= _ONE_DOLLAR else 4):
        raise refused(
            f"invalid {field} {number}. sub-penny increment does not fulfill minimum pricing criteria"
        )
    return number


def decimal(field: str, value: object) -> Decimal:
    """A number given as a JSON number or string, exact."""
    if isinstance(value, Decimal):
        number = value
    elif (isinstance(value, int) and not isinstance(value, bool)) or (
        isinstance(value, str) and _NUMBER.fullmatch(value)
    ):
        number = Decimal(value)
    else:
        raise bad_field(f"{field} must be a number")
    return number


def find_object(body: Mapping[str, object], field: str) -> Mapping[str, object] | None:
    """A JSON object, or None when absent."""
    value = body.get(field)
    if value is None:
        return None
    if not isinstance(value, dict):
        raise bad_field(f"{field} must be an object")
    return value


def net_price(body: Mapping[str, object], field: str) -> Decimal | None:
    """The net price of several legs: positive is paid, negative is received, cents at the least."""
    value = body.get(field)
    if value is None or value == "":
        return None
    number = decimal(field, value)
    exponent = number.normalize().as_tuple().exponent
    if abs(number) >= _LARGEST or not isinstance(exponent, int) or exponent < -2:
        raise refused(
            f"invalid {field} {number}. sub-penny increment does not fulfill minimum pricing criteria"
        )
    return number
