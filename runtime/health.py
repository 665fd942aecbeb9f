"""What a server says about itself over grpc.health.v1."""

from collections.abc import Iterable

from grpc_health.v1 import health_pb2
from grpc_health.v1.health import aio

PROCESS, READ, TRADE = "", "read", "trade"
"""The whole process; answers reads; accepts writes (reliability.md, section 7)."""


class HealthBoard:
    """The serving state of each name; every name starts NOT_SERVING and ends so when draining."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._states = dict.fromkeys((PROCESS, READ, TRADE, *names), False)
        self._draining = False
        self.servicer = aio.HealthServicer()

    @property
    def names(self) -> tuple[str, ...]:
        """Every name on the board."""
        return tuple(self._states)

    def is_serving(self, name: str) -> bool:
        """What callers are told about this name; an unknown name is not serving."""
        return self._states.get(name, False)

    async def set(self, name: str, serving: bool) -> None:  # noqa: FBT001 - reads as a setter: set("trade", True)
        """Tells callers and watchers; safe to repeat, without effect once draining."""
        if self._draining:
            return
        self._states[name] = serving
        await self.servicer.set(name, _status(serving=serving))

    async def set_all(self, *, serving: bool) -> None:
        """Gives every name this state."""
        for name in self.names:
            await self.set(name, serving)

    async def drain(self) -> None:
        """NOT_SERVING for every name, for good."""
        self._draining = True
        self._states = dict.fromkeys(self._states, False)
        await self.servicer.enter_graceful_shutdown()


def _status(*, serving: bool) -> int:
    return health_pb2.HealthCheckResponse.SERVING if serving else health_pb2.HealthCheckResponse.NOT_SERVING
