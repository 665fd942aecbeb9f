"""Carries out a fault on one request."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import assert_never

from aiohttp import web

from sandbox.faults import FaultAction, FaultRule

_DEFAULT_STATUS = 503


async def answer_with_fault(
    fault: FaultRule,
    request: web.Request,
    request_id: str,
    work: Callable[[], web.Response],
    unfinished: set[asyncio.Task[object]],
) -> web.StreamResponse:
    """The faulty answer to a request. `work` processes it and gives the right answer.

    The server cancels this when the client goes away, which ends a hang. A delayed request is processed all
    the same, as at any exchange: what has arrived does not come back because the client stopped waiting.
    """
    response = work() if fault.action.processes and fault.action is not FaultAction.DELAY else None
    match fault.action:
        case FaultAction.DELAY:
            return await asyncio.shield(_remember(_later(fault.seconds, work), unfinished))
        case FaultAction.STALE:
            pass
        case FaultAction.DELAY_AFTER:
            await asyncio.sleep(fault.seconds)
        case FaultAction.HANG | FaultAction.HANG_AFTER:
            await asyncio.Event().wait()
        case FaultAction.CUT_BEFORE | FaultAction.CUT_AFTER:
            return _cut(request)
        case FaultAction.TRUNCATE:
            return await _truncated(request, response or web.Response())
        case FaultAction.STATUS | FaultAction.RETRY_AFTER | FaultAction.BODY:
            response = _instead(fault, request_id, response)
        case never:
            assert_never(never)
    return response or web.Response()


def _instead(fault: FaultRule, request_id: str, right: web.Response | None) -> web.Response:
    headers = {"X-Request-ID": request_id, "Content-Type": "application/json"}
    if fault.action is FaultAction.RETRY_AFTER:
        headers |= {"Retry-After": f"{fault.seconds:g}", "X-RateLimit-Remaining": "0"}
        status, body = 429, b'{"code":42910000,"message":"rate limit exceeded"}'
    else:
        status = right.status if right is not None else _DEFAULT_STATUS
        body = b""
    if right is not None:
        headers |= {name: value for name, value in right.headers.items() if name.startswith("X-")}
    return web.Response(
        status=fault.status or status,
        headers={**headers, **dict(fault.headers)},
        body=body if fault.body is None else fault.body,
    )


def _cut(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


async def _truncated(request: web.Request, right: web.Response) -> web.StreamResponse:
    """All the headers, half the body, then the end of the connection."""
    body = right.body if isinstance(right.body, bytes) else b""
    partial = web.StreamResponse(status=right.status, headers=right.headers)
    partial.content_length = max(len(body), 2)
    await partial.prepare(request)
    await partial.write(body[: len(body) // 2])
    if request.transport is not None:
        request.transport.close()
    return partial


async def _later(seconds: float, work: Callable[[], web.Response]) -> web.Response:
    await asyncio.sleep(seconds)
    return work()


def _remember(
    work: Coroutine[None, None, web.Response], unfinished: set[asyncio.Task[object]]
) -> "asyncio.Task[web.Response]":
    task = asyncio.create_task(work)
    unfinished.add(task)
    task.add_done_callback(unfinished.discard)
    return task
