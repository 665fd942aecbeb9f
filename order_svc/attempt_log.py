"""Writes the line of every attempt, exactly one each (promise I7)."""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime

from loguru import logger

from broker.reports import OrderSide
from order_svc.fields import decimal_or_none
from order_svc.identifiers import AccountId, ClientOrderId, OrderId, OrderKey
from order_svc.journal import Journal
from order_svc.owned_tasks import OwnedTasks
from order_svc.receipt import Receipt
from order_svc.records import AttemptRecord, OrderRecord, timing_of
from order_svc.timing_line import AttemptKind, Line, attempt_line, resolved_line
from runtime.clock import Clock
from runtime.errors import ServiceError

WriteLine = Callable[[str, str], None]
"""Level and text; the line is in the file when it returns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sketch:
    """What an unchecked request says about its order, for the line of a refusal before the journal."""

    kind: AttemptKind
    account_id: str
    client_order_id: str
    order_id: str = ""
    side: OrderSide | None = None
    symbol: str = ""
    qty: str = ""
    notional: str = ""


class AttemptLog:
    """Derives lines from attempts and remembers in the journal which are written."""

    def __init__(self, *, journal: Journal, tasks: OwnedTasks, clock: Clock, write_line: WriteLine) -> None:
        self._journal = journal
        self._tasks = tasks
        self._clock = clock
        self._write_line = write_line

    def write(self, attempt: AttemptRecord) -> None:
        """Writes the attempt's line now and notes that some time after: the caller need not wait for it."""
        self._write(attempt_line(timing_of(attempt)))
        self.note_written(attempt)

    def write_if_missing(self, attempt: AttemptRecord, logged: Collection[str]) -> None:
        """Writes the attempt's line unless its id is among those found in the log files."""
        if attempt.attempt_id in logged:
            self.note_written(attempt)
        else:
            self.write(attempt)

    def note_written(self, attempt: AttemptRecord) -> None:
        """Remembers that the attempt's line is in the file; until then recovery looks for it there."""
        self._tasks.spawn(self._mark(attempt), name=f"mark {attempt.attempt_id}")

    def write_resolved(self, attempt: AttemptRecord, record: OrderRecord, at: datetime) -> None:
        """Tells what became of an order whose attempt ended unknown; not an attempt's line."""
        since = attempt.completed_at
        unknown_ms = None if since is None else round((at - since).total_seconds() * 1000)
        timing = replace(timing_of(attempt), order_id=record.order_id or "")
        self._write(resolved_line(timing, state=record.state.value, resolved_at=at, unknown_ms=unknown_ms))

    @contextmanager
    def line_on_refusal(self, sketch: Sketch, receipt: Receipt) -> Iterator[None]:
        """Writes the line of an attempt that is refused before the journal has it, when it names an order."""
        try:
            yield
        except ServiceError as error:
            self._write(attempt_line(timing_of(self._refused(sketch, receipt, error))))
            raise

    def _refused(self, sketch: Sketch, receipt: Receipt, error: ServiceError) -> AttemptRecord:
        return AttemptRecord(
            attempt_id=receipt.attempt_id,
            kind=sketch.kind,
            key=OrderKey(AccountId(sketch.account_id), ClientOrderId(sketch.client_order_id)),
            order_id=OrderId(sketch.order_id) if sketch.order_id else None,
            side=sketch.side,
            symbol=sketch.symbol,
            qty=decimal_or_none(sketch.qty),
            notional=decimal_or_none(sketch.notional),
            account_number="",
            account_type="",
            request_id=receipt.request_id,
            received_at=receipt.received_at,
            completed_at=self._clock.now(),
            duration_ms=receipt.duration_ms(self._clock),
            error=error.reason.lower(),
            detail=error.message,
        )

    def _write(self, line: Line) -> None:
        self._write_line(line.level.value, line.text)

    async def _mark(self, attempt: AttemptRecord) -> None:
        try:
            await self._journal.mark_logged(attempt.attempt_id)
        except ServiceError as error:
            logger.warning(f"Line of {attempt.attempt_id} not marked as written: {error.message}")
