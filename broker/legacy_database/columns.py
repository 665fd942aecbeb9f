"""Column types that mean the same on MySQL, PostgreSQL and SQLite."""

# ruff: noqa: ARG002 - `dialect` is part of what SQLAlchemy calls

from decimal import Decimal
from typing import Any

from sqlalchemy import Boolean, Dialect, Integer, Numeric, String
from sqlalchemy.types import TypeDecorator, TypeEngine

__all__ = ["Flag", "Price"]


class Flag(TypeDecorator[bool]):
    """Yes or no, stored as the table has it: a number, a boolean, or MySQL's BIT."""

    impl = Integer
    cache_ok = True

    def __init__(self, *, boolean: bool) -> None:
        super().__init__()
        self.boolean = boolean

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """The type that the table has."""
        return dialect.type_descriptor(Boolean() if self.boolean else Integer())

    def process_bind_param(self, value: bool | None, dialect: Dialect) -> Any:  # noqa: ANN401, FBT001 - SQLAlchemy's signature
        """As the table stores it."""
        if value is None:
            return None
        return bool(value) if self.boolean else int(value)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> bool | None:  # noqa: ANN401 - SQLAlchemy's signature
        """Whether it is set; `None` where the row does not say."""
        if value is None:
            return None
        return bool(int.from_bytes(value, "big")) if isinstance(value, bytes) else bool(int(value))


class Price(TypeDecorator[Decimal]):
    """A decimal that is only written; SQLite takes it as text and applies the column's own affinity."""

    impl = Numeric
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Text on SQLite, which has no decimals."""
        return dialect.type_descriptor(String(64) if dialect.name == "sqlite" else Numeric())

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> Decimal | str | None:
        """Every digit of it."""
        if value is None or dialect.name != "sqlite":
            return value
        return format(value, "f")
