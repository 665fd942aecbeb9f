"""Decimal text to the JSON numbers of the legacy routes, and back: the only place where money becomes a float."""

from decimal import Decimal, InvalidOperation

from gateway.legacy.exact_json import ExactFloat


def number(text: str) -> float:
    """The nearest double to a decimal text; 0.0 for an empty one."""
    return float(Decimal(text)) if text else 0.0


def number_or_none(text: str) -> float | None:
    """The nearest double to a decimal text; `None` for an empty one."""
    return float(Decimal(text)) if text else None


def nonzero_or_none(text: str) -> float | None:
    """As `number_or_none`, with zero as `None` too."""
    return number_or_none(text) or None


def exact_text(raw: object, checked: float | None) -> str:
    """The decimal text of a JSON number as the caller wrote it: `100`, `0.5`; empty for none.

    `checked` is the same value after validation; its own digits stand in where the caller
    wrote something that Decimal cannot read but a float can.
    """
    if checked is None:
        return ""
    return plain_text(_exact(raw, checked))


def plain_text(value: Decimal) -> str:
    """The shortest text without an exponent."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _exact(raw: object, checked: float) -> Decimal:
    written = raw.text if isinstance(raw, ExactFloat) else raw
    if isinstance(written, str | int) and not isinstance(written, bool):
        try:
            return Decimal(written)
        except InvalidOperation:
            pass
    return Decimal(repr(checked))
