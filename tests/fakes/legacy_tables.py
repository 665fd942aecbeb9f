"""The legacy tables as the former service's owners have them, made by a test in a database of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Engine, create_engine, text
from sqlalchemy.engine import make_url

_SERIAL = {
    "mysql": "INT AUTO_INCREMENT PRIMARY KEY",
    "postgresql": "SERIAL PRIMARY KEY",
    "sqlite": "INTEGER PRIMARY KEY AUTOINCREMENT",
}
_MOMENT = {"mysql": "DATETIME", "postgresql": "TIMESTAMP", "sqlite": "DATETIME"}
_NAMES = ("app_alpaca_users", "trading_rules", "order_details")

Row = Mapping[str, Any]


class LegacyTables:
    """What a test needs of the database behind the service's back."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._engine: Engine = create_engine(url)

    def create(self, *, flag: str | None = None, order_time_default: bool = True) -> None:
        """Makes the tables anew; `flag` is the type of every yes or no, usually each database's own."""
        kind = make_url(self.url).get_backend_name()
        own = {"mysql": "TINYINT(1)", "postgresql": "BOOLEAN", "sqlite": "BOOLEAN"}[kind]
        number = {"mysql": "TINYINT(1)", "postgresql": "SMALLINT", "sqlite": "INTEGER"}[kind]
        default = " DEFAULT CURRENT_TIMESTAMP" if order_time_default else ""
        self.drop()
        self.run(
            f"CREATE TABLE app_alpaca_users (id {_SERIAL[kind]}, user_uuid VARCHAR(36) NOT NULL,"
            f" account_name VARCHAR(100) NOT NULL, api_key VARCHAR(100) NOT NULL,"
            f" secret_key VARCHAR(100) NOT NULL, paper_trading {flag or own}, enabled {flag or own},"
            f" created_at {_MOMENT[kind]}, updated_at {_MOMENT[kind]}, UNIQUE (user_uuid, paper_trading))"
        )
        self.run(
            f"CREATE TABLE trading_rules (id {_SERIAL[kind]}, user_id VARCHAR(36), rule_name VARCHAR(100),"
            f" is_active {flag or number}, created_by_admin {flag or number})"
        )
        self.run(
            f"CREATE TABLE order_details (id {_SERIAL[kind]}, account_name VARCHAR(100), broker VARCHAR(20),"
            f" order_id VARCHAR(100), symbol VARCHAR(50), asset_type VARCHAR(20), underlying_symbol VARCHAR(20),"
            f" action VARCHAR(10), quantity INT, limit_price DECIMAL(12,4), paper_trading {flag or number},"
            f" trade_source VARCHAR(20), auto_sell_enabled {flag or number}, status VARCHAR(20),"
            f" order_time {_MOMENT[kind]}{default})"
        )

    def drop(self) -> None:
        for name in _NAMES:
            self.run(f"DROP TABLE IF EXISTS {name}")

    def run(self, statement: str, **values: Any) -> None:
        with self._engine.begin() as connection:
            connection.execute(text(statement), values)

    def add(self, table: str, **row: Any) -> None:
        columns, names = ", ".join(row), ", ".join(f":{name}" for name in row)
        self.run(f"INSERT INTO {table} ({columns}) VALUES ({names})", **row)  # noqa: S608 - the test's own names

    def add_user(self, account_name: str, **other: Any) -> None:
        row = {
            "user_uuid": f"uuid-{account_name}",
            "api_key": f"key-{account_name}",
            "secret_key": f"secret-{account_name}",
            "paper_trading": True,
            "enabled": True,
        }
        self.add("app_alpaca_users", account_name=account_name, **{**row, **other})

    def add_order(self, order_id: str, **other: Any) -> None:
        row = {
            "account_name": "alice",
            "broker": "alpaca",
            "symbol": "AAPL260116C00190000",
            "action": "BUY",
            "quantity": 1,
            "auto_sell_enabled": 1,
            "status": "active",
        }
        self.add("order_details", order_id=order_id, **{**row, **other})

    def rows(self, table: str) -> list[dict[str, Any]]:
        query = text(f"SELECT * FROM {table} ORDER BY id")  # noqa: S608 - the test's own names
        with self._engine.connect() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]

    def close(self) -> None:
        self._engine.dispose()
