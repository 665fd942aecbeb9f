"""What the control API shows of the past, how it waits for the near future, and the faults it plants."""

import asyncio
import heapq
import json
import re
from collections.abc import Iterator
from copy import deepcopy

from sandbox.accounts import Account, cash_json
from sandbox.control import ControlCall, ControlError, Json
from sandbox.decimal_text import plain_or_none
from sandbox.faults import FaultAction, FaultRule, Past
from sandbox.instant import rfc3339
from sandbox.ledger import RequestFilter
from sandbox.orders import Order, Transition
from sandbox.reading import Section
from sandbox.trading_json import order_json

_DEFAULT_WAIT_S, _MOST_WAIT_S = 10, 600
_ACTIONS = tuple(action.value for action in FaultAction)


async def show_health(call: ControlCall) -> Json:
    """GET health: answers as soon as the exchange serves."""
    return {"status": "serving", "at": rfc3339(call.now)}


async def show_ledger(call: ControlCall) -> Json:
    """GET ledger: every request, every order with its history, and the cash of each account over time."""
    exchange = call.sandbox.exchange
    return {
        "requests": [*call.sandbox.ledger.every(RequestFilter())],
        "orders": [_order_with_history(order) for order in _every_order(call)],
        "cash": {name: [*_cash_of(call, account)] for name, account in exchange.accounts.items()},
    }


def _cash_of(call: ControlCall, account: Account) -> Iterator[Json]:
    for text in call.sandbox.exchange.archive.texts(account.cash_kind):
        yield json.loads(text)
    yield from (cash_json(entry) for entry in account.cash_log)


def _every_order(call: ControlCall) -> Iterator[Order]:
    """In the order of acceptance, the archived ones and those of replaced accounts included."""
    exchange = call.sandbox.exchange
    return heapq.merge(
        exchange.archive.orders(), exchange.books.all_orders(), key=lambda order: order.sequence
    )


async def show_requests(call: ControlCall) -> Json:
    """GET requests?account=&method=&path=&after=: those that match, in the order of arrival."""
    wanted, start = _read_filter(call.query), call.query.find_whole("after") or 0
    call.query.finish()
    call.check()
    ledger = call.sandbox.ledger
    return {
        "requests": [*ledger.every(wanted, start=start)],
        "next": ledger.next_index,
    }


async def wait_for_requests(call: ControlCall) -> Json:
    """GET wait?method=&path=&account=&count=&after=&until=&timeout_s=: answers when so many have come, else 408.

    `until` is `arrived` (default) or `answered`.
    """
    query = call.query
    wanted, start = _read_filter(query), query.find_whole("after") or 0
    count = query.find_whole("count", least=1) or 1
    timeout_s = query.find_whole("timeout_s") or _DEFAULT_WAIT_S
    until = query.choice("until", ("arrived", "answered"), "arrived")
    query.finish()
    call.check()
    ledger = call.sandbox.ledger
    try:
        async with asyncio.timeout(min(timeout_s, _MOST_WAIT_S)):
            found = await ledger.wait_for(wanted, count=count, start=start, answered=until == "answered")
    except TimeoutError:
        arrived = sum(1 for _ in ledger.entries(wanted, start=start))
        problem = f"{arrived} of {count} requests arrived in {timeout_s} s, waited until {until}"
        raise ControlError([problem], status=408) from None
    return {"requests": [entry.to_json() for entry in found], "next": found[-1].index + 1}


async def add_fault(call: ControlCall) -> Json:
    """POST faults {match: {method, path, account}, action, times, seconds, status, body, headers}."""
    body = call.body
    match = body.section("match")
    wanted = _read_filter(match)
    match.finish()
    times = _read_times(body)
    action = body.choice("action", _ACTIONS, "")
    seconds = body.find_number("seconds")
    status = body.find_whole("status", least=100)
    answer = body.raw("body")
    text = answer if answer is None or isinstance(answer, str) else json.dumps(answer)
    headers = body.section("headers")
    pairs = tuple((name, headers.text(name)) for name in headers.names())
    body.finish()
    call.check()
    call.sandbox.faults.add(
        FaultRule(
            action=FaultAction(action),
            wanted=wanted,
            times=times,
            seconds=float(seconds or 0),
            status=status,
            body=None if text is None else text.encode(),
            headers=pairs,
            past=_past(call) if action == FaultAction.STALE.value else None,
        )
    )
    return {"action": action, "times": times}


def _past(call: ControlCall) -> Past:
    """A copy of the exchange that nothing changes any more."""
    return Past(exchange=deepcopy(call.sandbox.exchange), at=call.now)


async def clear_faults(call: ControlCall) -> Json:
    """DELETE faults: all of them."""
    call.sandbox.faults.clear()
    return {}


def _read_times(body: Section) -> int | None:
    """How often a fault holds: once unless said, null or "forever" without end."""
    if body.raw("times") in (None, "forever"):
        return None if body.has("times") else 1
    return body.find_whole("times", least=1)


def _read_filter(section: Section) -> RequestFilter:
    path = section.raw("path")
    try:
        pattern = re.compile(str(path)) if path is not None else None
    except re.error as error:
        section.problems.note(section.at("path"), f"is no regular expression: {error}")
        pattern = None
    method, account = section.raw("method"), section.raw("account")
    return RequestFilter(
        method=None if method is None else str(method).upper(),
        path=pattern,
        account=None if account is None else str(account),
    )


def _order_with_history(order: Order) -> Json:
    shown = {**order_json(order, nested=False), "account": order.account}
    return {**shown, "history": [_transition_json(each) for each in order.history]}


def _transition_json(transition: Transition) -> Json:
    return {
        "at": rfc3339(transition.at),
        "event": transition.event,
        "status": transition.status.value,
        "qty": plain_or_none(transition.qty),
        "price": plain_or_none(transition.price),
    }
