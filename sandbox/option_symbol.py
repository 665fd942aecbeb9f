"""Option symbols in OCC form without padding: root, YYMMDD, C or P, strike in thousandths with eight digits."""

import re
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import Enum

_FORM = re.compile(r"([A-Z]{1,5}[0-9]?|[A-Z]{6})(\d\d)(\d\d)(\d\d)([CP])(\d{8})")


class OptionType(Enum):
    """The right an option gives."""

    CALL = "call"
    PUT = "put"


@dataclass(frozen=True, slots=True, kw_only=True)
class OptionSymbol:
    """The parts of an option symbol; `str` gives the symbol back."""

    root: str
    expiration_date: date
    option_type: OptionType
    strike_price: Decimal

    def __str__(self) -> str:
        """The OCC form."""
        letter = "C" if self.option_type is OptionType.CALL else "P"
        return f"{self.root}{self.expiration_date:%y%m%d}{letter}{int(self.strike_price * 1000):08d}"


def find_option_symbol(text: str) -> OptionSymbol | None:
    """The parts of `text`, or None when it is no option symbol (a stock's, or nonsense)."""
    match = _FORM.fullmatch(text)
    if match is None:
        return None
    root, year, month, day, letter, strike = match.groups()
    try:
        expiration = date(2000 + int(year), int(month), int(day))
    except ValueError:
        return None
    if int(strike) == 0:
        return None
    return OptionSymbol(
        root=root,
        expiration_date=expiration,
        option_type=OptionType.CALL if letter == "C" else OptionType.PUT,
        strike_price=Decimal(int(strike)) / 1000,
    )
