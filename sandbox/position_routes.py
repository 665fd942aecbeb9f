"""Ends positions: closing one or all at the market, and exercising options."""

from decimal import ROUND_DOWN, Decimal

from sandbox.accounts import Position
from sandbox.calls import Call, Reply
from sandbox.decimal_text import find_decimal, plain
from sandbox.errors import AlpacaError, bad_field, forbidden, not_found, refused
from sandbox.expiry import Outcome, end_position
from sandbox.instant import new_york_date
from sandbox.instruments import OptionContract, Stock
from sandbox.order_routes import cancel_all
from sandbox.orders import Order, OrderClass, OrderTicket, OrderType, Side, TimeInForce
from sandbox.sessions import Phase
from sandbox.trading_json import order_json
from sandbox.valuation import held_units

_ZERO, _HUNDRED = Decimal(0), Decimal(100)
_SMALLEST_QTY = Decimal("0.000000001")


def close_position(call: Call) -> Reply:
    """DELETE /v2/positions/{symbol_or_asset_id}?qty= or percentage=: the order that closes it."""
    instrument = call.exchange.catalogue.find_either(call.parts["symbol_or_asset_id"])
    position = call.account.positions.get(instrument.symbol) if instrument else None
    if position is None:
        raise not_found("position does not exist")
    return Reply(body=order_json(_close(call, position, _wanted_qty(call, position))))


def close_positions(call: Call) -> Reply:
    """DELETE /v2/positions?cancel_orders=: one entry for each position, its order or why there is none."""
    if call.query.get("cancel_orders", "").lower() == "true":
        cancel_all(call)
        call.exchange.advance(call.now)
    return Reply(
        status=207, body=[_close_entry(call, position) for position in [*call.account.positions.values()]]
    )


def exercise(call: Call) -> Reply:
    """POST /v2/positions/{symbol_or_contract_id}/exercise: all contracts held, at once."""
    contract, position = _held_contract(call)
    closed = call.exchange.calendar.phase(call.now) is Phase.POST_MARKET
    if closed:
        raise refused("exercise requests are not accepted between market close and midnight")
    held = held_units(call.account, contract.symbol)
    if held:
        raise forbidden("no available position for the specified contract", held_for_orders=plain(held))
    underlying = call.exchange.instrument(contract.underlying_symbol)
    _check_affordable(call, contract, position)
    end_position(call.account, contract, underlying, outcome=Outcome.EXERCISED, at=call.now)
    return Reply()


def do_not_exercise(call: Call) -> Reply:
    """POST /v2/positions/{symbol_or_contract_id}/do-not-exercise: it lapses at expiry, whatever it is worth."""
    contract, _ = _held_contract(call)
    call.account.declined_exercises.add(contract.symbol)
    return Reply()


def _close_entry(call: Call, position: Position) -> dict[str, object]:
    symbol = position.instrument.symbol
    try:
        order = _close(call, position, abs(position.qty))
    except AlpacaError as error:
        return {"symbol": symbol, "status": error.status, "body": error.body()}
    return {"symbol": symbol, "status": 200, "body": order_json(order)}


def _close(call: Call, position: Position, qty: Decimal) -> Order:
    return call.exchange.submit(
        call.account,
        OrderTicket(
            symbol=position.instrument.symbol,
            side=Side.SELL if position.qty > _ZERO else Side.BUY,
            order_type=OrderType.MARKET,
            time_in_force=TimeInForce.DAY,
            qty=qty,
            notional=None,
            limit_price=None,
            stop_price=None,
            trail_price=None,
            trail_percent=None,
            extended_hours=False,
            client_order_id=None,
            position_intent=None,
            order_class=OrderClass.UNSAID,
        ),
        call.now,
    )


def _wanted_qty(call: Call, position: Position) -> Decimal:
    size = abs(position.qty)
    qty, percentage = _number(call, "qty"), _number(call, "percentage")
    if qty is not None and percentage is not None:
        raise bad_field("only one of qty or percentage is accepted")
    if percentage is not None:
        if percentage > _HUNDRED:
            raise bad_field("percentage must be between 0 and 100")
        whole = not isinstance(position.instrument, Stock)
        step = Decimal(1) if whole else _SMALLEST_QTY
        qty = (size * percentage / _HUNDRED).quantize(step, rounding=ROUND_DOWN)
        if not qty:
            raise bad_field("percentage results in a qty of 0")
    return size if qty is None else qty


def _number(call: Call, name: str) -> Decimal | None:
    text = call.query.get(name)
    if not text:
        return None
    number = find_decimal(text)
    exponent = number.as_tuple().exponent if number is not None else 0
    if (
        number is None
        or number <= _ZERO
        or number > Decimal(10) ** 12
        or not isinstance(exponent, int)
        or exponent < -9
    ):
        raise bad_field(f"invalid {name}: {text}")
    return number


def _held_contract(call: Call) -> tuple[OptionContract, Position]:
    contract = call.exchange.catalogue.find_either(call.parts["symbol_or_contract_id"])
    if not isinstance(contract, OptionContract):
        raise refused("invalid symbol")
    position = call.account.positions.get(contract.symbol)
    if position is None or contract.expiration_date < new_york_date(call.now):
        raise forbidden("no available position for the specified contract")
    if position.qty < _ZERO:
        raise AlpacaError(403, 40310001, "cannot exercise short position")
    return contract, position


def _check_affordable(call: Call, contract: OptionContract, position: Position) -> None:
    """A call is paid for in cash, a put delivers shares that are held and free."""
    if contract.option_type.value == "call":
        needed = position.qty * contract.strike_price * contract.multiplier
        if needed > call.account.cash:
            raise forbidden("insufficient buying power to exercise the contract")
        return
    shares = position.qty * contract.size
    symbol = contract.underlying_symbol
    if shares > call.account.position_qty(symbol) - held_units(call.account, symbol):
        raise forbidden("insufficient underlying qty to exercise the contract")
