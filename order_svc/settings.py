"""What this service takes from the configuration, in its own terms."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from broker.account_type import AccountType
from broker.credentials import AccountCredentials
from config.trading import AccountSettings, TradingSettings
from order_svc.ceilings import Ceilings
from order_svc.identifiers import AccountId
from order_svc.resolve import ResolutionPolicy

MINIMUM_QUARANTINE_SECONDS: Final = 120.0
QUARANTINE_PER_SEND_TIMEOUT: Final = 3.0
"""The send deadline, and as much again twice for the broker's own delay (reliability.md, section 1)."""


def credentials_of(accounts: Mapping[str, AccountSettings]) -> Sequence[AccountCredentials]:
    """The accounts as the broker knows them, in the order of the configuration."""
    return [
        AccountCredentials(
            account_id=account_id,
            name=one.name or account_id,
            api_key=one.api_key,
            secret_key=one.secret_key,
            paper_trading=one.paper_trading,
            enabled=one.enabled,
            account_type=None if one.account_type is None else AccountType(one.account_type.value),
        )
        for account_id, one in accounts.items()
    ]


def ceilings_of(
    trading: TradingSettings, accounts: Mapping[str, AccountSettings]
) -> Callable[[AccountId], Ceilings]:
    """Each account's limits: its own, else those of `trading`."""

    def find(account_id: AccountId) -> Ceilings:
        own = accounts.get(account_id)
        per_minute = None if own is None else own.max_orders_per_minute
        notional = None if own is None else own.max_order_notional
        return Ceilings(
            max_orders_per_minute=trading.max_orders_per_minute if per_minute is None else per_minute,
            max_order_notional=trading.max_order_notional if notional is None else notional,
        )

    return find


def resolution_policy(trading: TradingSettings) -> ResolutionPolicy:
    """How lost answers are chased; the quarantine outlasts any request of ours."""
    needed = trading.order_timeout_seconds * QUARANTINE_PER_SEND_TIMEOUT
    return ResolutionPolicy(quarantine_seconds=max(MINIMUM_QUARANTINE_SECONDS, needed))
