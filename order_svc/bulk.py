"""One order for many accounts at once: each its own placement, the results in the configuration's order."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from order_svc.attempt_log import AttemptLog, Sketch
from order_svc.content import OrderContent
from order_svc.identifiers import AccountId, ClientOrderId, make_attempt_id, make_client_order_id
from order_svc.place import PlaceOrder, Placing
from order_svc.ports import EveryAccount
from order_svc.receipt import Receipt
from order_svc.records import OrderRecord
from order_svc.refusals import SendDeadlinePassed
from order_svc.timing_line import AttemptKind
from runtime.clock import Clock
from runtime.errors import ServiceError

CONCURRENT_PLACEMENTS: Final = 32
"""At most so many accounts at once; the others wait their turn within the caller's time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkWish:
    """A checked wish to trade the same in many accounts."""

    accounts: tuple[str, ...]
    """Ids or names; empty for every enabled account."""
    client_order_id: ClientOrderId | None
    """The same in each account; `None`: one is made."""
    content: OrderContent


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkResult:
    """What became of the order in one account."""

    account_id: AccountId
    client_order_id: ClientOrderId
    outcome: OrderRecord | ServiceError


class BulkPlacing:
    """The use case behind BulkPlaceOrder."""

    def __init__(
        self, *, accounts: EveryAccount, placing: Placing, attempt_log: AttemptLog, clock: Clock
    ) -> None:
        self._accounts = accounts
        self._placing = placing
        self._attempt_log = attempt_log
        self._clock = clock

    async def place(self, wish: BulkWish, receipt: Receipt) -> tuple[BulkResult, ...]:
        """One result an account, in the order of the configuration; one that fails touches no other.

        Every account has its own guard, journal row and timing line. A repeat with the same
        client_order_id returns the first outcomes. Raises AccountNotFound before anything is placed.
        """
        account_ids = self._named(wish.accounts)
        key = wish.client_order_id or make_client_order_id(receipt.received_at)
        slots = asyncio.Semaphore(CONCURRENT_PLACEMENTS)
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(self._place(account_id, key, wish.content, receipt, slots))
                for account_id in account_ids
            ]
        return tuple(task.result() for task in tasks)

    def _named(self, names: Sequence[str]) -> tuple[AccountId, ...]:
        every = tuple(AccountId(account.account_id) for account in self._accounts.all())
        if not names:
            return every
        named = {self._accounts.resolve(name).account_id for name in names}
        return tuple(account_id for account_id in every if account_id in named)

    async def _place(
        self,
        account_id: AccountId,
        key: ClientOrderId,
        content: OrderContent,
        receipt: Receipt,
        slots: asyncio.Semaphore,
    ) -> BulkResult:
        own = replace(receipt, attempt_id=make_attempt_id(receipt.received_at))
        async with slots:
            try:
                with self._attempt_log.line_on_refusal(_sketch(account_id, key, content), own):
                    self._check_time(own)
                    wish = PlaceOrder(account=account_id, client_order_id=key, content=content)
                    outcome: OrderRecord | ServiceError = await self._placing.place(wish, own)
            except ServiceError as error:
                outcome = error
        return BulkResult(account_id=account_id, client_order_id=key, outcome=outcome)

    def _check_time(self, receipt: Receipt) -> None:
        """Begins nothing that could not be answered: its caller would read UNKNOWN of an order never tried."""
        if self._clock.monotonic() >= receipt.answer_by:
            raise SendDeadlinePassed(
                "the caller's time was over before this account's turn; nothing was sent"
            )


def _sketch(account_id: AccountId, key: ClientOrderId, content: OrderContent) -> Sketch:
    return Sketch(
        kind=AttemptKind.PLACE,
        account_id=account_id,
        client_order_id=key,
        side=content.side,
        symbol=content.symbol,
        qty="" if content.qty is None else format(content.qty, "f"),
        notional="" if content.notional is None else format(content.notional, "f"),
    )
