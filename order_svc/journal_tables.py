"""The journal's tables, and columns that keep decimals and times exact on every database."""

# ruff: noqa: ARG002 - `dialect` is part of what SQLAlchemy calls

from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
)
from sqlalchemy.types import TypeDecorator

metadata: Final = MetaData()


class DecimalText(TypeDecorator[Decimal]):
    """A decimal as text: SQLite would make a float of it."""

    impl = String(64)
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> str | None:
        """The plain form, every digit kept."""
        return None if value is None else format(value, "f")

    def process_result_value(self, value: str | None, dialect: Dialect) -> Decimal | None:
        """The decimal that was stored."""
        return None if value is None else Decimal(value)


class UtcDateTime(TypeDecorator[datetime]):
    """A moment in UTC; naive times are refused, SQLite's lack of a zone is made good."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """The moment in UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value.isoformat()} has no time zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """The moment that was stored, aware."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


intents: Final = Table(
    "intents",
    metadata,
    Column("account_id", String(128), primary_key=True),
    Column("client_order_id", String(128), primary_key=True),
    Column("fingerprint", String(64), nullable=False),
    Column("symbol", String(32), nullable=False),
    Column("asset_class", String(16), nullable=False),
    Column("side", String(8), nullable=False),
    Column("order_type", String(16), nullable=False),
    Column("time_in_force", String(8), nullable=False),
    Column("qty", DecimalText),
    Column("notional", DecimalText),
    Column("limit_price", DecimalText),
    Column("stop_price", DecimalText),
    Column("position_intent", String(16)),
    Column("extended_hours", Boolean, nullable=False),
    Column("auto_sell_enabled", Boolean, nullable=False),
    Column("account_number", String(64), nullable=False),
    Column("account_type", String(8), nullable=False),
    Column("state", String(16), nullable=False),
    Column("reason", String(64), nullable=False),
    Column("reason_text", Text, nullable=False),
    Column("reason_metadata", Text, nullable=False),
    Column("broker_answer", Text, nullable=False),
    Column("order_id", String(64)),
    Column("broker_status", String(32), nullable=False),
    Column("filled_qty", DecimalText, nullable=False),
    Column("filled_avg_price", DecimalText),
    Column("received_at", UtcDateTime, nullable=False),
    Column("submitted_at", UtcDateTime),
    Column("filled_at", UtcDateTime),
    Column("canceled_at", UtcDateTime),
    Column("duration_ms", BigInteger, nullable=False),
    Column("broker_ms", BigInteger),
)
Index("intents_by_order_id", intents.c.account_id, intents.c.order_id)
Index("intents_by_state", intents.c.state)

attempts: Final = Table(
    "attempts",
    metadata,
    Column("attempt_id", String(64), primary_key=True),
    Column("kind", String(8), nullable=False),
    Column("account_id", String(128), nullable=False),
    # Not a foreign key: orders placed elsewhere can be cancelled here.
    Column("client_order_id", String(128), nullable=False),
    Column("order_id", String(64)),
    Column("side", String(8)),
    Column("symbol", String(64), nullable=False),
    Column("qty", DecimalText),
    Column("notional", DecimalText),
    Column("account_number", String(64), nullable=False),
    Column("account_type", String(8), nullable=False),
    Column("request_id", String(128), nullable=False),
    Column("received_at", UtcDateTime, nullable=False),
    Column("authorized_at", UtcDateTime),
    Column("sent_at", UtcDateTime),
    Column("answered_at", UtcDateTime),
    Column("completed_at", UtcDateTime),
    Column("duration_ms", BigInteger, nullable=False),
    Column("broker_ms", BigInteger),
    Column("error", String(64), nullable=False),
    Column("detail", Text, nullable=False),
    Column("recovered", Boolean, nullable=False),
    Column("reason", Text, nullable=False),
    # Set some time after the line is in the log file; recovery looks there before it writes one.
    Column("logged", Boolean, nullable=False),
)
Index("attempts_by_account", attempts.c.account_id, attempts.c.received_at)
Index("attempts_by_order", attempts.c.account_id, attempts.c.client_order_id)
Index(
    "attempts_unlogged",
    attempts.c.attempt_id,
    sqlite_where=~attempts.c.logged,
    postgresql_where=~attempts.c.logged,
)

transitions: Final = Table(
    "transitions",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("account_id", String(128), nullable=False),
    Column("client_order_id", String(128), nullable=False),
    Column("state", String(16), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("evidence", Text, nullable=False),
    ForeignKeyConstraint(
        ["account_id", "client_order_id"], [intents.c.account_id, intents.c.client_order_id]
    ),
)
Index("transitions_by_order", transitions.c.account_id, transitions.c.client_order_id)

probes: Final = Table("probes", metadata, Column("id", Integer, primary_key=True, autoincrement=False))
"""One row, written to learn whether the store can be."""
