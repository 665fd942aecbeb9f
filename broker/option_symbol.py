"""The OCC symbol of an option contract, read from the right."""

import re
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import Enum

from runtime.errors import InvalidArgument

__all__ = ["OptionRight", "OptionSymbol", "UnknownOptionSymbol", "is_option_symbol", "parse"]

_ROOT = re.compile(r"[A-Z][A-Z0-9]{0,5}")
# The root is whatever the fixed-width tail leaves over: adjusted contracts (AAPL1, XOM2) end it in a
# digit, so no pattern that reads from the left finds where the date begins.
_SYMBOL = re.compile(r"(?P<root>[A-Z0-9 ]{1,6})(?P<day>[0-9]{6})(?P<right>[CP])(?P<strike>[0-9]{8})")
_CENTURY = 2000
_STRIKE_LIMIT = 100_000
_THOUSANDTH = Decimal("0.001")
_PADDED_ROOT = 6
_SHOWN = 40


class OptionRight(Enum):
    """What the contract lets its holder do with the underlying."""

    CALL = "C"
    PUT = "P"


class UnknownOptionSymbol(InvalidArgument):
    """The text is no option symbol; nothing was sent."""

    reason = "UNKNOWN_OPTION_SYMBOL"


@dataclass(frozen=True, slots=True, kw_only=True)
class OptionSymbol:
    """One listed contract, named by the four parts of its symbol; `str()` gives the compact form."""

    root: str
    """1 to 6 letters and digits. Not always the underlying's symbol: BRKB, AAPL1, SPXW."""
    expiration_date: date
    right: OptionRight
    strike_price: Decimal
    """USD, in whole thousandths."""

    def __post_init__(self) -> None:
        if not _ROOT.fullmatch(self.root):
            raise ValueError(f"root {self.root!r} is not 1 to 6 capital letters and digits")
        if not _CENTURY <= self.expiration_date.year < _CENTURY + 100:
            raise ValueError(f"expiration year {self.expiration_date.year} is not 20YY")
        if not self.strike_price.is_finite() or not 0 < self.strike_price < _STRIKE_LIMIT:
            raise ValueError(f"strike price {self.strike_price} is not above 0 and below {_STRIKE_LIMIT}")
        if self.strike_price != self.strike_price.quantize(_THOUSANDTH):
            raise ValueError(f"strike price {self.strike_price} is not in whole thousandths")

    def __str__(self) -> str:
        day = self.expiration_date.strftime("%y%m%d")
        return f"{self.root}{day}{self.right.value}{int(self.strike_price * 1000):08d}"


def parse(text: str) -> OptionSymbol:
    """The contract that a symbol names, in the compact form or padded to 21 characters.

    Raises UnknownOptionSymbol with what is wrong.
    """
    found = _SYMBOL.fullmatch(text)
    if found is None:
        raise _unknown(text, "it does not end in YYMMDD, C or P, and the strike in 8 digits")
    root = found["root"]
    if " " in root:
        if len(root) != _PADDED_ROOT:
            raise _unknown(text, f"a root with spaces is filled up to {_PADDED_ROOT} characters")
        root = root.rstrip(" ")
    try:
        return OptionSymbol(
            root=root,
            expiration_date=_date(found["day"]),
            right=OptionRight(found["right"]),
            strike_price=Decimal(found["strike"]).scaleb(-3),
        )
    except ValueError as e:
        raise _unknown(text, str(e)) from e


def is_option_symbol(text: str) -> bool:
    """Whether `parse` would accept the text."""
    try:
        parse(text)
    except UnknownOptionSymbol:
        return False
    return True


def _date(digits: str) -> date:
    year, month, day = int(digits[:2]), int(digits[2:4]), int(digits[4:])
    try:
        return date(_CENTURY + year, month, day)
    except ValueError as e:
        raise ValueError(f"{digits} is no date in the form YYMMDD") from e


def _unknown(text: str, problem: str) -> UnknownOptionSymbol:
    shown = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
    return UnknownOptionSymbol(
        f"{shown!r} is not an option symbol such as AAPL240119C00190000: {problem}",
    )
