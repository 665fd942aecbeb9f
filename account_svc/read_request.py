"""Requests read: every field that is wrong is named at once, with its path, what came and what is wanted."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum
from typing import Final, Protocol, TypeVar

from account_svc.order_terms import HoldId, OrderTerms, OrderType, Side
from broker.option_symbol import UnknownOptionSymbol, is_option_symbol, parse
from broker.reports import AssetClass
from broker.symbols import UnknownSymbol, asset_class_of, check_symbol
from runtime.errors import FieldViolation, MalformedRequest

__all__ = [
    "OrderQuestion",
    "account_text",
    "hold_to_release",
    "option_symbols",
    "order_to_authorise",
    "stock_symbols",
]

MAX_STOCK_SYMBOLS: Final = 100
MAX_OPTION_SYMBOLS: Final = 1_000

# Twelve digits before the point and nine after are what the broker takes; no exponent, sign or NaN.
_AMOUNT = re.compile(r"[0-9]{1,12}(\.[0-9]{1,9})?")
_HOLD_ID = re.compile(r"[ -~]{1,128}")
_SHOWN = 40

Choice = TypeVar("Choice", bound=Enum)


class OrderQuestion(Protocol):
    """The texts of an AuthorizeOrderRequest; empty stands for absent."""

    @property
    def account_id(self) -> str:
        """The account's id or name."""
        ...

    @property
    def hold_id(self) -> str:
        """The order's client_order_id."""
        ...

    @property
    def symbol(self) -> str:
        """Stock or option symbol."""
        ...

    @property
    def side(self) -> str:
        """Which way it trades: buy or sell."""
        ...

    @property
    def order_type(self) -> str:
        """How the order is priced."""
        ...

    @property
    def qty(self) -> str:
        """Shares or contracts."""
        ...

    @property
    def notional(self) -> str:
        """USD."""
        ...

    @property
    def limit_price(self) -> str:
        """USD."""
        ...

    @property
    def stop_price(self) -> str:
        """USD."""
        ...

    @property
    def closes_position(self) -> bool:
        """Whether the order only closes a position."""
        ...


@dataclass(slots=True)
class _Violations:
    """Collects what is wrong, so that a caller hears of everything at once."""

    found: list[FieldViolation] = field(default_factory=list)

    def add(self, path: str, description: str) -> None:
        self.found.append(FieldViolation(field=path, description=description))

    def raise_any(self) -> None:
        if self.found:
            raise MalformedRequest(self.found)


def account_text(account_id: str) -> str:
    """The id or name of an account; raises MalformedRequest when it is empty."""
    violations = _Violations()
    _check_account(account_id, violations)
    violations.raise_any()
    return account_id


def order_to_authorise(request: OrderQuestion) -> tuple[HoldId, OrderTerms]:
    """The hold and the order of a request; raises MalformedRequest."""
    violations = _Violations()
    _check_account(request.account_id, violations)
    _check_hold_id(request.hold_id, violations)
    _check_symbol(request.symbol, "symbol", violations)
    side = _choice(Side, request.side, "side", violations)
    order_type = _choice(OrderType, request.order_type, "order_type", violations)
    amounts = {
        name: _amount(getattr(request, name), name, violations)
        for name in ("qty", "notional", "limit_price", "stop_price")
    }
    _check_quantity(request, amounts["qty"], violations)
    if order_type is not None:
        _check_prices(request, order_type, violations)
    violations.raise_any()
    if side is None or order_type is None:
        raise AssertionError("a choice that is absent has a violation")
    terms = OrderTerms(
        symbol=request.symbol,
        side=side,
        order_type=order_type,
        qty=amounts["qty"],
        notional=amounts["notional"],
        limit_price=amounts["limit_price"],
        stop_price=amounts["stop_price"],
        closes_position=request.closes_position,
    )
    return HoldId(request.hold_id), terms


