"""account_svc in this process on a free port, against the sandbox exchange as a real process."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp

from account_svc.app import open_app
from config.schema import Configuration
from opitios.account.v1.account_service_pb2 import (
    AuthorizeOrderRequest,
    AuthorizeOrderResponse,
    CheckBalanceRequest,
    CheckBalanceResponse,
)
from opitios.account.v1.account_service_pb2_grpc import AccountServiceStub
from opitios.account.v1.market_data_service_pb2_grpc import MarketDataServiceStub
from runtime.channel import open_channel
from runtime.server import GrpcServer
from sandbox_process import SandboxProcess

if TYPE_CHECKING:
    from opitios.account.v1.account_service_pb2_grpc import AccountServiceAsyncStub
    from opitios.account.v1.market_data_service_pb2_grpc import MarketDataServiceAsyncStub

WAIT_SECONDS = 10.0
OPTION = "AAPL301220C00200000"
QUOTES: dict[str, dict[str, str]] = {
    "AAPL": {"bid": "189.98", "ask": "190.02", "last": "190.00"},
    "MSFT": {"bid": "299.95", "ask": "300.00", "last": "300.00"},
    "SILENT": {"bid": "0", "ask": "0", "last": "12.00"},
    OPTION: {"bid": "9.95", "ask": "10.00", "last": "10.00"},
}


SCENARIO: dict[str, Any] = {"clock": {"at": "session"}, "rate_limit": None, "accounts": [], "quotes": QUOTES}
"""An open market without a request limit."""


class Exchange:
    """Accounts of one test at an exchange that tests share.

    The exchange counts the requests of an account over a minute whatever the test, so each test
    has accounts of its own; `main` here is `main-<suffix>` there.
    """

    def __init__(self, sandbox: SandboxProcess, suffix: str) -> None:
        self.sandbox = sandbox
        self._suffix = suffix

    @property
    def url(self) -> str:
        """Where the exchange answers."""
        return self.sandbox.url

    async def open_account(self, name: str, number: str, cash: str = "7000", **more: object) -> None:
        """Opens an account."""
        account = {"name": self._there(name), **self._keys(name), "account_number": number, "cash": cash}
        await self.sandbox.add_account({**account, **more})

    async def change_account(self, name: str, **changes: object) -> None:
        """Sets cash, status or flags of an account."""
        await self.sandbox.change_account(self._there(name), **changes)

    def configured(self, name: str, *, paper: bool = True, **more: object) -> dict[str, Any]:
        """The account as the configuration knows it."""
        keys = self._keys(name)
        return {
            "api_key": keys["key"],
            "secret_key": keys["secret"],
            "name": name.title(),
            "paper_trading": paper,
            **more,
        }

    async def add_fault(self, name: str, path: str, **fault: object) -> None:
        """Plants a fault in an account's GETs of a path, until `close`."""
        match = {"method": "GET", "path": path, "account": self._there(name)}
        await self.sandbox.add_fault({"match": match, "times": "forever", **fault})

    async def requests(self, name: str, **wanted: Any) -> list[dict[str, Any]]:
        """What was asked for an account."""
        return await self.sandbox.requests(account=self._there(name), **wanted)

    async def place(self, name: str, client_order_id: str, **more: object) -> dict[str, Any]:
        """Sends an order as order_svc would: a buy of MSFT for 600 USD unless said otherwise."""
        order = {
            "symbol": "MSFT",
            "side": "buy",
            "type": "limit",
            "time_in_force": "day",
            "qty": "2",
            "limit_price": "300",
            "client_order_id": client_order_id,
            **more,
        }
        return await self._call(name, "POST", "/v2/orders", json=order)

    async def cancel(self, name: str, order_id: str) -> None:
        """Asks for the cancellation of an order."""
        await self._call(name, "DELETE", f"/v2/orders/{order_id}")

    async def replace(self, name: str, order_id: str, **changes: object) -> dict[str, Any]:
        """Puts another order in an order's place."""
        return await self._call(name, "PATCH", f"/v2/orders/{order_id}", json=changes)

    async def close(self) -> None:
        """Leaves the exchange as the next test expects it."""
        await self.sandbox.clear_faults()
        await self.sandbox.set_matching(auto=True)

    def _there(self, name: str) -> str:
        return f"{name}-{self._suffix}"

    def _keys(self, name: str) -> dict[str, str]:
        return {"key": f"PK{self._there(name).upper()}", "secret": f"{self._there(name)}-made-up-secret"}

    async def _call(self, name: str, method: str, path: str, *, json: object = None) -> dict[str, Any]:
        keys = self._keys(name)
        headers = {"APCA-API-KEY-ID": keys["key"], "APCA-API-SECRET-KEY": keys["secret"]}
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            session.request(method, f"{self.url}{path}", json=json) as response,
        ):
            assert response.status < 300, await response.text()
            answer: dict[str, Any] = {} if response.status == 204 else await response.json()
            return answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A running account_svc."""

    server: GrpcServer
    accounts: AccountServiceAsyncStub
    market_data: MarketDataServiceAsyncStub

    async def authorize(
        self, account_id: str, hold_id: str, *, qty: str = "2", limit_price: str = "300", **more: Any
    ) -> AuthorizeOrderResponse:
        """Asks to let a buy of MSFT for 600 USD out, unless said otherwise."""
        request: dict[str, Any] = {
            "account_id": account_id,
            "hold_id": hold_id,
            "symbol": "MSFT",
            "side": "buy",
            "order_type": "limit",
            "qty": qty,
            "limit_price": limit_price,
            **more,
        }
        return await self.accounts.AuthorizeOrder(AuthorizeOrderRequest(**request), timeout=WAIT_SECONDS)

    async def balance(self, account_id: str) -> CheckBalanceResponse:
        """The figures of an account."""
        return await self.accounts.CheckBalance(
            CheckBalanceRequest(account_id=account_id), timeout=WAIT_SECONDS
        )

    async def balance_without_holds(self, account_id: str) -> CheckBalanceResponse:
        """The figures once no hold is left; the test's own time limit ends a vain wait."""
        while (report := await self.balance(account_id)).holds:
            pass
        return report


@asynccontextmanager
async def account_service(
    folder: Path, url: str, accounts: Mapping[str, Mapping[str, Any]], **trading: object
) -> AsyncIterator[Service]:
    """The service with these accounts and `trading` settings; its store lives in `folder`."""
    settings = Configuration.model_validate(
        {
            "accounts": {name: dict(one) for name, one in accounts.items()},
            "alpaca": {"trading_url": url, "data_url": url},
            "trading": {"minimum_balance": 5000, **trading},
            "storage": {"url": f"sqlite:///{folder}/opitios.db"},
            "services": {"account": {"listen": "127.0.0.1:0"}},
        }
    )
    async with open_app(settings) as server, open_channel(f"127.0.0.1:{server.port}") as channel:
        yield Service(
            server=server,
            accounts=AccountServiceStub(channel),
            market_data=MarketDataServiceStub(channel),
        )
