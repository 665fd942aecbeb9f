"""The same order on every account at once; one account's failure is no other's."""

import asyncio
from collections.abc import Sequence
from typing import Final

from gateway.legacy.clients import Services
from gateway.legacy.errors import error_text, read_problem
from gateway.legacy.known_accounts import list_accounts
from gateway.legacy.order_views import order_view
from gateway.legacy.placing import UNSETTLED, OrderPlacing
from opitios.account.v1.account_pb2 import Account
from opitios.legacy.v1 import legacy_api_pb2 as legacy
from opitios.order.v1 import order_pb2 as orders
from opitios.order.v1.order_service_pb2 import PlaceOrderRequest
from runtime.errors import ServiceError

MAX_CONCURRENT: Final = 50


class BulkPlacing:
    """Places an order on every account that is enabled and may trade."""

    def __init__(self, services: Services, placing: OrderPlacing) -> None:
        self._services = services
        self._placing = placing

    async def place(
        self, wanted: PlaceOrderRequest, *, refusal: str | None, asset_class: str | None, caller: str
    ) -> legacy.BulkResult:
        """The outcomes in configuration order; with a `refusal` nothing is sent and it is every outcome.

        A key in `wanted` serves every account: keys are unique within one. Raises HttpProblem
        where the accounts cannot be listed, which is before anything is sent.
        """
        accounts = await self._tradable()
        room = asyncio.Semaphore(MAX_CONCURRENT)

        async def place_one(account: Account) -> legacy.BulkAccountResult:
            if refusal is not None:
                return _failed(account, refusal)
            async with room:
                return await self._place_one(account, wanted, asset_class, caller)

        return _summary(await asyncio.gather(*(place_one(account) for account in accounts)))

    async def _tradable(self) -> Sequence[Account]:
        try:
            accounts = await list_accounts(self._services)
        except ServiceError as error:
            raise read_problem(error, "") from error
        return [account for account in accounts if account.enabled and account.tradable]

    async def _place_one(
        self, account: Account, wanted: PlaceOrderRequest, asset_class: str | None, caller: str
    ) -> legacy.BulkAccountResult:
        request = PlaceOrderRequest()
        request.CopyFrom(wanted)
        request.account_id = account.account_id
        try:
            order = await self._placing.place(request, caller)
        except ServiceError as error:
            return _failed(account, error_text(error))
        return _placed(account, order, asset_class)


def _failed(account: Account, error: str) -> legacy.BulkAccountResult:
    return legacy.BulkAccountResult(
        account_id=account.account_id, account_name=account.name, success=False, error=error
    )


def _placed(account: Account, order: orders.Order, asset_class: str | None) -> legacy.BulkAccountResult:
    is_settled = order.state not in UNSETTLED
    return legacy.BulkAccountResult(
        account_id=account.account_id,
        account_name=account.name,
        success=is_settled,
        order=order_view(order, asset_class=asset_class),
        error=None
        if is_settled
        else f"not known yet whether the order was placed; look for client_order_id {order.client_order_id}",
    )


def _summary(results: Sequence[legacy.BulkAccountResult]) -> legacy.BulkResult:
    successful = sum(result.success for result in results)
    return legacy.BulkResult(
        bulk_place=True,
        total_accounts=len(results),
        successful_orders=successful,
        failed_orders=len(results) - successful,
        results=results,
    )
