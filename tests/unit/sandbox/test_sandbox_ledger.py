"""The list of requests: what it tells of those that have moved to the archive."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sandbox.archive import Archive
from sandbox.instant import Instant
from sandbox.ledger import Ledger, RequestEntry, RequestFilter

# Requests leave memory a thousand at a time.
LOT = 1_000


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    archive = Archive(keep_requests=0)
    yield Ledger(archive)
    archive.close()


def arrived(ledger: Ledger, path: str = "/v2/clock") -> RequestEntry:
    entry = RequestEntry(
        index=ledger.next_index,
        account=None,
        method="GET",
        path=path,
        query="",
        body=b"",
        arrived_at=Instant(0),
        monotonic_ns=0,
        request_id=f"request {ledger.next_index}",
    )
    ledger.append(entry)
    return entry


def test_a_request_that_is_answered_after_it_was_archived_is_told_once_with_its_status(
    ledger: Ledger,
) -> None:
    slow, hanging = arrived(ledger, "/slow"), arrived(ledger, "/hanging")
    for _ in range(LOT):
        ledger.answer(arrived(ledger), 200)
    in_memory = [*ledger.entries(RequestFilter())]
    ledger.answer(slow, 504)

    told = [*ledger.every(RequestFilter())]
    assert slow not in in_memory
    assert hanging not in in_memory
    assert [each["index"] for each in told] == [*range(LOT + 2)]
    assert [(each["path"], each["status"]) for each in told[:3]] == [
        ("/slow", 504),
        ("/hanging", None),
        ("/v2/clock", 200),
    ]
