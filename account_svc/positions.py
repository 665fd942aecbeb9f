"""What accounts hold; one that cannot be read delays and hides no other."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from account_svc.account_log import account_log
from account_svc.ports import Account
from broker.reports import BrokerPosition, Listing
from runtime.clock import Clock
from runtime.context import remaining_seconds
from runtime.errors import ServiceError

READ_SECONDS: Final = 2.0
"""For one account (reliability.md, section 6)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldPositions:
    """What one account holds, or why that is not known."""

    account_id: str
    listing: Listing[BrokerPosition] | None
    """`None` when it could not be read: never the same as holding nothing (I10)."""
    problem: str
    """Why it could not be read; empty otherwise."""
    read_at: datetime
    """When it was asked for."""


class Positions:
    """Reads positions from the broker; safe to repeat."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock

    async def read(self, accounts: Sequence[Account]) -> Sequence[HeldPositions]:
        """Every account's positions, read at the same time; an account that fails says so in its entry.

        A single account has nobody to hide behind: its failure is raised as the broker's error.
        """
        if len(accounts) == 1:
            return [await self._read(accounts[0])]
        return await asyncio.gather(*(self._read_or_tell(account) for account in accounts))

    async def _read(self, account: Account) -> HeldPositions:
        read_at = self._clock.now()
        listing = await account.client.list_positions(timeout=remaining_seconds(READ_SECONDS, self._clock))
        return HeldPositions(account_id=account.account_id, listing=listing, problem="", read_at=read_at)

    async def _read_or_tell(self, account: Account) -> HeldPositions:
        read_at = self._clock.now()
        try:
            return await self._read(account)
        except ServiceError as error:
            account_log(account.standing).warning(f"Positions cannot be read: {error.message}")
            return HeldPositions(
                account_id=account.account_id, listing=None, problem=error.message, read_at=read_at
            )