def hold_to_release(account_id: str, hold_id: str) -> HoldId:
    """The hold of a request; raises MalformedRequest when it or the account is not named properly."""
    violations = _Violations()
    _check_account(account_id, violations)
    _check_hold_id(hold_id, violations)
    violations.raise_any()
    return HoldId(hold_id)


def stock_symbols(symbols: Sequence[str]) -> Sequence[str]:
    """The stocks asked for, each once; raises MalformedRequest naming `symbols[i]`."""
    violations = _Violations()
    _check_count(symbols, MAX_STOCK_SYMBOLS, violations)
    for index, symbol in enumerate(symbols):
        path = f"symbols[{index}]"
        if _check_symbol(symbol, path, violations) and asset_class_of(symbol) is not AssetClass.US_EQUITY:
            violations.add(path, f"{_shown(symbol)} is not a stock symbol such as AAPL or BRK.B")
    violations.raise_any()
    return tuple(dict.fromkeys(symbols))


def option_symbols(symbols: Sequence[str]) -> Sequence[str]:
    """The contracts asked for in the compact form, each once; raises MalformedRequest naming `symbols[i]`."""
    violations = _Violations()
    _check_count(symbols, MAX_OPTION_SYMBOLS, violations)
    compact: dict[str, None] = {}
    for index, symbol in enumerate(symbols):
        try:
            compact[str(parse(symbol))] = None
        except UnknownOptionSymbol as error:
            violations.add(f"symbols[{index}]", error.message)
    violations.raise_any()
    return tuple(compact)


def _check_account(account_id: str, violations: _Violations) -> None:
    if not account_id:
        violations.add("account_id", "is empty; give an account's id or name")


def _check_hold_id(hold_id: str, violations: _Violations) -> None:
    if not _HOLD_ID.fullmatch(hold_id):
        violations.add("hold_id", f"{_shown(hold_id)} is not 1 to 128 printable ASCII characters")


def _check_symbol(symbol: str, path: str, violations: _Violations) -> bool:
    try:
        check_symbol(symbol)
    except UnknownSymbol as error:
        violations.add(path, error.message)
        return False
    return True


def _check_count(symbols: Sequence[str], most: int, violations: _Violations) -> None:
    if not 1 <= len(symbols) <= most:
        violations.add("symbols", f"has {len(symbols)} entries; 1 to {most} are wanted")


def _check_quantity(request: OrderQuestion, qty: Decimal | None, violations: _Violations) -> None:
    if bool(request.qty) == bool(request.notional):
        violations.add("qty", "give either qty or notional, not both and not neither")
    if not is_option_symbol(request.symbol):
        return
    if request.notional:
        violations.add("notional", "options trade in contracts; give qty")
    if qty is not None and qty != qty.to_integral_value():
        violations.add("qty", f"{qty} is not a whole number of contracts")


def _check_prices(request: OrderQuestion, order_type: OrderType, violations: _Violations) -> None:
    if order_type.needs_limit_price and not request.limit_price:
        violations.add("limit_price", f"is empty; a {order_type.value} order needs it")
    if order_type.needs_stop_price and not request.stop_price:
        violations.add("stop_price", f"is empty; a {order_type.value} order needs it")


def _choice(choices: type[Choice], text: str, path: str, violations: _Violations) -> Choice | None:
    try:
        return choices(text)
    except ValueError:
        wanted = ", ".join(choice.value for choice in choices)
        violations.add(path, f"{_shown(text)} is not one of {wanted}")
        return None


def _amount(text: str, path: str, violations: _Violations) -> Decimal | None:
    if not text:
        return None
    amount = Decimal(text) if _AMOUNT.fullmatch(text) else Decimal(0)
    if amount <= 0:
        wanted = "a decimal above 0 with at most 12 digits before and 9 after the point"
        violations.add(path, f"{_shown(text)} is not {wanted}")
        return None
    return amount


def _shown(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…")
