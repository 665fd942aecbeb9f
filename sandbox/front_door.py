"""What every Alpaca call passes on its way in and out: ledger, faults, key, budget, headers."""

import asyncio
import logging
import secrets
import time
from collections.abc import Awaitable, Callable
from enum import Enum

from aiohttp import web

from sandbox.accounts import Account
from sandbox.calls import Call, Handler, Reply, refusal
from sandbox.errors import AlpacaError, internal_error, too_large, too_many_requests
from sandbox.faults import Past
from sandbox.ledger import RequestEntry
from sandbox.misbehaviour import answer_with_fault
from sandbox.rate_limit import Allowance, RateLimit
from sandbox.state import Sandbox

_log = logging.getLogger(__name__)


class Budget(Enum):
    """Which of an account's two request budgets a path draws on."""

    TRADING = "trading"
    DATA = "data"


def endpoint(
    sandbox: Sandbox, handler: Handler, budget: Budget
) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """The aiohttp handler of one Alpaca path."""
    limit = sandbox.trading_limit if budget is Budget.TRADING else sandbox.data_limit

    async def answer(request: web.Request) -> web.StreamResponse:
        try:
            body = await request.read() if request.body_exists else b""
        except web.HTTPRequestEntityTooLarge:
            return _too_large(limit)
        door = sandbox.authenticate(request.headers)
        entry = _arrive(sandbox, request, body, door)
        fault = sandbox.faults.take(entry.method, entry.path, entry.account)

        def work() -> web.Response:
            past = fault.past if fault is not None and entry.method == "GET" else None
            return _process(sandbox, request, handler, limit, door, entry, past)

        if fault is None:
            response = work()
            if sandbox.answer_latency_s:
                await asyncio.sleep(sandbox.answer_latency_s)
            return response
        entry.fault = fault.action.value
        faulty = await answer_with_fault(fault, request, entry.request_id, work, sandbox.unfinished)
        if fault.action.chooses_status:
            sandbox.ledger.answer(entry, faulty.status)
        return faulty

    return answer


def _arrive(sandbox: Sandbox, request: web.Request, body: bytes, door: Account | AlpacaError) -> RequestEntry:
    entry = RequestEntry(
        index=sandbox.ledger.next_index,
        account=door.terms.name if isinstance(door, Account) else None,
        method=request.method,
        path=request.path,
        query=request.query_string,
        body=body,
        arrived_at=sandbox.clock.now(),
        monotonic_ns=time.monotonic_ns(),
        request_id=secrets.token_hex(16),
    )
    sandbox.ledger.append(entry)
    return entry


def _process(
    sandbox: Sandbox,
    request: web.Request,
    handler: Handler,
    limit: RateLimit,
    door: Account | AlpacaError,
    entry: RequestEntry,
    past: Past | None,
) -> web.Response:
    """Everything that happens to a request at one instant; nothing in here waits."""
    if isinstance(door, AlpacaError):
        allowance, reply = limit.untouched(), refusal(door)
    else:
        allowance = limit.take(door.terms.name)
        reply = (
            _reply(sandbox, request, handler, door, entry, past)
            if allowance.granted
            else refusal(too_many_requests())
        )
    sandbox.ledger.answer(entry, reply.status)
    if not sandbox.streams.is_idle:
        sandbox.streams.stir()
    return _response(reply, allowance, entry.request_id)


def _reply(
    sandbox: Sandbox,
    request: web.Request,
    handler: Handler,
    account: Account,
    entry: RequestEntry,
    past: Past | None,
) -> Reply:
    now = sandbox.now()
    exchange = sandbox.exchange if past is None else past.exchange
    call = Call(
        exchange=exchange,
        account=account if past is None else exchange.accounts.get(account.terms.name, account),
        now=now if past is None else past.at,
        parts=request.match_info,
        query=request.query,
        body=entry.body,
    )
    try:
        return handler(call)
    except AlpacaError as error:
        return refusal(error)
    except Exception:  # noqa: BLE001 - the top of a request: a bug answers in Alpaca's shape and is logged
        _log.exception("%s %s failed, X-Request-ID %s", entry.method, entry.path, entry.request_id)
        return refusal(internal_error())


def _response(reply: Reply, allowance: Allowance, request_id: str) -> web.Response:
    headers = {"X-Request-ID": request_id, **allowance.headers()}
    if reply.body is None:
        return web.Response(status=reply.status, headers=headers)
    return web.Response(
        status=reply.status, headers=headers, body=reply.encoded(), content_type="application/json"
    )


def _too_large(limit: RateLimit) -> web.Response:
    return _response(refusal(too_large()), limit.untouched(), secrets.token_hex(16))
