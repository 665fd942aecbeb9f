"""What it takes to reach one account at Alpaca."""

from dataclasses import dataclass

from pydantic import SecretStr

from broker.account_type import AccountType

__all__ = ["AccountCredentials", "BrokerUrls"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountCredentials:
    """One account of the configuration; its keys do not show in `repr`."""

    account_id: str
    """Our own name for it, the key under `accounts`."""
    name: str
    """What people call it; found regardless of case."""
    api_key: SecretStr
    secret_key: SecretStr
    paper_trading: bool
    """Which of Alpaca's endpoints the keys are for."""
    enabled: bool = True
    account_type: AccountType | None = None
    """The override of the detected type."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerUrls:
    """Where to send requests; `None` is Alpaca's own, chosen by `paper_trading`."""

    trading_url: str | None = None
    data_url: str | None = None
