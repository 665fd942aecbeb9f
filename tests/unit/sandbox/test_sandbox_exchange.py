"""How orders live on the exchange: when they trade, wait, end, and what they leave behind."""

from __future__ import annotations

from decimal import Decimal

import pytest

from sandbox.errors import AlpacaError
from sandbox.floor import Latencies
from sandbox.instant import rfc3339
from sandbox.orders import Order, OrderStatus
from sandbox_desk import AT_NIGHT, BEFORE_OPEN, CALL, Desk, open_desk

SECOND = 1_000_000_000


def events(order: Order) -> list[str]:
    return [transition.event for transition in order.history]


@pytest.fixture
def desk() -> Desk:
    return open_desk()


class TestMarketable:
    @pytest.mark.parametrize(
        ("side", "price"), [("buy", "100.02"), ("sell", "99.98")], ids=["buy at the ask", "sell at the bid"]
    )
    def test_a_market_order_is_pending_first_and_then_trades_at_the_touch(
        self, desk: Desk, side: str, price: str
    ) -> None:
        desk.hold("AAPL", "5")
        order = desk.submit(side=side, qty="2")
        first = order.status
        desk.wait()

        assert (first, order.status) == (OrderStatus.PENDING_NEW, OrderStatus.FILLED)
        assert order.filled_avg_price == Decimal(price)
        assert events(order) == ["accepted", "new", "fill"]

    def test_a_limit_order_gets_the_better_price_of_the_touch(self, desk: Desk) -> None:
        order = desk.placed(type="limit", limit_price="105")

        assert order.filled_avg_price == Decimal("100.02")

    def test_a_limit_order_waits_and_trades_when_the_market_crosses_it(self, desk: Desk) -> None:
        order = desk.placed(type="limit", limit_price="99")
        waiting = order.status
        desk.quote("AAPL", "98.90", "99.01")
        near = order.status
        desk.quote("AAPL", "98.90", "99.00")

        assert (waiting, near, order.status) == (OrderStatus.NEW, OrderStatus.NEW, OrderStatus.FILLED)

    def test_nothing_trades_against_an_empty_side(self, desk: Desk) -> None:
        desk.quote("AAPL", "99.98", "0", last="100")
        order = desk.placed()

        assert order.status is OrderStatus.NEW

    def test_the_fill_latency_is_how_long_an_order_stays_pending(self) -> None:
        desk = open_desk(latencies=Latencies(fill_ns=SECOND))
        order = desk.submit()
        desk.wait(999)
        before = order.status
        desk.wait(1)

        assert (before, order.status) == (OrderStatus.PENDING_NEW, OrderStatus.FILLED)


class TestStops:
    def test_a_sell_stop_trades_at_the_bid_once_the_market_has_fallen_to_it(self, desk: Desk) -> None:
        desk.hold("AAPL", "1")
        order = desk.placed(side="sell", type="stop", stop_price="95")
        desk.quote("AAPL", "95.01", "95.03")
        above = order.status
        desk.quote("AAPL", "94.90", "95.05")

        assert (above, order.status) == (OrderStatus.NEW, OrderStatus.FILLED)
        assert order.filled_avg_price == Decimal("94.90")

    def test_a_triggered_stop_limit_waits_for_its_limit_even_when_the_market_turns_back(
        self, desk: Desk
    ) -> None:
        order = desk.placed(type="stop_limit", stop_price="105", limit_price="104")
        desk.quote("AAPL", "105.00", "105.10")
        triggered = order.status
        desk.quote("AAPL", "103.90", "104.00")

        assert (triggered, order.status) == (OrderStatus.NEW, OrderStatus.FILLED)
        assert order.filled_avg_price == Decimal("104.00")

    def test_a_trailing_stop_follows_the_high_and_never_goes_back(self, desk: Desk) -> None:
        desk.hold("AAPL", "1")
        order = desk.placed(side="sell", type="trailing_stop", trail_price="2")
        first = order.stop_price
        desk.quote("AAPL", "109.98", "110.02")
        highest = order.stop_price
        desk.quote("AAPL", "108.48", "108.52")

        assert [first, highest, order.stop_price] == [Decimal(98), Decimal(108), Decimal(108)]
        assert order.high_water_mark == 110
        waiting = order.status
        desk.quote("AAPL", "107.90", "107.94")
        assert (waiting, order.status) == (OrderStatus.NEW, OrderStatus.FILLED)


