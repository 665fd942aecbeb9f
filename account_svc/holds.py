"""The holds on disk, and the one transaction that checks the balance and takes a hold.

Two things make it right with any number of callers, processes and replicas. The whole
decision is one transaction on the account's row, so two orders never see the same cash as
free. And each account has an epoch that advances when a hold ends because its order took
the cash: a reading of the cash asked for before that still shows the money, without the
hold that guarded it, so it may not be used any more.
"""

import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import ClassVar, Final

from sqlalchemy import Connection, select

from account_svc.grant import Claim, Grant, Outdated, Refusal
from account_svc.guard import Allowed, Decision
from account_svc.hold import HeldCash, Hold
from account_svc.hold_rows import advance, end, find, forget, list_open, read_epoch, save, to_hold
from account_svc.hold_tables import HOLDS, HoldState
from account_svc.order_terms import HoldId
from account_svc.settle import EndReason
from account_svc.snapshot import Snapshot
from runtime.clock import Clock
from runtime.errors import AlreadyExists, Resource
from runtime.storage import Store

__all__ = ["AUTHORISATION_SECONDS", "HoldIdReused", "Holds", "Judge"]

AUTHORISATION_SECONDS: Final = 5.0
"""How long an order may be sent on one authorisation: time for a commit and a wait in the request
budget, and far below the quarantine."""
KEEP_ENDED: Final = timedelta(days=30)
"""As long as the order journal remembers at least (reliability.md, I4)."""

Judge = Callable[[HeldCash], Decision]
"""The rule, given what other orders hold."""


class HoldIdReused(AlreadyExists):
    """The hold_id belongs to an order with other content; the order needs another client_order_id."""

    reason: ClassVar[str] = "HOLD_ID_REUSED"


