"""The tables of the holds. Amounts are decimal text: no database's own number keeps them exact everywhere."""

from enum import Enum

from sqlalchemy import Boolean, Column, Float, Index, Integer, MetaData, String, Table

METADATA = MetaData()

_AMOUNT = String(64)
_STAMP = String(40)


class HoldState(Enum):
    """Whether a hold still keeps cash."""

    OPEN = "open"
    ENDED = "ended"


HOLDS = Table(
    "holds",
    METADATA,
    Column("account_id", String(128), primary_key=True),
    Column("hold_id", String(128), primary_key=True),
    Column("revision", Integer, nullable=False),
    Column("fingerprint", String(64), nullable=False),
    Column("symbol", String(32), nullable=False),
    Column("amount", _AMOUNT, nullable=False),
    Column("whole_headroom", Boolean, nullable=False),
    Column("held_at", _STAMP, nullable=False),
    Column("state", String(8), nullable=False),
    Column("end_reason", String(32)),
    Column("ended_at", _STAMP),
    # What the authorisation was given on, so that a repeated request gets the same answer.
    Column("cash", _AMOUNT),
    Column("held_by_others", _AMOUNT, nullable=False),
    Column("minimum", _AMOUNT, nullable=False),
    # Valid until this moment of the monotonic clock of this process.
    Column("authorised_by", String(32), nullable=False),
    Column("valid_until", Float, nullable=False),
)
Index("holds_open", HOLDS.c.account_id, HOLDS.c.state, HOLDS.c.held_at)
Index("holds_ended", HOLDS.c.state, HOLDS.c.ended_at)

EPOCHS = Table(
    "account_epochs",
    METADATA,
    Column("account_id", String(128), primary_key=True),
    # Advances when a hold ends because its order took the cash.
    Column("epoch", Integer, nullable=False),
    # The snapshot that proved it, and may still be used.
    Column("proven_by", String(32)),
)
