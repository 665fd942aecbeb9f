"""Places an order: journalled once, carried to the broker in a task of the service's own, answered in time."""

import asyncio
from dataclasses import dataclass, replace
from typing import Final

from loguru import logger

from order_svc.checkpoints import Checkpoint
from order_svc.content import OrderContent, fingerprint
from order_svc.identifiers import AccountId, ClientOrderId, OrderKey, make_client_order_id
from order_svc.in_flight import Flight, InFlight
from order_svc.journal_changes import Known, Opened, Opening, Reused
from order_svc.journey import CLOSE_MARGIN_SECONDS, Journey, JourneyTools
from order_svc.lifecycle import OrderState
from order_svc.listed_symbols import ListedSymbols
from order_svc.ports import Accounts, TradingAccount
from order_svc.readiness import Readiness
from order_svc.receipt import Receipt
from order_svc.records import AttemptRecord, OrderRecord
from order_svc.refusals import ClientOrderIdReused, JournalUnavailable, NeverSent
from order_svc.timing_line import AttemptKind
from order_svc.unsent import Unsent
from runtime.context import use_deadline
from runtime.errors import ServiceError

LOOKUP_SHARE: Final = 0.25
"""Of the caller's time, for the look-up of its symbol: the rest is for the order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceOrder:
    """A checked wish to trade."""

    account: str
    """The account's id or name."""
    client_order_id: ClientOrderId | None
    """`None`: one is made before anything is sent."""
    content: OrderContent


class Placing:
    """The use case behind PlaceOrder."""

    def __init__(
        self,
        *,
        accounts: Accounts,
        readiness: Readiness,
        symbols: ListedSymbols,
        unsent: Unsent,
        tools: JourneyTools,
    ) -> None:
        self._accounts = accounts
        self._readiness = readiness
        self._symbols = symbols
        self._unsent = unsent
        self._tools = tools
        self._in_flight = InFlight()

    async def place(self, wish: PlaceOrder, receipt: Receipt) -> OrderRecord:
        """The order with its outcome; state UNKNOWN where that is not known in the caller's time.

        A caller that goes away changes nothing: the order is carried on. Raises what keeps an order from
        the journal: Recovering, Draining, AccountNotFound, UnknownSymbol, ClientOrderIdReused,
        JournalUnavailable.
        """
        self._readiness.check()
        account = self._accounts.resolve(wish.account)
        self._tools.checkpoint(Checkpoint.AFTER_VALIDATE)
        made = make_client_order_id(receipt.received_at)
        key = OrderKey(AccountId(account.account_id), wish.client_order_id or made)
        task = self._join(key, wish.content)
        if task is None:
            # Before the journal has the intent nothing may be told of it but that it was refused.
            await self._check_symbol(key, wish.content, account, receipt)
            task = self._join(key, wish.content) or self._start(key, wish.content, account, receipt)
        left = receipt.answer_by - self._tools.clock.monotonic()
        await asyncio.wait({task}, timeout=max(0.0, left))
        if task.done():
            return task.result()
        return await self._as_unknown(_draft(key, wish.content, account, receipt))

    def _join(self, key: OrderKey, content: OrderContent) -> asyncio.Task[OrderRecord] | None:
        flight = self._in_flight.find(key)
        if flight is not None and flight.fingerprint != fingerprint(content):
            raise _reused(key)
        return None if flight is None else flight.task

    def _start(
        self, key: OrderKey, content: OrderContent, account: TradingAccount, receipt: Receipt
    ) -> asyncio.Task[OrderRecord]:
        task = self._tools.tasks.spawn(
            self._carry(key, content, account, receipt), name=f"place {key.client_order_id}"
        )
        task.add_done_callback(_note_failure)
        self._in_flight.add(key, Flight(fingerprint=fingerprint(content), task=task))
        return task

    async def _carry(
        self, key: OrderKey, content: OrderContent, account: TradingAccount, receipt: Receipt
    ) -> OrderRecord:
        # The order's own calls must not end with its caller's time.
        with use_deadline(None):
            draft = _draft(key, content, account, receipt)
            attempt = _attempt(draft, receipt)
            match await self._open(draft, attempt):
                case Opened() as opened:
                    journey = Journey(
                        self._tools,
                        account=account,
                        record=opened.record,
                        attempt=attempt,
                        receipt=receipt,
                        recent_orders=opened.recent_attempts,
                    )
                    return await self._run(journey, opened.record, attempt, receipt)
                case Known() as known:
                    return await self._stored(known.record, receipt)
                case Reused():
                    raise _reused(key)

    async def _check_symbol(
        self, key: OrderKey, content: OrderContent, account: TradingAccount, receipt: Receipt
    ) -> None:
        # A known order keeps its outcome, whatever has become of its symbol since (I4).
        if self._symbols.is_open(content) and await self._tools.journal.find(key) is None:
            left = receipt.answer_by - self._tools.clock.monotonic()
            await self._symbols.check(account.client, content.symbol, within_seconds=left * LOOKUP_SHARE)

    async def _run(
        self, journey: Journey, record: OrderRecord, attempt: AttemptRecord, receipt: Receipt
    ) -> OrderRecord:
        try:
            self._tools.checkpoint(Checkpoint.AFTER_INTENT_COMMIT)
            return await journey.run()
        except ServiceError:
            raise
        except Exception:  # noqa: BLE001 - the top of a task: a bug must leave no order in doubt for long
            logger.exception(f"Placing {record.key.client_order_id} in {record.key.account_id} broke off")
            return await self._mend(record, attempt, receipt, is_logged=journey.has_written_line)

    async def _mend(
        self, record: OrderRecord, attempt: AttemptRecord, receipt: Receipt, *, is_logged: bool
    ) -> OrderRecord:
        """What recovery would do after a crash here: settled if nothing was sent, else looked up; one line."""
        key, logged = record.key, {attempt.attempt_id} if is_logged else set()
        found = await self._tools.journal.find(key) or record
        completed = await self._tools.journal.find_unlogged(attempt.attempt_id)
        if found.state in (OrderState.NEW, OrderState.HELD):
            await self._unsent.settle(found, logged)
            self._tools.holds.release_later(key, NeverSent.reason)
        elif completed is not None:
            self._tools.attempt_log.write_if_missing(replace(completed, recovered=True), logged)
        else:
            self._tools.resolver.watch(key, at_once=True)
            await self._tools.resolver.wait(key, until=receipt.answer_by - CLOSE_MARGIN_SECONDS)
            await self._unsent.close(attempt, logged)
        return await self._as_unknown(found)

    async def _open(self, draft: OrderRecord, attempt: AttemptRecord) -> Opening:
        opening = await self._tools.journal.open(draft, attempt)
        if isinstance(opening, Known) and opening.record.state in (OrderState.NEW, OrderState.HELD):
            # No task carries it, so an earlier one broke off before it could send.
            await self._unsent.settle(opening.record, await self._unsent.read_logged())
            return await self._tools.journal.open(draft, attempt)
        return opening

    async def _stored(self, record: OrderRecord, receipt: Receipt) -> OrderRecord:
        """A repeat's answer: the order as it stands, resolved first where its caller's time allows (I4)."""
        if record.state not in (OrderState.SENDING, OrderState.UNKNOWN):
            return record
        self._tools.resolver.watch(record.key)
        await self._tools.resolver.wait(record.key, until=receipt.answer_by)
        return await self._as_unknown(record)

    async def _as_unknown(self, fallback: OrderRecord) -> OrderRecord:
        """The order as journalled; UNKNOWN while it is on its way, so that nobody sends a second one."""
        try:
            # Its intent may wait for the disk still: what is told to a caller must survive a crash (I2).
            record = await self._tools.journal.find_after_writes(fallback.key) or fallback
        except JournalUnavailable:
            record = fallback
        return replace(record, state=OrderState.UNKNOWN) if record.state.is_unresolved else record


