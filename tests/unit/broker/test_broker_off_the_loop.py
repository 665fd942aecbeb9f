"""Large answers are read in a thread, so that the event loop stays free for orders."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, cast

from broker.bars import BarsQuery, Timeframe, read_bars
from broker.caller import Caller
from broker.option_chain import ChainQuery, read_chain
from broker.rate_budget import Priority
from fakes.recorded_market import LATER


class Watched(dict[str, Any]):
    """Knows which thread went through it."""

    reader: threading.Thread | None = None

    def items(self) -> Any:
        self.reader = threading.current_thread()
        return super().items()


class WatchedList(list[object]):
    """The same for a list."""

    reader: threading.Thread | None = None

    def __iter__(self) -> Iterator[object]:
        self.reader = threading.current_thread()
        return super().__iter__()


class Answering:
    """A caller that has the answer already."""

    def __init__(self, answer: object) -> None:
        self._answer = answer

    async def read(self, *_: object, **__: object) -> object:
        return self._answer


def caller(answer: object) -> Caller:
    # It stands in for the one method that is called.
    return cast("Caller", Answering(answer))


async def test_a_chain_is_not_read_on_the_event_loop() -> None:
    entries = Watched({LATER: {}})

    found = await read_chain(
        caller(entries),
        lambda _request: None,
        ChainQuery(underlying_symbol="AAPL"),
        priority=Priority.READ,
        timeout=1.0,
    )

    assert [str(one.contract) for one in found.items] == [LATER]
    assert entries.reader not in {None, threading.current_thread()}


async def test_bars_are_not_read_on_the_event_loop() -> None:
    entries = WatchedList()
    at = datetime(2025, 9, 1, tzinfo=UTC)

    await read_bars(
        caller(entries),
        lambda _request: None,
        BarsQuery(symbol="AAPL", timeframe=Timeframe.DAY, start=at, end=at, limit=1),
        paper=True,
        priority=Priority.READ,
        timeout=1.0,
    )

    assert entries.reader not in {None, threading.current_thread()}
