"""Orders, accounts and positions as the services would answer them."""

from typing import Any

from opitios.account.v1 import account_pb2 as accounts
from opitios.account.v1 import account_service_pb2 as account_service
from opitios.order.v1 import order_pb2 as orders
from opitios.order.v1 import order_service_pb2 as order_service
from runtime.errors import ServiceError

SUBMITTED = "2025-09-18T19:53:53.783132Z"
STOCK_ORDER_ID = "904837e3-3b76-47ec-b432-046db621571b"


def stock_order(**changes: Any) -> orders.Order:
    """A stock order that the exchange has accepted."""
    order = orders.Order(
        account_id="paper",
        client_order_id="key-1",
        order_id=STOCK_ORDER_ID,
        symbol="AAPL",
        asset_class="us_equity",
        side=orders.SIDE_BUY,
        order_type=orders.ORDER_TYPE_MARKET,
        time_in_force=orders.TIME_IN_FORCE_DAY,
        qty="1",
        state=orders.ORDER_STATE_WORKING,
        broker_status="accepted",
        filled_qty="0",
        duration_ms=245,
        broker_ms=200,
    )
    order.submitted_at.FromJsonString(SUBMITTED)
    for name, value in changes.items():
        if name.endswith("_at"):
            order.ClearField(name)  # type: ignore[arg-type]  # one of its time fields
            if value is not None:
                getattr(order, name).FromJsonString(value)
        else:
            setattr(order, name, value)
    return order


def option_order(**changes: Any) -> orders.Order:
    """An option order that the exchange has accepted."""
    option = {
        "symbol": "AAPL240119C00190000",
        "asset_class": "us_option",
        "order_type": orders.ORDER_TYPE_LIMIT,
        "qty": "2",
        "limit_price": "10.5",
    }
    return stock_order(**{**option, **changes})


def placed(order: orders.Order) -> order_service.PlaceOrderResponse:
    return order_service.PlaceOrderResponse(order=order)


def account(account_id: str, **changes: Any) -> accounts.Account:
    """An account that may trade."""
    values: dict[str, Any] = {
        "account_id": account_id,
        "name": account_id.title(),
        "enabled": True,
        "tradable": True,
        **changes,
    }
    return accounts.Account(**values)


def listed(*found: accounts.Account) -> account_service.ListAccountsResponse:
    return account_service.ListAccountsResponse(accounts=found)


def reasoned(error: ServiceError, reason: str) -> ServiceError:
    """The error with a leaf's reason, as a service raises it."""
    vars(error)["reason"] = reason
    return error
