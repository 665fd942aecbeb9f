"""account_svc's guard as a real aio server whose verdict a test decides."""

# ruff: noqa: N802 - gRPC method names are CamelCase

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from grpc import aio

from opitios.account.v1 import account_pb2, account_service_pb2
from opitios.account.v1.account_service_pb2_grpc import (
    AccountServiceServicer,
    add_AccountServiceServicer_to_server,
)

T = TypeVar("T")
Context = aio.ServicerContext[Any, Any]


@dataclass(slots=True)
class GuardServer(AccountServiceServicer):
    """Allows everything unless told otherwise; remembers what it was asked."""

    port: int = 0
    verdict: account_pb2.BalanceVerdict.ValueType = account_pb2.BALANCE_VERDICT_ALLOWED
    reason: str = ""
    valid_for_ms: list[int] = field(default_factory=lambda: [5000])
    """For each answer in turn; the last stands for all that follow."""
    hold_amount: str = ""
    account_number: str = ""
    asked: list[account_service_pb2.AuthorizeOrderRequest] = field(default_factory=list)
    released: list[account_service_pb2.ReleaseHoldRequest] = field(default_factory=list)
    let_answer: asyncio.Event = field(default_factory=asyncio.Event)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def AuthorizeOrder(
        self, request: account_service_pb2.AuthorizeOrderRequest, context: Context
    ) -> account_service_pb2.AuthorizeOrderResponse:
        await self._note(self.asked, request)
        await self.let_answer.wait()
        valid = self.valid_for_ms.pop(0) if len(self.valid_for_ms) > 1 else self.valid_for_ms[0]
        return account_service_pb2.AuthorizeOrderResponse(
            verdict=self.verdict,
            account_id=request.account_id,
            account_number=self.account_number,
            cash="4000",
            holds_total="100",
            minimum_balance="5000",
            reason=self.reason,
            message="cash 4000 less holds 100 is below 5000" if self.reason else "",
            hold_amount=self.hold_amount,
            valid_for_ms=valid,
        )

    async def ReleaseHold(
        self, request: account_service_pb2.ReleaseHoldRequest, context: Context
    ) -> account_service_pb2.ReleaseHoldResponse:
        await self._note(self.released, request)
        return account_service_pb2.ReleaseHoldResponse(released=True)

    async def ListAccounts(
        self, request: account_service_pb2.ListAccountsRequest, context: Context
    ) -> account_service_pb2.ListAccountsResponse:
        raise NotImplementedError

    async def GetAccount(
        self, request: account_service_pb2.GetAccountRequest, context: Context
    ) -> account_service_pb2.GetAccountResponse:
        raise NotImplementedError

    async def CheckBalance(
        self, request: account_service_pb2.CheckBalanceRequest, context: Context
    ) -> account_service_pb2.CheckBalanceResponse:
        return account_service_pb2.CheckBalanceResponse(
            account_id=request.account_id,
            account_number=self.account_number,
            verdict=self.verdict,
            reason="cash 4000 less holds 100 is below 5000" if self.reason else "",
            cash="4000",
            holds_total="100",
            minimum_balance="5000",
            mode="literal",
            check_enabled=True,
        )

    async def ListPositions(
        self, request: account_service_pb2.ListPositionsRequest, context: Context
    ) -> account_service_pb2.ListPositionsResponse:
        raise NotImplementedError

    async def wait_for(self, what: Sequence[object], count: int) -> None:
        """Return when `asked` or `released` holds that many."""
        async with asyncio.timeout(20), self.changed:
            await self.changed.wait_for(lambda: len(what) >= count)

    async def _note(self, where: list[T], request: T) -> None:
        async with self.changed:
            where.append(request)
            self.changed.notify_all()


@asynccontextmanager
async def guard_server() -> AsyncIterator[GuardServer]:
    """A listening guard that answers at once and says yes."""
    guard = GuardServer()
    guard.let_answer.set()
    server = aio.server()
    add_AccountServiceServicer_to_server(guard, server)
    guard.port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield guard
    finally:
        await server.stop(None)
