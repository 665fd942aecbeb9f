"""What was asked of the exchange: every request in the order of arrival, and a way to wait for more."""

import asyncio
import json
import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import NoReturn

from sandbox.archive import Archive
from sandbox.instant import Instant, rfc3339

Json = dict[str, object]

_KIND = "requests"
_LOT = 1_000


@dataclass(slots=True, kw_only=True)
class RequestEntry:
    """One request; `status` stays None while it is not answered, and when it never is."""

    index: int
    account: str | None
    method: str
    path: str
    query: str
    body: bytes
    arrived_at: Instant
    monotonic_ns: int
    request_id: str
    status: int | None = None
    fault: str | None = None

    def to_json(self) -> Json:
        """The entry as the control API gives it; a JSON body is decoded, any other is text."""
        return {
            "index": self.index,
            "account": self.account,
            "method": self.method,
            "path": self.path,
            "query": self.query,
            "body": _decoded(self.body),
            "arrived_at": rfc3339(self.arrived_at),
            "monotonic_ms": self.monotonic_ns // 1_000_000,
            "request_id": self.request_id,
            "status": self.status,
            "fault": self.fault,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestFilter:
    """Picks requests; a part that is None matches all. `path` is a regular expression, searched for."""

    method: str | None = None
    path: re.Pattern[str] | None = None
    account: str | None = None

    def matches(self, entry: RequestEntry) -> bool:
        """Whether the entry is one of those asked for."""
        return self.matches_parts(entry.method, entry.path, entry.account)

    def matches_parts(self, method: str, path: str, account: str | None) -> bool:
        """The same for a request that is not yet an entry."""
        return (
            (self.method is None or self.method == method)
            and (self.account is None or self.account == account)
            and (self.path is None or self.path.search(path) is not None)
        )


class Ledger:
    """The list of requests; the oldest move to the archive. Waiting costs only while somebody waits."""

    def __init__(self, archive: Archive | None = None) -> None:
        self._archive = archive or Archive()
        self._entries: deque[RequestEntry] = deque()
        self._next = 0
        self._waiters: list[asyncio.Event] = []

    @property
    def next_index(self) -> int:
        """The index that the next request gets."""
        return self._next

    def append(self, entry: RequestEntry) -> None:
        """Note a request that has arrived and wake those who wait."""
        self._entries.append(entry)
        self._next += 1
        if len(self._entries) > self._archive.keep_requests + _LOT:
            self._spill()
        self._wake()

    def answer(self, entry: RequestEntry, status: int) -> None:
        """Note that a request has been dealt with, and wake those who wait."""
        entry.status = status
        if entry.index < self._first:
            self._put_away([entry])
        self._wake()

    def entries(self, wanted: RequestFilter, *, start: int = 0) -> Iterator[RequestEntry]:
        """The requests that match and are in memory, from an index on, in the order of arrival."""
        skipped = max(start - self._first, 0)
        return (entry for entry in islice(self._entries, skipped, None) if wanted.matches(entry))

    def every(self, wanted: RequestFilter, *, start: int = 0) -> Iterator[Json]:
        """The same with those of the archive, as the control API gives them."""
        for text in self._archive.texts(_KIND, start=start):
            archived: Json = json.loads(text)
            account = archived["account"]
            parts = str(archived["method"]), str(archived["path"]), str(account) if account else None
            if wanted.matches_parts(*parts):
                yield archived
        yield from (entry.to_json() for entry in self.entries(wanted, start=start))

    @property
    def _first(self) -> int:
        """The index of the oldest request in memory."""
        return self._next - len(self._entries)

    def _spill(self) -> None:
        """Put the oldest away. One that is answered only later is put there again, with its status."""
        self._put_away([self._entries.popleft() for _ in range(_LOT)])

    def _put_away(self, lot: list[RequestEntry]) -> None:
        self._archive.put_texts(_KIND, ((each.index, json.dumps(each.to_json())) for each in lot))

    async def wait_for(
        self, wanted: RequestFilter, *, count: int, start: int, answered: bool
    ) -> list[RequestEntry]:
        """The first `count` matching requests from index `start` on, as soon as so many have arrived.

        With `answered`, only those count that have been dealt with, whether or not the answer got through.
        Those of the archive do not count: start from an index that is not long past.
        """
        woken = asyncio.Event()
        self._waiters.append(woken)
        try:
            while True:
                woken.clear()
                entries = self.entries(wanted, start=start)
                found = [entry for entry in entries if entry.status is not None or not answered]
                if len(found) >= count:
                    return found[:count]
                await woken.wait()
        finally:
            self._waiters.remove(woken)

    def _wake(self) -> None:
        for waiter in self._waiters:
            waiter.set()


def _decoded(body: bytes) -> object:
    if not body:
        return None
    try:
        return json.loads(body, parse_constant=_no_json)
    except (ValueError, RecursionError):
        return body.decode(errors="replace")


def _no_json(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