class Holds:
    """The holds of every account in one store.

    Every method is one transaction and safe to repeat. All raise StoreUnreachable when the
    store fails; nothing was changed then.
    """

    def __init__(self, store: Store, *, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        # A moment of the monotonic clock means something only in the process that wrote it.
        self._process = uuid.uuid4().hex

    async def list_open(self, account_id: str) -> tuple[Hold, ...]:
        """The open holds of an account, oldest first."""
        return await self._store.read(lambda connection: list_open(connection, account_id))

    async def read_open(self, account_id: str) -> tuple[int, tuple[Hold, ...]]:
        """The account's epoch and its open holds, as of one moment."""
        return await self._store.read(
            lambda connection: (read_epoch(connection, account_id)[0], list_open(connection, account_id))
        )

    async def list_accounts(self) -> tuple[str, ...]:
        """The accounts that have open holds."""
        query = select(HOLDS.c.account_id).where(HOLDS.c.state == HoldState.OPEN.value).distinct()
        return await self._store.read(lambda connection: tuple(connection.execute(query).scalars()))

    async def check_writable(self) -> None:
        """Returns when the store takes transactions."""
        await self._store.write(lambda connection: connection.execute(select(1)).scalar_one())

    async def find_valid(self, account_id: str, hold_id: HoldId, fingerprint: str) -> Grant | None:
        """The grant given before under this id, while it is valid; raises HoldIdReused."""
        return await self._store.read(
            lambda connection: self._find_valid(connection, account_id, hold_id, fingerprint)
        )

    async def authorise(self, claim: Claim, snapshot: Snapshot, judge: Judge) -> Grant | Refusal | Outdated:
        """Ends what the snapshot ends, judges, and takes the hold if the rule allows it.

        A repeated claim gets no second hold. Raises HoldIdReused.
        """

        def decide(connection: Connection) -> Grant | Refusal | Outdated:
            given = self._find_valid(connection, claim.account_id, claim.hold_id, claim.fingerprint)
            if given is not None:
                return given
            # Asked here and not before: the change may have waited for the disk.
            if self._clock.monotonic() > snapshot.usable_until:
                return Outdated()
            if not _settle(connection, snapshot, self._clock.now()):
                return Outdated()
            others = _others(connection, claim)
            held = HeldCash.by(others)
            decision = judge(held)
            if isinstance(decision, Allowed):
                amount = decision.headroom if claim.cost is None else claim.cost
                return self._take(connection, claim, amount, cash=snapshot.cash, held=held)
            return Refusal(decision=decision, held=held, retry_at=_retry_at(snapshot, others, judge))

        return await self._store.write(decide)

    async def record(self, claim: Claim) -> Grant:
        """Takes the hold of an order that the guard does not judge; raises HoldIdReused."""

        def take(connection: Connection) -> Grant:
            given = self._find_valid(connection, claim.account_id, claim.hold_id, claim.fingerprint)
            if given is not None:
                return given
            held = HeldCash.by(_others(connection, claim))
            return self._take(connection, claim, claim.cost or Decimal(0), cash=None, held=held)

        return await self._store.write(take)

    async def settle(self, snapshot: Snapshot) -> bool:
        """Ends what the snapshot ends; `False` where it is outdated and nothing was done."""
        return await self._store.write(lambda connection: _settle(connection, snapshot, self._clock.now()))

    async def release(self, account_id: str, hold_id: HoldId) -> None:
        """Ends the hold of an order that never reached the broker; without effect where there is none."""
        await self._store.write(
            lambda connection: end(connection, account_id, hold_id, EndReason.RELEASED, self._clock.now())
        )

    async def forget(self) -> int:
        """Deletes holds that ended long ago, and how many; until then their ids name one order only."""
        before = self._clock.now() - KEEP_ENDED
        return await self._store.write(lambda connection: forget(connection, before))

    def _find_valid(
        self, connection: Connection, account_id: str, hold_id: HoldId, fingerprint: str
    ) -> Grant | None:
        row = find(connection, account_id, hold_id)
        if row is None or row["state"] != HoldState.OPEN.value:
            return None
        if row["fingerprint"] != fingerprint:
            raise _reused(account_id, hold_id)
        left = row["valid_until"] - self._clock.monotonic()
        if row["authorised_by"] != self._process or left <= 0:
            return None
        return Grant(
            hold=to_hold(row),
            cash=None if row["cash"] is None else Decimal(row["cash"]),
            held_by_others=Decimal(row["held_by_others"]),
            minimum=Decimal(row["minimum"]),
            valid_seconds=left,
        )

    def _take(
        self, connection: Connection, claim: Claim, amount: Decimal, *, cash: Decimal | None, held: HeldCash
    ) -> Grant:
        row = find(connection, claim.account_id, claim.hold_id)
        if row is not None and row["fingerprint"] != claim.fingerprint:
            raise _reused(claim.account_id, claim.hold_id)
        hold = Hold(
            hold_id=claim.hold_id,
            account_id=claim.account_id,
            revision=1 if row is None else row["revision"] + 1,
            fingerprint=claim.fingerprint,
            symbol=claim.symbol,
            amount=amount,
            whole_headroom=claim.cost is None,
            held_at=self._clock.now(),
        )
        grant = Grant(
            hold=hold,
            cash=cash,
            held_by_others=held.total,
            minimum=claim.minimum,
            valid_seconds=AUTHORISATION_SECONDS,
        )
        save(connection, self._row(grant), known=row is not None)
        return grant

    def _row(self, grant: Grant) -> dict[str, object]:
        hold = grant.hold
        return {
            "account_id": hold.account_id,
            "hold_id": hold.hold_id,
            "revision": hold.revision,
            "fingerprint": hold.fingerprint,
            "symbol": hold.symbol,
            "amount": f"{hold.amount:f}",
            "whole_headroom": hold.whole_headroom,
            "held_at": hold.held_at.isoformat(),
            "state": HoldState.OPEN.value,
            "end_reason": None,
            "ended_at": None,
            "cash": None if grant.cash is None else f"{grant.cash:f}",
            "held_by_others": f"{grant.held_by_others:f}",
            "minimum": f"{grant.minimum:f}",
            "authorised_by": self._process,
            "valid_until": self._clock.monotonic() + grant.valid_seconds,
        }


def _settle(connection: Connection, snapshot: Snapshot, now: datetime) -> bool:
    epoch, proven_by = read_epoch(connection, snapshot.account_id)
    # The snapshot that proved an end was asked for after it, so it alone outlives the epoch.
    if snapshot.epoch != epoch and not (snapshot.epoch + 1 == epoch and proven_by == snapshot.snapshot_id):
        return False
    ended = {
        hold.hold_id: reason
        for hold in list_open(connection, snapshot.account_id)
        if (reason := snapshot.ending_of(hold)) is not None
    }
    for hold_id, reason in ended.items():
        end(connection, snapshot.account_id, hold_id, reason, now)
    if EndReason.ORDER_ENDED_FILLED in ended.values():
        advance(connection, snapshot, known=epoch > 0)
    return True


def _others(connection: Connection, claim: Claim) -> tuple[Hold, ...]:
    return tuple(hold for hold in list_open(connection, claim.account_id) if hold.hold_id != claim.hold_id)


def _retry_at(snapshot: Snapshot, others: tuple[Hold, ...], judge: Judge) -> float | None:
    settling = snapshot.settling(others)
    if not settling:
        return None
    without = judge(HeldCash.by(hold for hold in others if hold not in settling))
    return max(settling.values()) if isinstance(without, Allowed) else None


def _reused(account_id: str, hold_id: HoldId) -> HoldIdReused:
    return HoldIdReused(
        f"hold_id {hold_id} of account {account_id} belongs to an order with other content; use another",
        resource=Resource(type="hold", name=f"{account_id}/{hold_id}"),
    )
