"""Reads the newest price of many symbols, so that neither a long list nor one bad symbol spoils it."""

# ruff: noqa: ASYNC109 - a time limit is a value here: it spans several steps, and is part of the port

import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol, TypeVar

from broker.caller import Caller
from broker.faults import BrokerRefused
from broker.rate_budget import Priority
from broker.report_parsing import by_symbol
from broker.reports import Latest
from runtime.clock import Clock

__all__ = ["read_latest"]

SYMBOLS_PER_REQUEST = 100
"""Alpaca's limit for options; for stocks it keeps the URL short enough."""

_INVALID_SYMBOL = re.compile(r"invalid symbol: (\S+)")
_NO_PRICE = "the broker has no price for it"
_INVALID = "the broker calls it invalid"


class Priced(Protocol):
    """A quote or a trade: it names its symbol."""

    @property
    def symbol(self) -> str:
        """The symbol as it was asked for."""
        ...


T = TypeVar("T", bound=Priced)


async def read_latest(
    caller: Caller,
    ask: Callable[[list[str]], object],
    parse: Callable[[str, object], T],
    symbols: Sequence[str],
    *,
    priority: Priority,
    timeout: float,
    clock: Clock,
) -> Latest[T]:
    """The newest price of each symbol; `ask` is alpaca-py's request for a list of them."""
    deadline = clock.monotonic() + timeout
    wanted = list(dict.fromkeys(symbols))
    found: dict[str, T] = {}
    missing: dict[str, str] = {}
    while wanted:
        batch, wanted = wanted[:SYMBOLS_PER_REQUEST], wanted[SYMBOLS_PER_REQUEST:]
        try:
            listed = await caller.read(
                partial(ask, batch),
                lambda raw, _: by_symbol(raw, parse),
                priority=priority,
                timeout=deadline - clock.monotonic(),
            )
        except BrokerRefused as e:
            # One malformed symbol has the whole list refused: leave it out and ask for the others.
            invalid = _invalid_symbol(e, batch)
            if invalid is None:
                raise
            missing[invalid] = _INVALID
            wanted = [symbol for symbol in batch if symbol != invalid] + wanted
            continue
        found |= {symbol: price for symbol, price in listed.found.items() if symbol in batch}
        missing |= {symbol: listed.missing.get(symbol, _NO_PRICE) for symbol in batch if symbol not in found}
    return Latest(found=found, missing=missing)


def _invalid_symbol(refusal: BrokerRefused, batch: Sequence[str]) -> str | None:
    named = _INVALID_SYMBOL.search(refusal.metadata.get("broker_message", ""))
    return named[1] if named is not None and named[1] in batch else None