def _draft(key: OrderKey, content: OrderContent, account: TradingAccount, receipt: Receipt) -> OrderRecord:
    standing = account.standing
    return OrderRecord(
        key=key,
        content=content,
        state=OrderState.NEW,
        account_number=standing.account_number or "",
        account_type=standing.account_type.value if standing.account_type else "",
        received_at=receipt.received_at,
    )


def _attempt(draft: OrderRecord, receipt: Receipt) -> AttemptRecord:
    return AttemptRecord(
        attempt_id=receipt.attempt_id,
        kind=AttemptKind.PLACE,
        key=draft.key,
        order_id=None,
        side=draft.content.side,
        symbol=draft.content.symbol,
        qty=draft.content.qty,
        notional=draft.content.notional,
        account_number=draft.account_number,
        account_type=draft.account_type,
        request_id=receipt.request_id,
        received_at=receipt.received_at,
    )


def _reused(key: OrderKey) -> ClientOrderIdReused:
    return ClientOrderIdReused(
        f"client_order_id {key.client_order_id} belongs to another order of account {key.account_id}: "
        "choose a new one",
        metadata={"account_id": key.account_id, "client_order_id": key.client_order_id},
    )


def _note_failure(task: asyncio.Task[OrderRecord]) -> None:
    """Retrieves the error of a placement whose caller may be gone; a bug must be seen all the same."""
    error = None if task.cancelled() else task.exception()
    if error is not None and not isinstance(error, ServiceError):
        logger.opt(exception=error).error(f"{task.get_name()} failed")
