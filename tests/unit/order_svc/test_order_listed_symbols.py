from __future__ import annotations

import pytest

from broker.reports import PositionIntent
from broker.symbols import UnknownSymbol
from fakes.order_values import content
from fakes.scripted_orders import ScriptedOrders
from order_svc import listed_symbols
from order_svc.listed_symbols import ListedSymbols


async def test_a_symbol_that_the_broker_does_not_list_is_refused_by_name() -> None:
    symbols, broker = ListedSymbols(), ScriptedOrders(unlisted=frozenset({"NOSUCH"}))

    with pytest.raises(UnknownSymbol) as refused:
        await symbols.check(broker, "NOSUCH")

    assert [violation.field for violation in refused.value.violations] == ["symbol"]
    assert "NOSUCH" in refused.value.message


async def test_a_listed_symbol_is_asked_for_once_and_an_unlisted_one_each_time() -> None:
    symbols, broker = ListedSymbols(), ScriptedOrders(unlisted=frozenset({"NOSUCH"}))
    for _ in range(2):
        with pytest.raises(UnknownSymbol):
            await symbols.check(broker, "NOSUCH")
    await symbols.check(broker, "AAPL")

    assert broker.asked_for == ["NOSUCH", "NOSUCH", "AAPL"]
    assert not symbols.is_open(content(symbol="AAPL"))
    assert symbols.is_open(content(symbol="NOSUCH"))


async def test_a_broker_that_cannot_be_asked_decides_on_the_order_itself() -> None:
    symbols = ListedSymbols()

    await symbols.check(ScriptedOrders(fails=True), "AAPL")

    assert symbols.is_open(content(symbol="AAPL"))


async def test_without_time_left_nothing_is_asked() -> None:
    symbols, broker = ListedSymbols(), ScriptedOrders(unlisted=frozenset({"NOSUCH"}))

    await symbols.check(broker, "NOSUCH", within_seconds=0.0)

    assert broker.asked_for == []


def test_an_order_that_only_closes_does_not_wait_for_a_look_up() -> None:
    closing = content(symbol="AAPL", position_intent=PositionIntent.SELL_TO_CLOSE)

    assert not ListedSymbols().is_open(closing)


async def test_the_memory_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listed_symbols, "MOST_REMEMBERED", 2)
    symbols, broker = ListedSymbols(), ScriptedOrders()

    for symbol in ("A", "B", "C"):
        await symbols.check(broker, symbol)

    assert [symbols.is_open(content(symbol=symbol)) for symbol in ("A", "B", "C")] == [True, True, False]