class TestTimeInForce:
    @pytest.mark.parametrize("tif", ["ioc", "fok"])
    def test_what_must_trade_at_once_and_cannot_is_canceled(self, desk: Desk, tif: str) -> None:
        order = desk.placed(type="limit", limit_price="99", time_in_force=tif)

        assert order.status is OrderStatus.CANCELED
        assert order.canceled_at is not None

    def test_a_day_order_expires_at_the_close_and_not_before(self, desk: Desk) -> None:
        order = desk.placed(type="limit", limit_price="99")
        desk.at("2026-11-24T20:59:59Z")
        before = order.status
        desk.at("2026-11-25T03:00:00Z")

        assert (before, order.status) == (OrderStatus.NEW, OrderStatus.EXPIRED)
        assert order.expired_at is not None
        assert rfc3339(order.expired_at) == "2026-11-24T21:00:00Z"

    def test_a_day_order_of_the_day_after_thanksgiving_expires_at_the_early_close(self) -> None:
        desk = open_desk("2026-11-27T17:00:00Z")
        order = desk.placed(type="limit", limit_price="99")
        desk.at("2026-11-27T18:00:00Z")

        assert order.status is OrderStatus.EXPIRED

    def test_a_gtc_order_lives_for_ninety_days_and_is_then_canceled(self, desk: Desk) -> None:
        order = desk.placed(type="limit", limit_price="50", time_in_force="gtc")
        desk.at("2027-02-21T12:00:00Z")
        before = order.status
        desk.at("2027-02-24T12:00:00Z")

        assert (before, order.status) == (OrderStatus.NEW, OrderStatus.CANCELED)

    def test_a_market_order_sent_at_night_is_accepted_and_trades_at_the_open(self) -> None:
        desk = open_desk(AT_NIGHT)
        order = desk.placed()
        at_night = order.status
        desk.at("2026-11-24T14:29:59Z")
        before = order.status
        desk.at("2026-11-24T14:30:00Z")

        assert (at_night, before, order.status) == (
            OrderStatus.ACCEPTED,
            OrderStatus.ACCEPTED,
            OrderStatus.FILLED,
        )
        assert order.filled_at is not None
        assert rfc3339(order.filled_at) == "2026-11-24T14:30:00Z"

    def test_only_an_extended_hours_order_trades_before_the_open(self) -> None:
        desk = open_desk(BEFORE_OPEN)
        early = desk.placed(type="limit", limit_price="101", extended_hours=True)
        plain = desk.placed(type="limit", limit_price="101")

        assert (early.status, plain.status) == (OrderStatus.FILLED, OrderStatus.ACCEPTED)

    def test_an_opening_auction_order_trades_at_the_open_or_never(self) -> None:
        desk = open_desk(AT_NIGHT)
        good = desk.placed(time_in_force="opg")
        dear = desk.placed(time_in_force="opg", type="limit", limit_price="90")
        desk.at("2026-11-24T14:30:00Z")

        assert (good.status, dear.status) == (OrderStatus.FILLED, OrderStatus.CANCELED)

    def test_a_closing_auction_order_trades_at_the_close_only(self, desk: Desk) -> None:
        order = desk.placed(time_in_force="cls")
        desk.quote("AAPL", "101.98", "102.02")
        before = order.status
        desk.at("2026-11-24T21:00:00Z")

        assert not before.is_final
        assert (order.status, order.filled_avg_price) == (OrderStatus.FILLED, Decimal("102.02"))


