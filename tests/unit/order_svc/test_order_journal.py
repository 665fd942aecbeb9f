"""The journal against a dictionary: any sequence of events, with restarts in between."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Coroutine
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from fakes.order_values import KEY, NOON, attempt, content, record, report
from order_svc.closing import close_from_order
from order_svc.identifiers import AttemptId, ClientOrderId, OrderId, OrderKey
from order_svc.journal import Journal
from order_svc.journal_changes import IntentNotFound, Known, Opened, Reused
from order_svc.journal_tables import metadata
from order_svc.lifecycle import IllegalTransition, OrderEvent, OrderState, apply
from order_svc.records import AttemptRecord, Refusal, Step
from order_svc.refusals import BalanceUnknown, InsufficientBalance
from order_svc.reports import with_report
from order_svc.timing_line import AttemptKind
from runtime.storage import Store

T = TypeVar("T")
SEEN = "seen in a test"


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[Journal]:
    async with Store(f"sqlite:///{tmp_path}/orders.db", metadata=metadata) as store:
        yield Journal(store)


def _steps(*events: OrderEvent) -> list[Step]:
    return [Step(event=event, evidence=SEEN) for event in events]


async def test_an_order_comes_back_as_it_was_stored(journal: Journal) -> None:
    draft = record(
        content=content(qty=None, notional=Decimal("10.000000001"), auto_sell_enabled=True),
        refusal=Refusal(reason="BALANCE_UNKNOWN", text="why", metadata={"cash": "1"}, broker_answer="{}"),
        filled_qty=Decimal("0.5"),
        filled_at=NOON,
        broker_ms=None,
    )
    await journal.open(draft, attempt())

    assert await journal.find(KEY) == draft


async def test_an_attempt_comes_back_as_it_was_stored(journal: Journal) -> None:
    stored = attempt(
        kind=AttemptKind.CANCEL,
        side=None,
        qty=Decimal("1.5"),
        order_id=OrderId("o"),
        sent_at=NOON,
        completed_at=NOON,
        error="already_filled",
        recovered=True,
        reason="stale",
    )
    await journal.add_attempt(stored)

    assert await journal.list_attempts(KEY.account_id, before=NOON + timedelta(days=1), limit=5) == (stored,)


async def test_a_key_is_opened_once_known_to_its_like_and_reused_to_others(journal: Journal) -> None:
    first = await journal.open(record(), attempt(1))
    like = await journal.open(record(content=content(qty=Decimal("10.0"))), attempt(2))
    other = await journal.open(record(content=content(qty=Decimal(11))), attempt(3))

    assert isinstance(first, Opened)
    assert isinstance(like, Known)
    assert isinstance(other, Reused)
    assert len(await journal.attempts_under_way()) == 1


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        pytest.param(BalanceUnknown.reason, Opened, id="nothing was done, so it is tried again"),
        pytest.param(InsufficientBalance.reason, Known, id="a definite no stands"),
    ],
)
async def test_a_repeat_of_a_denied_order(journal: Journal, reason: str, kind: type[object]) -> None:
    refusal = Refusal(reason=reason, text="why")
    await journal.open(record(), attempt(1))
    await journal.advance(
        KEY, _steps(OrderEvent.DENIED_BY_US), NOON, revise=lambda one: replace(one, refusal=refusal)
    )

    assert isinstance(await journal.open(record(), attempt(2)), kind)


async def test_concurrent_openings_of_one_key_have_one_winner(journal: Journal) -> None:
    openings = await asyncio.gather(*(journal.open(record(), attempt(number)) for number in range(20)))

    assert sum(isinstance(one, Opened) for one in openings) == 1


async def test_an_illegal_step_changes_nothing(journal: Journal) -> None:
    await journal.open(record(), attempt())
    with pytest.raises(IllegalTransition):
        await journal.advance(KEY, _steps(OrderEvent.HOLD_TAKEN, OrderEvent.REFUSED_BY_BROKER), NOON)

    found = await journal.find(KEY)
    assert found is not None
    assert found.state is OrderState.NEW
    assert [one.state for one in await journal.transitions(KEY)] == [OrderState.NEW]


async def test_an_intent_that_is_not_there_cannot_move(journal: Journal) -> None:
    with pytest.raises(IntentNotFound):
        await journal.advance(KEY, _steps(OrderEvent.HOLD_TAKEN), NOON)


async def test_an_attempt_is_completed_once(journal: Journal) -> None:
    await journal.open(record(), attempt())

    def close(one: AttemptRecord, _order: object) -> AttemptRecord:
        return replace(one, completed_at=NOON, error="unknown_outcome")

    assert await journal.close_attempt(AttemptId("att-1"), close) is not None
    assert await journal.close_attempt(AttemptId("att-1"), close) is None
    unknown = await journal.find_unknown_attempt(KEY)
    assert unknown is not None
    assert unknown.attempt_id == "att-1"


async def test_lines_are_missing_until_they_are_marked(journal: Journal) -> None:
    await journal.open(record(), attempt())
    assert await journal.attempts_unlogged() == ()
    closed = replace(attempt(), completed_at=NOON)
    await journal.close_attempt(AttemptId("att-1"), lambda _one, _order: closed)
    assert await journal.attempts_unlogged() == (closed,)
    await journal.mark_logged(AttemptId("att-1"))
    assert await journal.attempts_unlogged() == ()


async def test_attempts_of_the_last_minute_are_counted_unless_they_ended_unsent(journal: Journal) -> None:
    for number in range(4):
        key = OrderKey(KEY.account_id, ClientOrderId(f"k{number}"))
        await journal.open(record(key=key), attempt(number, key=key))
    ended = replace(
        attempt(0, key=OrderKey(KEY.account_id, ClientOrderId("k0"))),
        completed_at=NOON,
        error="balance_unknown",
    )
    await journal.close_attempt(AttemptId("att-0"), lambda _one, _order: ended)

    soon = await journal.open(record(received_at=NOON + timedelta(seconds=30)), attempt(9))
    assert isinstance(soon, Opened)
    assert soon.recent_attempts == 3
    later = OrderKey(KEY.account_id, ClientOrderId("later"))
    much_later = await journal.open(
        record(key=later, received_at=NOON + timedelta(seconds=61)), attempt(10, key=later)
    )
    assert isinstance(much_later, Opened)
    assert much_later.recent_attempts == 0


class JournalMachine(RuleBasedStateMachine):
    """Orders move by any event in any sequence; the model is a dictionary."""

    @initialize()
    def start(self) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self._runner = asyncio.Runner()
        self._model: dict[str, OrderState] = {}
        self._open_store()

    def teardown(self) -> None:
        self._run(self._store.close())
        self._runner.close()
        self._folder.cleanup()

    def _open_store(self) -> None:
        self._store = Store(f"sqlite:///{self._folder.name}/orders.db", metadata=metadata)
        self._run(self._store.open())
        self._journal = Journal(self._store)

    def _run(self, work: Coroutine[object, object, T]) -> T:
        return self._runner.run(work)

    @rule(name=st.sampled_from("abc"), qty=st.integers(1, 2), number=st.uuids())
    def open(self, name: str, qty: int, number: object) -> None:
        key = OrderKey(KEY.account_id, ClientOrderId(name))
        draft = record(key=key, content=content(qty=Decimal(1)))
        wanted = replace(draft, content=content(qty=Decimal(qty)))
        opening = self._run(
            self._journal.open(
                wanted if name in self._model else draft, attempt(key=key, attempt_id=f"att-{number}")
            )
        )
        if name not in self._model:
            assert isinstance(opening, Opened)
            self._model[name] = OrderState.NEW
        elif qty == 1:
            assert isinstance(opening, Known)
            assert opening.record.state is self._model[name]
        else:
            assert isinstance(opening, Reused)

    @rule(
        name=st.sampled_from("abc"),
        event=st.sampled_from([one for one in OrderEvent if one.name != "TRIED_AGAIN"]),
    )
    def happen(self, name: str, event: OrderEvent) -> None:
        key = OrderKey(KEY.account_id, ClientOrderId(name))
        work = self._journal.advance(key, _steps(event), NOON)
        if name not in self._model:
            with pytest.raises(IntentNotFound):
                self._run(work)
            return
        expected: OrderState | None = None
        with suppress(IllegalTransition):
            expected = apply(self._model[name], event)
        if expected is None:
            with pytest.raises(IllegalTransition):
                self._run(work)
        else:
            assert self._run(work).state is expected
            self._model[name] = expected

    @rule()
    def restart(self) -> None:
        self._run(self._store.close())
        self._open_store()

    @invariant()
    def journal_and_model_agree(self) -> None:
        if not hasattr(self, "_model"):
            return
        for name, state in self._model.items():
            key = OrderKey(KEY.account_id, ClientOrderId(name))
            found = self._run(self._journal.find(key))
            assert found is not None
            assert found.state is state
            history = self._run(self._journal.transitions(key))
            assert history[0].state is OrderState.NEW
            assert history[-1].state is state
            assert all(one.evidence for one in history)
        unresolved = {one.key.client_order_id for one in self._run(self._journal.unresolved())}
        assert unresolved == {name for name, state in self._model.items() if state.is_unresolved}


TestJournalMachine = JournalMachine.TestCase
TestJournalMachine.settings = settings(
    max_examples=15, stateful_step_count=20, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


def test_a_report_never_takes_a_fill_back() -> None:
    filled = with_report(record(state=OrderState.PARTIALLY_FILLED), report(filled_qty=Decimal(4)), NOON)
    stale = with_report(filled, report(filled_qty=Decimal(2)), NOON + timedelta(seconds=1))

    assert filled.filled_qty == stale.filled_qty == 4
    assert filled.filled_at == stale.filled_at == NOON


def test_an_attempt_closed_from_its_order_tells_what_the_order_tells() -> None:
    bound = record(state=OrderState.WORKING, order_id=OrderId("o"))
    refused = record(state=OrderState.REJECTED, refusal=Refusal(reason="ORDER_REJECTED", text="no"))

    assert close_from_order(attempt(), bound, at=NOON).success
    assert close_from_order(attempt(), refused, at=NOON).error == "order_rejected"
    assert close_from_order(attempt(), record(state=OrderState.UNKNOWN), at=NOON).error == "unknown_outcome"
    assert close_from_order(attempt(), None, at=NOON).error == "unknown_outcome"
