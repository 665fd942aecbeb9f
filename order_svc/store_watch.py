"""Whether the journal can be written, as health shows it: found by the orders' own writes, ended by a probe."""

from typing import Final

from loguru import logger

from order_svc.journal import Journal
from order_svc.refusals import JournalUnavailable
from order_svc.trade_health import Obstacle, TradeHealth

PROBE_SECONDS: Final = 2.0


class StoreWatch:
    """Takes `trade` off while writes fail, and puts it back when one succeeds."""

    def __init__(self, journal: Journal, health: TradeHealth) -> None:
        self._journal = journal
        self._health = health
        journal.tell_of_faults(self._note)

    async def probe(self) -> None:
        """Writes to the journal if its last write failed: while health keeps callers away nobody else would."""
        if Obstacle.STORE not in self._health.obstacles:
            return
        try:
            await self._journal.probe()
        except JournalUnavailable:
            return

    async def _note(self, fault: JournalUnavailable | None) -> None:
        if (fault is not None) is (Obstacle.STORE in self._health.obstacles):
            return
        if fault is None:
            logger.info("The journal can be written again")
        else:
            logger.error(f"No new orders: {fault.message}")
        await self._health.note(Obstacle.STORE, stands=fault is not None)
