"""Whose money, under which rules: accounts, the broker's addresses, the balance guard."""

from decimal import Decimal
from enum import StrEnum

from config.fields import BaseUrl, Count, Seconds, UsdCap, UsdFloor
from runtime.settings import SecretStr, Section


class BalanceCheckMode(StrEnum):
    """How an order is compared with the minimum balance (FR-002)."""

    LITERAL = "literal"
    """cash - holds >= minimum."""
    PROJECTED = "projected"
    """cash - holds - the order's worst cost >= minimum."""


class AccountType(StrEnum):
    """Which of Alpaca's two worlds an account lives in."""

    PAPER = "paper"
    LIVE = "live"


class TradingSettings(Section):
    """`trading`: the rules for every account; three can be overridden under `accounts.<id>`."""

    minimum_balance: UsdFloor = Decimal(5000)
    balance_check_enabled: bool = True
    balance_check_mode: BalanceCheckMode = BalanceCheckMode.LITERAL
    balance_max_age_ms: Count = 1000
    """How old a cash reading may be when an order is judged."""
    exits_exempt: bool = False
    """Whether an order that only closes a position passes the guard."""
    order_timeout_seconds: Seconds = 10.0
    max_orders_per_minute: Count | None = None
    max_order_notional: UsdCap | None = None
    max_option_symbols_per_request: Count = 20
    real_data_only: bool = True
    """Shown in legacy health answers, decides nothing; so do the next two."""
    enable_mock_data: bool = False
    strict_error_handling: bool = True


class AlpacaSettings(Section):
    """`alpaca`: where the broker is; absent addresses are Alpaca's own. The other keys are legacy and unused."""

    trading_url: BaseUrl | None = None
    data_url: BaseUrl | None = None
    api_key: SecretStr | None = None
    secret_key: SecretStr | None = None
    base_url: str | None = None
    paper_trading: bool | None = None


class AccountSettings(Section):
    """`accounts.<id>`: one account's credentials and what differs for it."""

    name: str | None = None
    api_key: SecretStr
    secret_key: SecretStr
    paper_trading: bool = True
    """The endpoint, where `alpaca.trading_url` does not fix it."""
    enabled: bool = True
    account_type: AccountType | None = None
    """Overrides what the account number says."""
    minimum_balance: UsdFloor | None = None
    max_orders_per_minute: Count | None = None
    max_order_notional: UsdCap | None = None
    region: str = "us"
    tier: str = "standard"
    max_connections: Count = 3
