"""Whether the broker lists a symbol, asked before an order of it is taken into the journal."""

from typing import Final

from broker.rate_budget import Priority
from broker.symbols import UnknownSymbol
from order_svc.content import OrderContent
from order_svc.ports import OrderClient
from runtime.errors import FieldViolation, ServiceError

LOOKUP_SECONDS: Final = 1.0
MOST_REMEMBERED: Final = 100_000
"""Symbols; beyond it the memory starts anew, which costs a look-up each."""


class ListedSymbols:
    """Remembers what the broker lists; what it does not is asked again, since new symbols appear daily."""

    def __init__(self) -> None:
        self._listed: set[str] = set()

    def is_open(self, content: OrderContent) -> bool:
        """Whether the question still has to be asked.

        Not for an order that only closes a position: what is held exists, and an exit must not wait.
        """
        return not content.closes_position and content.symbol not in self._listed

    async def check(
        self, client: OrderClient, symbol: str, *, within_seconds: float = LOOKUP_SECONDS
    ) -> None:
        """Returns when the broker lists the symbol, or cannot be asked: then it decides on the order itself.

        Raises UnknownSymbol, naming the field, only where the broker itself says that there is none.
        """
        seconds = min(within_seconds, LOOKUP_SECONDS)
        if seconds <= 0:
            return
        try:
            listed = await client.lists(symbol, timeout=seconds, priority=Priority.OPEN)
        except ServiceError:
            return
        if not listed:
            problem = f"{symbol} is not listed by the broker: check its spelling"
            raise UnknownSymbol(problem, violations=(FieldViolation(field="symbol", description=problem),))
        if len(self._listed) >= MOST_REMEMBERED:
            self._listed.clear()
        self._listed.add(symbol)
