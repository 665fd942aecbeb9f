"""A table and changes for tests of the store."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

from sqlalchemy import Column, Connection, Integer, MetaData, String, Table, insert, select, update

WAIT_SECONDS = 20.0
METADATA = MetaData()
NOTES = Table(
    "notes",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("text", String(64), unique=True, nullable=False),
)
PURSES = Table(
    "purses",
    METADATA,
    Column("name", String(64), primary_key=True),
    Column("cash", Integer, nullable=False),
)


def add(text: str) -> Callable[[Connection], int]:
    def change(connection: Connection) -> int:
        return int(connection.execute(insert(NOTES).values(text=text).returning(NOTES.c.id)).scalar_one())

    return change


def texts(connection: Connection) -> list[str]:
    return list(connection.scalars(select(NOTES.c.text).order_by(NOTES.c.id)))


def fill(*names: str, cash: int) -> Callable[[Connection], None]:
    def change(connection: Connection) -> None:
        connection.execute(insert(PURSES), [{"name": name, "cash": cash} for name in names])

    return change


def spend(name: str, amount: int) -> Callable[[Connection], bool]:
    """Reads, decides, then writes what it read less the amount: two at the same time would lose one."""

    def change(connection: Connection) -> bool:
        cash = connection.execute(select(PURSES.c.cash).where(PURSES.c.name == name)).scalar_one()
        if cash < amount:
            return False
        connection.execute(update(PURSES).where(PURSES.c.name == name).values(cash=cash - amount))
        return True

    return change


def purses(connection: Connection) -> dict[str, int]:
    return {row.name: row.cash for row in connection.execute(select(PURSES))}


class Gate:
    """A change that holds its writing thread until told to go on, so that others queue up behind it."""

    def __init__(self) -> None:
        self._entered, self._go_on = threading.Event(), threading.Event()

    def __call__(self, _connection: Connection) -> None:
        self._entered.set()
        assert self._go_on.wait(WAIT_SECONDS)

    async def entered(self) -> None:
        assert await asyncio.to_thread(self._entered.wait, WAIT_SECONDS)

    def open(self) -> None:
        self._go_on.set()
