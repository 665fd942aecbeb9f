"""The history checker finds each kind of broken promise: a checker that cannot fail proves nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from order_history import Answered, History, violations

LINE = "Order placed: BUY AAPL qty=1 | order_id=o | attempt=att-1"
NAME = {"account_id": "paper", "client_order_id": "k"}
ORDER: dict[str, Any] = {"account": "paper", "client_order_id": "k", "id": "o", "status": "filled"}
INTENT: dict[str, Any] = {**NAME, "state": "filled", "order_id": "o"}


def _changes(*steps: tuple[str, str]) -> tuple[dict[str, Any], ...]:
    return tuple(
        {**NAME, "id": number, "state": state, "evidence": evidence}
        for number, (state, evidence) in enumerate(steps)
    )


SENT = (("new", ""), ("held", ""), ("sending", ""))
KEPT = History(
    ledger=(ORDER,),
    intents=(INTENT,),
    attempts=({**NAME, "attempt_id": "att-1"},),
    transitions=_changes(*SENT, ("filled", "broker answer 200")),
    lines=(LINE,),
    answers=(Answered(account_id="paper", client_order_id="k", order_id="o"),),
)


def test_a_history_that_kept_its_promises_has_no_violations() -> None:
    assert violations(KEPT) == []


@pytest.mark.parametrize(
    ("broken", "promise"),
    [
        pytest.param({"ledger": (ORDER, {**ORDER, "id": "p"})}, "I1", id="two orders of one key"),
        pytest.param({"intents": ({**INTENT, "state": "unknown"},)}, "I2", id="left unknown"),
        pytest.param({"intents": ({**INTENT, "order_id": None},)}, "I2", id="not bound"),
        pytest.param({"intents": ()}, "I2", id="an order nobody journalled"),
        pytest.param({"ledger": ()}, "I2", id="bound to nothing"),
        pytest.param({"ledger": ({**ORDER, "status": "new"},)}, "I2", id="filled here, open there"),
        pytest.param(
            {"transitions": _changes(*SENT, ("rejected", "a guess"))}, "I3", id="rejected without evidence"
        ),
        pytest.param(
            {"transitions": _changes(("new", ""), ("filled", "broker"))}, "I3", id="never sent, filled"
        ),
        pytest.param(
            {"answers": (*KEPT.answers, replace(KEPT.answers[0], order_id="p"))}, "I4", id="two answers"
        ),
        pytest.param({"lines": ()}, "I7", id="no line"),
        pytest.param({"lines": (LINE, LINE)}, "I7", id="two lines"),
    ],
)
def test_each_broken_promise_is_found(broken: dict[str, Any], promise: str) -> None:
    found = violations(replace(KEPT, **broken))

    assert promise in {one[:2] for one in found}
