"""The ASGI interface as far as this package uses it."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

# The ASGI specification leaves the values of scopes and events untyped.
Scope = MutableMapping[str, Any]
Event = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]
