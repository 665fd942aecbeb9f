"""The placements under way in this process: a repeat waits for the one before it."""

import asyncio
from dataclasses import dataclass

from order_svc.identifiers import OrderKey
from order_svc.records import OrderRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Flight:
    """One placement under way."""

    fingerprint: str
    task: asyncio.Task[OrderRecord]


class InFlight:
    """At most one placement a key."""

    def __init__(self) -> None:
        self._flights: dict[OrderKey, Flight] = {}

    def find(self, key: OrderKey) -> Flight | None:
        """The placement under way for this key."""
        return self._flights.get(key)

    def add(self, key: OrderKey, flight: Flight) -> None:
        """Registers a placement until its task ends."""
        self._flights[key] = flight
        flight.task.add_done_callback(lambda _: self._flights.pop(key, None))
