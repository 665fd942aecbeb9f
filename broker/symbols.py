"""Which texts may stand in a request as a symbol."""

import re
from urllib.parse import quote

from broker.option_symbol import is_option_symbol
from broker.reports import AssetClass
from runtime.errors import InvalidArgument

__all__ = ["UnknownSymbol", "asset_class_of", "check_symbol", "path_segment"]

# AAPL, BRK.B, BAC-PL, BTC/USD. Anything else could change the path or the list that it is put into.
_SYMBOL = re.compile(r"[A-Z0-9]{1,16}([.\-/][A-Z0-9]{1,8}){0,2}")


class UnknownSymbol(InvalidArgument):
    """The text is no symbol of a stock, an option or a coin; nothing was sent."""

    reason = "UNKNOWN_SYMBOL"


def check_symbol(text: str) -> str:
    """The text, if it has the form of a symbol; raises UnknownSymbol. The broker says whether it exists."""
    if _SYMBOL.fullmatch(text) or is_option_symbol(text):
        return text
    raise UnknownSymbol(f"{text[:40]!r} is not a symbol such as AAPL, BRK.B or AAPL240119C00190000")


def asset_class_of(symbol: str) -> AssetClass:
    """What kind of thing a symbol names, by its form alone."""
    if is_option_symbol(symbol):
        return AssetClass.US_OPTION
    return AssetClass.CRYPTO if "/" in symbol else AssetClass.US_EQUITY


def path_segment(symbol: str) -> str:
    """A checked symbol as one segment of a URL path."""
    return quote(check_symbol(symbol), safe="")
