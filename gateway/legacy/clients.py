"""The services behind the legacy routes: every call has a deadline, every failure is a ServiceError."""

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self, TypeVar

import grpc
from loguru import logger

from gateway.legacy.errors import is_own_word
from opitios.account.v1.account_service_pb2_grpc import AccountServiceStub
from opitios.account.v1.market_data_service_pb2_grpc import MarketDataServiceStub
from opitios.order.v1.order_service_pb2_grpc import OrderServiceStub
from opitios.sell.v1.sell_service_pb2_grpc import SellServiceStub
from runtime.errors import ServiceError
from runtime.status import from_rpc_error

if TYPE_CHECKING:
    # The generated modules have these for type checkers only.
    from opitios.account.v1.account_service_pb2_grpc import AccountServiceAsyncStub
    from opitios.account.v1.market_data_service_pb2_grpc import MarketDataServiceAsyncStub
    from opitios.order.v1.order_service_pb2_grpc import OrderServiceAsyncStub
    from opitios.sell.v1.sell_service_pb2_grpc import SellServiceAsyncStub

Answer = TypeVar("Answer")

READ_SECONDS: Final = 5.0
CANCEL_SECONDS: Final = 5.0
CONTROL_SECONDS: Final = 5.0
HEALTH_SECONDS: Final = 1.0
BARS_SECONDS: Final = 8.0
CHAIN_SECONDS: Final = 15.0
"""A chain of ten thousand contracts is ten pages at the exchange."""

_NEVER_CONNECTED: Final = (
    "connections to all backends failing",
    "failed to connect to all addresses",
    "errors resolving",
    "DNS resolution failed",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Stubs of the services."""

    accounts: "AccountServiceAsyncStub"
    market_data: "MarketDataServiceAsyncStub"
    orders: "OrderServiceAsyncStub"
    sell: "SellServiceAsyncStub"

    @classmethod
    def over(cls, *, account: grpc.aio.Channel, order: grpc.aio.Channel, sell: grpc.aio.Channel) -> Self:
        """The stubs over these channels, which stay their owner's to close."""
        return cls(
            accounts=AccountServiceStub(account),
            market_data=MarketDataServiceStub(account),
            orders=OrderServiceStub(order),
            sell=SellServiceStub(sell),
        )


async def answer_of(call: Awaitable[Answer]) -> Answer:
    """The call's answer; raises the ServiceError that the service raised, or that its silence amounts to."""
    try:
        return await call
    except grpc.aio.AioRpcError as failure:
        error = from_rpc_error(failure)
        if not is_own_word(error):
            # What it says of addresses inside is for the log, not for callers.
            logger.warning(f"A service gave no answer: {error.code.name}: {error.message}")
        raise error from failure


def was_never_sent(error: ServiceError) -> bool:
    """Whether no connection to the service existed, so that it cannot have seen the call."""
    return error.message.startswith(_NEVER_CONNECTED)
