"""Decides from the exchange's ledger, the journal and the log whether the promises were kept (I1-I4, I7)."""

from __future__ import annotations

import json
import re
import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Row = Mapping[str, Any]

_ATTEMPT = re.compile(r"(?:Order placed|Order failed|Order cancelled|Cancel failed): .* \| attempt=(\S+)")
_ENDS = {
    "filled": "filled",
    "canceled": "canceled",
    "expired": "expired",
    "rejected": "rejected",
    "replaced": "replaced",
}
"""The exchange's word for an end, and the journal's state for it."""
_OPEN = {"working", "partially_filled"}
_UNRESOLVED = {"new", "held", "sending", "unknown"}
_NEVER_TAKEN = {"denied", "not_placed"}
_EDGES = {
    "": {"new"},
    "new": {"held", "denied", "not_placed"},
    "held": {"sending", "denied", "not_placed"},
    "sending": {"unknown", "denied", "not_placed", "rejected", *_OPEN, *_ENDS.values()},
    "unknown": {"sending", "not_placed", "rejected", *_OPEN, *_ENDS.values()},
    "working": {"partially_filled", *_ENDS.values()},
    "partially_filled": set(_ENDS.values()),
    "denied": {"new"},
    "rejected": {"new"},
    "not_placed": {"new", *_OPEN, *_ENDS.values()},
}
_NEEDS = {
    "rejected": ("broker", "lookup", "reading"),
    "not_placed": ("never sent", "lookup", "no connection"),
}
"""States that need evidence, and how evidence for them begins (I3)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What a caller was told of an order."""

    account_id: str
    client_order_id: str
    order_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """Everything that is left of a run."""

    ledger: Sequence[Row]
    """The exchange's orders."""
    intents: Sequence[Row]
    attempts: Sequence[Row]
    transitions: Sequence[Row]
    lines: Sequence[str]
    answers: Sequence[Answered] = ()


def read_history(
    journal: Path, ledger: Mapping[str, Any], lines: Iterable[str], answers: Iterable[Answered] = ()
) -> History:
    """The history of a service that has stopped."""
    with closing(sqlite3.connect(f"file:{journal}?mode=ro", uri=True)) as connection:
        connection.row_factory = sqlite3.Row
        tables = {
            name: [dict(row) for row in connection.execute(f"SELECT * FROM {name}")]  # noqa: S608 - own names
            for name in ("intents", "attempts", "transitions")
        }
    return History(
        ledger=ledger["orders"],
        intents=tables["intents"],
        attempts=tables["attempts"],
        transitions=tables["transitions"],
        lines=tuple(lines),
        answers=tuple(answers),
    )


def violations(history: History) -> list[str]:
    """Every promise that was broken, by its number; empty where all were kept."""
    return [
        *_more_than_one_order(history),
        *_lost_or_unbound(history),
        *_without_evidence(history),
        *_changed_answers(history),
        *_not_one_line(history),
    ]


def _key(row: Row) -> tuple[str, str]:
    return row.get("account_id") or row["account"], row["client_order_id"]


def _more_than_one_order(history: History) -> list[str]:
    # An order that replaced another has that one's place.
    counted = Counter(_key(order) for order in history.ledger if not order.get("replaces"))
    return [f"I1: {count} orders of {key}" for key, count in counted.items() if count > 1]


def _lost_or_unbound(history: History) -> list[str]:
    taken = {_key(order): order for order in history.ledger}
    found = [
        f"I2: {_key(one)} is still {one['state']}" for one in history.intents if one["state"] in _UNRESOLVED
    ]
    for intent in history.intents:
        order, state = taken.pop(_key(intent), None), intent["state"]
        if order is None:
            if intent["order_id"] is not None or state in _OPEN:
                found.append(f"I2: {_key(intent)} is {state}, and the exchange has no such order")
        elif intent["order_id"] != order["id"]:
            found.append(f"I2: {_key(intent)} is not bound to {order['id']}: {state}")
        elif state not in _OPEN and _ENDS.get(order["status"]) != state:
            found.append(f"I2: {_key(intent)} is {state}, the exchange says {order['status']}")
    return found + [f"I2: the journal does not know {key}" for key in taken]


def _without_evidence(history: History) -> list[str]:
    found, last = [], dict[tuple[str, str], str]()
    for change in sorted(history.transitions, key=lambda row: row["id"]):
        key, state = _key(change), change["state"]
        if state not in _EDGES.get(last.get(key, ""), set()):
            found.append(f"I3: {key} went from {last.get(key, 'nothing')} to {state}")
        beginnings = _NEEDS.get(state)
        if beginnings is not None and not change["evidence"].startswith(beginnings):
            found.append(f"I3: {key} is {state} because {change['evidence']!r}")
        last[key] = state
    return found + [
        f"I3: {_key(intent)} is {intent['state']} and bound to {intent['order_id']}"
        for intent in history.intents
        if intent["state"] in _NEVER_TAKEN and intent["order_id"] is not None
    ]


def _changed_answers(history: History) -> list[str]:
    told: dict[tuple[str, str], set[str]] = {}
    for answer in history.answers:
        if answer.order_id:
            told.setdefault((answer.account_id, answer.client_order_id), set()).add(answer.order_id)
    return [f"I4: {key} was told to be {sorted(ids)}" for key, ids in told.items() if len(ids) > 1]


def _not_one_line(history: History) -> list[str]:
    lines = Counter(named[1] for line in history.lines if (named := _ATTEMPT.search(line)))
    found = [
        f"I7: attempt {one['attempt_id']} has {lines[one['attempt_id']]} lines"
        for one in history.attempts
        if lines[one["attempt_id"]] != 1
    ]
    return found + [f"I7: {count} lines of attempt {one}" for one, count in lines.items() if count > 1]


def story(history: History) -> str:
    """The history as text, for the message of a test that fails."""
    return json.dumps({"ledger": history.ledger, "intents": history.intents}, default=str, indent=1)
