"""Ids of orders, accounts and attempts, and how this service makes its own."""

import secrets
from collections.abc import Callable
from datetime import datetime
from typing import Final, NamedTuple, NewType

AccountId = NewType("AccountId", str)
"""The account's key in the configuration, never its name."""
ClientOrderId = NewType("ClientOrderId", str)
"""Chosen before sending, unique per account for ever."""
OrderId = NewType("OrderId", str)
"""The broker's."""
AttemptId = NewType("AttemptId", str)
"""One try to place or cancel; its timing line carries it."""

MADE_PREFIX: Final = "opi-"
"""Marks the client_order_ids made here, so that they can be told apart at the broker."""

_CROCKFORD: Final = "0123456789abcdefghjkmnpqrstvwxyz"
_TIME_DIGITS: Final = 10
_RANDOM_DIGITS: Final = 16

RandomBits = Callable[[int], int]


class OrderKey(NamedTuple):
    """What names one intent (reliability.md, section 1)."""

    account_id: AccountId
    client_order_id: ClientOrderId


def make_client_order_id(now: datetime, random_bits: RandomBits = secrets.randbits) -> ClientOrderId:
    """An id that sorts by its millisecond and is unique without coordination."""
    return ClientOrderId(f"{MADE_PREFIX}{_sortable(now, random_bits)}")


def make_attempt_id(now: datetime, random_bits: RandomBits = secrets.randbits) -> AttemptId:
    """An id that sorts by its millisecond and is unique without coordination."""
    return AttemptId(f"att-{_sortable(now, random_bits)}")


def _sortable(now: datetime, random_bits: RandomBits) -> str:
    """The 48 bits of time and 80 of chance of a ULID, in its alphabet."""
    milliseconds = int(now.timestamp() * 1000)
    return _digits(milliseconds, _TIME_DIGITS) + _digits(random_bits(80), _RANDOM_DIGITS)


def _digits(number: int, count: int) -> str:
    return "".join(_CROCKFORD[(number >> shift) & 31] for shift in range(5 * (count - 1), -1, -5))
