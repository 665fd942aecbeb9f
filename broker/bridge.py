"""Runs synchronous code that waits on the event loop instead of blocking it.

`run` starts the code in a greenlet of its own; wherever that code calls `await_only`, the greenlet
hands the awaitable to the task that called `run` and sleeps until the result is there. This is how
SQLAlchemy puts its asyncio face on synchronous code, and it costs no thread.
"""

from collections.abc import Awaitable, Callable
from typing import Any, ParamSpec, TypeVar, cast

import greenlet

__all__ = ["BridgeError", "await_only", "run"]

P = ParamSpec("P")
T = TypeVar("T")


class BridgeError(RuntimeError):
    """Synchronous code tried to wait without a bridge under it; that is a bug."""


class _Bridge(greenlet.greenlet):
    """A greenlet that may wait; it shares the context variables of its task."""

    def __init__(self, code: Callable[[], object], parent: greenlet.greenlet) -> None:
        super().__init__(code, parent)
        self.gr_context = parent.gr_context


async def run(code: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """The result of `code(*args, **kwargs)`, whose waiting leaves the loop free.

    Exceptions, context variables and cancellation pass through as if the code were a coroutine.
    """
    bridge = _Bridge(lambda: code(*args, **kwargs), greenlet.getcurrent())
    step: Any = bridge.switch()
    while not bridge.dead:
        try:
            value = await step
        except BaseException as e:  # noqa: BLE001 - the code inside must see all, also CancelledError, to clean up
            step = bridge.throw(e)
        else:
            step = bridge.switch(value)
    return cast("T", step)  # a dead greenlet's last switch gives what its code returned


def await_only(awaitable: Awaitable[T]) -> T:
    """The awaitable's result, from synchronous code that `run` started.

    Raises BridgeError, and closes the coroutine, where no bridge is under the caller.
    """
    current = greenlet.getcurrent()
    if not isinstance(current, _Bridge) or current.parent is None:
        close = getattr(awaitable, "close", None)
        if close is not None:
            close()
        raise BridgeError("await_only called outside of bridge.run; a call would have blocked the loop")
    return cast("T", current.parent.switch(awaitable))  # `run` switches back with the awaited value
