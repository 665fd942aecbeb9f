"""Decimals as text: written as the trading API does, with plain digits and no needless zeros, and read back."""

from decimal import Decimal, InvalidOperation


def plain(number: Decimal) -> str:
    """`number` in full, for example 100000, 0.5 or -23140.2."""
    text = format(number, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def plain_or_none(number: Decimal | None) -> str | None:
    """The same, with None kept."""
    return None if number is None else plain(number)


def find_decimal(text: str) -> Decimal | None:
    """The finite number a text stands for, or None when it stands for none."""
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None
