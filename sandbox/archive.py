"""Where closed orders, old requests and old cash entries go: a database file that vanishes with the process.

Memory stays flat however long the exchange runs, and nothing that proves something is lost: lookups by id
and by client order id, lists and the ledger read on from here.
"""

import pickle
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from sandbox.orders import Order, OrderId

DEFAULT_KEEP_ORDERS = 10_000
DEFAULT_KEEP_REQUESTS = 10_000
_TABLES = """
    create table orders (
        sequence integer primary key, account integer, order_id text, client_order_id text,
        submitted_at integer, body blob
    );
    create index orders_by_id on orders (order_id);
    create index orders_by_client_order_id on orders (account, client_order_id);
    create index orders_by_time on orders (account, submitted_at);
    create table texts (kind text, number integer, body text, primary key (kind, number)) without rowid;
"""


class Archive:
    """The rest of what is kept in memory. `keep_*` are how many stay there; the file is made when first needed."""

    def __init__(
        self, *, keep_orders: int = DEFAULT_KEEP_ORDERS, keep_requests: int = DEFAULT_KEEP_REQUESTS
    ) -> None:
        self.keep_orders = keep_orders
        self.keep_requests = keep_requests
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._base: sqlite3.Connection | None = None

    def __deepcopy__(self, memo: dict[int, object]) -> "Archive":
        """The same: a copy of the exchange reads on from it."""
        return self

    def put_orders(self, orders: Iterable[tuple[int, Order]]) -> None:
        """Take in closed orders, each with the serial number of its account."""
        rows = [
            (
                order.sequence,
                serial,
                order.order_id,
                order.client_order_id,
                order.submitted_at,
                pickle.dumps(order, pickle.HIGHEST_PROTOCOL),
            )
            for serial, order in orders
        ]
        with self._opened() as base:
            base.executemany("insert into orders values (?, ?, ?, ?, ?, ?)", rows)

    def find_order(self, serial: int, order_id: OrderId) -> Order | None:
        """The archived order of an id, if it is that account's."""
        return self._one("select body from orders where order_id = ? and account = ?", (order_id, serial))

    def find_client_order(self, serial: int, client_order_id: str) -> Order | None:
        """The archived order of an account and client order id."""
        query = "select body from orders where account = ? and client_order_id = ?"
        return self._one(query, (serial, client_order_id))

    def knows_client_order(self, serial: int, client_order_id: str) -> bool:
        """Whether an archived order of the account has that client order id."""
        if self._base is None:
            return False
        query = "select 1 from orders where account = ? and client_order_id = ?"
        return self._base.execute(query, (serial, client_order_id)).fetchone() is not None

    def orders_of(self, serial: int, *, newest_first: bool) -> Iterator[Order]:
        """The archived orders of an account by submitted_at."""
        direction = "desc" if newest_first else "asc"
        query = f"select body from orders where account = ? order by submitted_at {direction}"  # noqa: S608 - one of two words
        return self._many(query, (serial,))

    def orders(self) -> Iterator[Order]:
        """Every archived order in the order of acceptance."""
        return self._many("select body from orders order by sequence", ())

    def put_texts(self, kind: str, texts: Iterable[tuple[int, str]]) -> None:
        """Take in numbered texts of a kind; one of a known number replaces it."""
        with self._opened() as base:
            base.executemany(
                "insert or replace into texts values (?, ?, ?)",
                ((kind, number, text) for number, text in texts),
            )

    def texts(self, kind: str, *, start: int = 0) -> Iterator[str]:
        """The texts of a kind from a number on."""
        if self._base is None:
            return
        query = "select body from texts where kind = ? and number >= ? order by number"
        for (text,) in self._base.execute(query, (kind, start)):
            yield text

    def close(self) -> None:
        """Remove the file. May be called twice."""
        if self._base is not None:
            self._base.close()
            self._base = None
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    def _opened(self) -> sqlite3.Connection:
        if self._base is None:
            self._folder = tempfile.TemporaryDirectory(prefix="sandbox-ledger-")
            self._base = sqlite3.connect(
                Path(self._folder.name) / "ledger.sqlite", isolation_level="DEFERRED"
            )
            # Nobody else reads the file and nobody needs it after a crash.
            self._base.executescript("pragma journal_mode = off; pragma synchronous = off;" + _TABLES)
        return self._base

    def _one(self, query: str, values: Sequence[object]) -> Order | None:
        return next(self._many(query, values), None)

    def _many(self, query: str, values: Sequence[object]) -> Iterator[Order]:
        if self._base is None:
            return
        for (body,) in self._base.execute(query, values):
            order: Order = pickle.loads(body)  # noqa: S301 - written by this process into its own folder
            yield order
