"""Single fields of a request, from text to value; what is wrong is collected, not raised one by one."""

import re
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from broker.option_symbol import UnknownOptionSymbol, is_option_symbol, parse
from broker.reports import AssetClass
from runtime.errors import FieldViolation, MalformedRequest

MAX_DECIMALS: Final = 9
"""Alpaca's finest quantity."""
MAX_CLIENT_ORDER_ID: Final = 128

_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,40}(\.[0-9]{0,40})?([eE][+-]?[0-9]{1,4})?")
_PRINTABLE_ASCII: Final = re.compile(rf"[ -~]{{1,{MAX_CLIENT_ORDER_ID}}}")
# BRK.B, BF.B, BAC.PRL; coins (BTC/USD) are not traded here.
_STOCK: Final = re.compile(r"[A-Z][A-Z0-9]{0,9}([.-][A-Z0-9]{1,6})?")
_LOOKS_LIKE_OPTION: Final = re.compile(r".*[0-9]{6}[CP][0-9]{8}")
MAX_SYMBOL_SHOWN: Final = 32
_SHOWN: Final = 40


@dataclass(slots=True)
class Violations:
    """Everything that is wrong with one request, each with the path of its field."""

    found: list[FieldViolation] = field(default_factory=list)

    def add(self, path: str, description: str) -> None:
        """Notes one more."""
        self.found.append(FieldViolation(field=path, description=description))

    def has(self, path: str) -> bool:
        """Whether something is wrong with this field."""
        return any(one.field == path for one in self.found)

    def raise_if_any(self) -> None:
        """Raises MalformedRequest naming every field that is wrong."""
        if self.found:
            raise MalformedRequest(self.found)


def amount(text: str, path: str, violations: Violations, *, maximum: Decimal) -> Decimal | None:
    """A decimal above 0 and at most `maximum`; `None` where the field is empty or wrong."""
    if not text:
        return None
    problem = _amount_problem(text, maximum)
    if problem is None:
        return Decimal(text)
    violations.add(path, f"is {shown(text)}: {problem}")
    return None


def decimal_or_none(text: str) -> Decimal | None:
    """The number of a field that may hold anything, for showing only; `None` where it is none."""
    return Decimal(text) if _amount_problem(text, Decimal(10**12)) is None else None


def _amount_problem(text: str, maximum: Decimal) -> str | None:
    if not _NUMBER.fullmatch(text):
        return "must be a finite decimal number such as 1.25"
    value = Decimal(text)
    if value <= 0:
        return "must be above 0"
    if value > maximum:
        return f"must be at most {maximum}"
    if value != value.quantize(Decimal(1).scaleb(-MAX_DECIMALS)):
        return f"must have at most {MAX_DECIMALS} decimals"
    return None


def client_order_id(text: str, violations: Violations, *, path: str = "client_order_id") -> None:
    """Notes an id that is not 1 to 128 printable ASCII characters."""
    if not _PRINTABLE_ASCII.fullmatch(text):
        violations.add(
            path,
            f"is {shown(text)} ({len(text)} characters): "
            f"must be 1 to {MAX_CLIENT_ORDER_ID} printable ASCII characters",
        )


def symbol(text: str, violations: Violations, *, path: str = "symbol") -> tuple[str, AssetClass] | None:
    """The canonical symbol and what it names; the broker says whether it exists. `None` where it is wrong."""
    upper = text.upper() if text.isascii() else text
    if is_option_symbol(upper):
        return str(parse(upper)), AssetClass.US_OPTION
    if _STOCK.fullmatch(upper) and not _LOOKS_LIKE_OPTION.fullmatch(upper):
        return upper, AssetClass.US_EQUITY
    violations.add(path, _symbol_problem(upper))
    return None


def _symbol_problem(upper: str) -> str:
    if not upper:
        return "is missing: name a stock such as AAPL or an option such as AAPL240119C00190000"
    if _LOOKS_LIKE_OPTION.fullmatch(upper):
        try:
            parse(upper)
        except UnknownOptionSymbol as e:
            return e.message
    return (
        f"is {shown(upper)}: must be a stock such as AAPL or BRK.B, or an option such as AAPL240119C00190000"
    )


def shown(text: str) -> str:
    """What was received, short and quoted, for an error message."""
    return repr(text) if len(text) <= _SHOWN else f"{text[:_SHOWN]!r}…"
