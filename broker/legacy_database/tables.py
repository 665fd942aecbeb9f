"""The three legacy tables as they are found (legacy-config.md, section 3); nothing here creates or alters."""

from collections.abc import Mapping
from enum import Enum
from typing import Any, Final

from sqlalchemy import Boolean, Column, Connection, DateTime, Integer, MetaData, String, Table, inspect
from sqlalchemy.exc import NoSuchTableError
from sqlalchemy.types import TypeEngine

from broker.legacy_database.columns import Flag, Price
from broker.legacy_database.faults import LegacySchemaMismatch

__all__ = ["LegacyTable", "find_table"]


class LegacyTable(Enum):
    """The tables, by name."""

    USERS = "app_alpaca_users"
    RULES = "trading_rules"
    ORDERS = "order_details"


_FLAG: Final = object()
_COLUMNS: Final[Mapping[LegacyTable, Mapping[str, TypeEngine[Any] | object]]] = {
    LegacyTable.USERS: {
        "user_uuid": String(36),
        "account_name": String(100),
        "api_key": String(100),
        "secret_key": String(100),
        "paper_trading": _FLAG,
        "enabled": _FLAG,
    },
    LegacyTable.RULES: {
        "user_id": String(36),
        "rule_name": String(100),
        "is_active": _FLAG,
        "created_by_admin": _FLAG,
    },
    LegacyTable.ORDERS: {
        "account_name": String(100),
        "broker": String(20),
        "order_id": String(100),
        "symbol": String(50),
        "asset_type": String(20),
        "underlying_symbol": String(20),
        "action": String(10),
        "quantity": Integer(),
        "limit_price": Price(),
        "paper_trading": _FLAG,
        "trade_source": String(20),
        "auto_sell_enabled": _FLAG,
        "status": String(20),
        "order_time": DateTime(),
    },
}


def find_table(connection: Connection, wanted: LegacyTable) -> Table:
    """The table with the columns this service uses, typed as the database has them.

    `order_time` carries `info["default"]`, whether the database fills it in by itself.
    Raises LegacySchemaMismatch, naming what is missing.
    """
    try:
        found = {one["name"].lower(): one for one in inspect(connection).get_columns(wanted.value)}
    except NoSuchTableError:
        raise LegacySchemaMismatch(f"database.url: the table {wanted.value} is missing") from None
    missing = sorted(_COLUMNS[wanted].keys() - found.keys())
    if missing:
        raise LegacySchemaMismatch(f"database.url: {wanted.value} has no column {', '.join(missing)}")
    columns: list[Column[Any]] = [
        Column(
            name,
            Flag(boolean=isinstance(found[name]["type"], Boolean)) if kind is _FLAG else kind,  # type: ignore[arg-type] # what is no flag is a type
            info={"default": found[name].get("default") is not None},
        )
        for name, kind in _COLUMNS[wanted].items()
    ]
    return Table(wanted.value, MetaData(), *columns)