class TestCancel:
    def test_a_cancel_is_done_on_the_next_read(self, desk: Desk) -> None:
        order = desk.placed(type="limit", limit_price="99")
        desk.cancel(order)
        asked = order.status
        desk.wait()

        assert (asked, order.status) == (OrderStatus.PENDING_CANCEL, OrderStatus.CANCELED)

    def test_an_order_may_still_fill_while_its_cancel_is_pending(self) -> None:
        desk = open_desk(latencies=Latencies(cancel_ns=SECOND))
        order = desk.placed(type="limit", limit_price="99")
        desk.cancel(order)
        desk.quote("AAPL", "98.90", "98.95")
        desk.wait(2_000)

        assert order.status is OrderStatus.FILLED
        assert events(order) == ["accepted", "new", "pending_cancel", "fill"]

    def test_a_canceled_order_keeps_what_was_filled_and_frees_the_rest(self, desk: Desk) -> None:
        desk.exchange.set_auto_match(enabled=False, now=desk.now)
        order = desk.placed(qty="10", type="limit", limit_price="100")
        desk.exchange.fill(order, qty=Decimal(4), price=Decimal(100), now=desk.now)
        partly = (order.status, desk.account.held_margin)
        desk.cancel(order)
        desk.wait()

        assert partly == (OrderStatus.PARTIALLY_FILLED, Decimal(300))
        assert (order.status, order.filled_qty) == (OrderStatus.CANCELED, Decimal(4))
        assert desk.account.held_margin == 0
        assert desk.account.cash == 100_000 - 400

    def test_a_part_that_is_no_finite_fraction_frees_its_hold_to_the_cent(self, desk: Desk) -> None:
        order = desk.placed(qty="3", type="limit", limit_price="99.01")
        desk.exchange.fill(order, qty=Decimal(2), price=Decimal("99.01"), now=desk.now)

        assert desk.account.held_margin == Decimal("49.505")

    @pytest.mark.parametrize("ending", ["filled", "canceled", "rejected", "expired"])
    def test_what_is_final_is_not_canceled_again(self, desk: Desk, ending: str) -> None:
        order = desk.placed(type="limit", limit_price="99")
        if ending == "filled":
            desk.exchange.fill(order, qty=Decimal(1), price=Decimal(99), now=desk.now)
        elif ending == "canceled":
            desk.cancel(order)
        elif ending == "rejected":
            desk.exchange.reject(order, desk.now)
        else:
            desk.at("2026-11-25T00:00:00Z")

        with pytest.raises(AlpacaError, match=f'order is already in "{ending}" state') as caught:
            desk.cancel(order)
        assert (caught.value.status, caught.value.code) == (422, 42210000)


class TestBooks:
    def test_a_rejection_after_acceptance_frees_the_hold(self, desk: Desk) -> None:
        order = desk.placed(type="limit", limit_price="99", qty="10")
        held = desk.account.held_margin
        desk.exchange.reject(order, desk.now)

        assert held == 495
        assert desk.account.held_margin == 0
        assert order.failed_at == desk.now

    def test_fills_average_the_entry_price_and_sales_keep_it(self, desk: Desk) -> None:
        desk.placed(qty="10")
        desk.quote("AAPL", "109.98", "110.02")
        desk.placed(qty="10")
        desk.placed(side="sell", qty="5")

        position = desk.account.positions["AAPL"]
        assert (position.qty, position.avg_entry_price) == (Decimal(15), Decimal("105.02"))

    def test_an_option_costs_a_hundred_times_its_price(self, desk: Desk) -> None:
        desk.placed(symbol=CALL, qty="2")

        assert desk.account.cash == 100_000 - 2_010
        assert desk.account.positions[CALL].cost_basis == 2_010

    def test_two_orders_never_share_a_time_stamp_while_the_clock_stands(self, desk: Desk) -> None:
        stamps = [desk.placed().submitted_at for _ in range(3)]

        assert sorted(set(stamps)) == stamps

    def test_without_automatic_matching_an_order_waits_to_be_filled_by_hand(self, desk: Desk) -> None:
        desk.exchange.set_auto_match(enabled=False, now=desk.now)
        order = desk.placed(qty="2")
        waiting = order.status
        desk.exchange.set_auto_match(enabled=True, now=desk.now)

        assert (waiting, order.status) == (OrderStatus.NEW, OrderStatus.FILLED)

    def test_a_sale_for_an_amount_never_sells_more_than_is_held_when_the_price_falls(self) -> None:
        desk = open_desk(AT_NIGHT)
        desk.hold("AAPL", "1")
        order = desk.placed(side="sell", notional="99.98")
        desk.quote("AAPL", "49.98", "50.02")
        desk.at("2026-11-24T14:30:00Z")

        assert (order.status, order.filled_qty) == (OrderStatus.FILLED, Decimal(1))
        assert desk.account.positions == {}

    def test_more_than_what_is_left_cannot_be_filled_by_hand(self, desk: Desk) -> None:
        order = desk.placed(type="limit", limit_price="99", qty="2")

        with pytest.raises(ValueError, match="only 2 left"):
            desk.exchange.fill(order, qty=Decimal(3), price=Decimal(99), now=desk.now)

    def test_a_replaced_account_starts_clean_and_no_longer_finds_the_old_orders(self, desk: Desk) -> None:
        order = desk.placed(type="limit", limit_price="99")
        successor = open_desk(cash="5").account
        desk.exchange.open_account(successor, desk.now)

        assert order.status is OrderStatus.CANCELED
        with pytest.raises(AlpacaError) as caught:
            desk.exchange.find_order(successor, order.order_id)
        assert caught.value.status == 404
