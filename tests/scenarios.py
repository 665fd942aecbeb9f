"""Exchange scenarios with the configuration that fits them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stack_process import SERVICES, Plan

OPTION = "AAPL301220C00200000"
OTHER_OPTION = "MSFT301220C00400000"
THIRD_OPTION = "TSLA301220P00200000"
QUOTES: dict[str, dict[str, str]] = {
    "AAPL": {"bid": "189.98", "ask": "190.02", "last": "190.00"},
    "MSFT": {"bid": "299.95", "ask": "300.05", "last": "300.00"},
    "TSLA": {"bid": "249.90", "ask": "250.10", "last": "250.00"},
    OPTION: {"bid": "9.95", "ask": "10.00", "last": "10.00"},
    OTHER_OPTION: {"bid": "9.95", "ask": "10.00", "last": "10.00"},
    THIRD_OPTION: {"bid": "10.00", "ask": "10.05", "last": "10.00"},
}


def exchange_account(name: str, number: str, cash: object = "100000", **more: object) -> dict[str, Any]:
    """An account as the exchange knows it."""
    keys = {"key": f"PK{name.upper()}", "secret": f"{name}-made-up-secret"}
    return {"name": name, **keys, "account_number": number, "cash": str(cash), **more}


def configured_account(name: str, *, paper: bool = True, **more: object) -> dict[str, Any]:
    """The same account as secrets.yml knows it."""
    keys = {"api_key": f"PK{name.upper()}", "secret_key": f"{name}-made-up-secret"}
    return {**keys, "name": name.title(), "paper_trading": paper, "enabled": True, **more}


def scenario(*accounts: Mapping[str, Any], **more: object) -> dict[str, Any]:
    """An open market without a request limit; the options' expiries are far away."""
    return {
        "clock": {"at": "session"},
        "rate_limit": None,
        "accounts": [dict(account) for account in accounts],
        "quotes": {symbol: dict(quote) for symbol, quote in QUOTES.items()},
        **more,
    }


def two_accounts(**more: Any) -> Plan:
    """A paper account and a live one, 100,000 USD each; the sell monitor is off."""
    values: dict[str, Any] = {
        "scenario": scenario(exchange_account("paper", "PA1000001"), exchange_account("live", "900000001")),
        "accounts": {"paper": configured_account("paper"), "live": configured_account("live", paper=False)},
        "services": tuple(SERVICES),
        **more,
    }
    return Plan(**values)
