"""What a caller may do through /v1: one table from method to right, deny by default; pure."""

import enum
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Protocol

from gateway.auth.callers import Caller
from runtime.errors import PermissionDenied

EVERY_ACCOUNT: Final = "-"


class Right(enum.Enum):
    """What a method asks of a caller that is not an admin."""

    OWN_ACCOUNT = enum.auto()
    """That the request names the account of its token."""
    OWN_OR_NO_ACCOUNT = enum.auto()
    """That the request names no other account: market data is nobody's."""
    NARROWED = enum.auto()
    """Nothing, but of the accounts in the answer it sees its own only."""
    ADMIN = enum.auto()
    """Nothing helps: admins only."""


RIGHTS: Final[Mapping[str, Right]] = MappingProxyType(
    {
        "opitios.account.v1.AccountService/ListAccounts": Right.NARROWED,
        "opitios.account.v1.AccountService/GetAccount": Right.OWN_ACCOUNT,
        "opitios.account.v1.AccountService/CheckBalance": Right.OWN_ACCOUNT,
        "opitios.account.v1.AccountService/ListPositions": Right.OWN_ACCOUNT,
        "opitios.account.v1.MarketDataService/GetStockQuotes": Right.OWN_OR_NO_ACCOUNT,
        "opitios.account.v1.MarketDataService/GetOptionQuotes": Right.OWN_OR_NO_ACCOUNT,
        "opitios.account.v1.MarketDataService/GetMarketClock": Right.OWN_OR_NO_ACCOUNT,
        "opitios.account.v1.MarketDataService/GetOptionChain": Right.OWN_OR_NO_ACCOUNT,
        "opitios.account.v1.MarketDataService/GetStockBars": Right.OWN_OR_NO_ACCOUNT,
        "opitios.order.v1.OrderService/PlaceOrder": Right.OWN_ACCOUNT,
        "opitios.order.v1.OrderService/BulkPlaceOrder": Right.ADMIN,
        "opitios.order.v1.OrderService/PreviewOrder": Right.OWN_ACCOUNT,
        "opitios.order.v1.OrderService/GetOrder": Right.OWN_ACCOUNT,
        "opitios.order.v1.OrderService/ListOrders": Right.OWN_ACCOUNT,
        "opitios.order.v1.OrderService/CancelOrder": Right.OWN_ACCOUNT,
        "opitios.order.v1.OrderService/ListAttempts": Right.OWN_ACCOUNT,
        "opitios.order.v1.OrderService/HaltTrading": Right.ADMIN,
        "opitios.order.v1.OrderService/ResumeTrading": Right.ADMIN,
        "opitios.order.v1.OrderService/GetTradingState": Right.ADMIN,
        "opitios.sell.v1.SellService/GetStatus": Right.NARROWED,
        "opitios.sell.v1.SellService/ListDecisions": Right.OWN_ACCOUNT,
        "opitios.sell.v1.SellService/StartMonitoring": Right.ADMIN,
        "opitios.sell.v1.SellService/StopMonitoring": Right.ADMIN,
        "opitios.sell.v1.SellService/RestartMonitoring": Right.ADMIN,
        "opitios.sell.v1.SellService/SetPolicy": Right.ADMIN,
    }
)


class AccountNotYours(PermissionDenied):
    """The token is for another account than the request names."""

    reason = "ACCOUNT_NOT_YOURS"


class AdminRequired(PermissionDenied):
    """Only an admin, or a caller from an internal network without a token, may do this."""

    reason = "ADMIN_REQUIRED"


class Named(Protocol):
    """Anything with an account id."""

    @property
    def account_id(self) -> str:
        """The account's key in the configuration."""
        ...


def acts_on_everything(caller: Caller) -> bool:
    """Whether no limit applies: an admin, or an internal network without a token.

    A token that is shown counts even inside: whoever passes on a user's token means that user.
    """
    return caller.internal if caller.claims is None else caller.claims.is_admin


def check_account(caller: Caller, account_id: str) -> None:
    """Raises AccountNotYours unless the caller may act on this account; `-` and no account mean every one."""
    if acts_on_everything(caller):
        return
    own = None if caller.claims is None else caller.claims.account_id
    if account_id in {"", EVERY_ACCOUNT}:
        raise AccountNotYours("every account at once needs the admin role; name the account of your token")
    if account_id != own:
        raise AccountNotYours(f"this token does not reach account {account_id!r}")


def check_call(caller: Caller, method: str, account_id: str | None) -> None:
    """Raises PermissionDenied unless the caller may call `package.Service/Method` for this account."""
    right = RIGHTS.get(method, Right.ADMIN)
    if acts_on_everything(caller) or right is Right.NARROWED:
        return
    if right is Right.ADMIN:
        raise AdminRequired("this needs the admin role")
    if right is Right.OWN_ACCOUNT or account_id:
        check_account(caller, account_id or "")


def is_narrowed(method: str) -> bool:
    """Whether answers of `package.Service/Method` show each caller its own account only."""
    return RIGHTS.get(method) is Right.NARROWED


def may_see(caller: Caller, one: Named) -> bool:
    """Whether an entry of a narrowed answer is for this caller."""
    return acts_on_everything(caller) or (
        caller.claims is not None and one.account_id == caller.claims.account_id
    )
