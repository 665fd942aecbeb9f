"""Whether an account trades paper or real money (FR-001, promise I8)."""

from dataclasses import dataclass
from enum import Enum

__all__ = ["AccountType", "Verdict", "VerdictSource", "detect_account_type", "judge_account_type"]

PAPER_PREFIX = "PA"


class AccountType(Enum):
    """What money an account trades with; the values are FR-001's words."""

    PAPER = "paper"
    LIVE = "live"


class VerdictSource(Enum):
    """Why we hold an account for paper or live."""

    DETECTED = "detected"
    """By the prefix of the account number."""
    OVERRIDDEN = "overridden"
    """By `accounts.<id>.account_type` in the configuration."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The type of one account, and what contradicts it."""

    account_type: AccountType
    source: VerdictSource
    contradiction: str | None
    """What does not fit and which key to change; an account with one may not trade."""


def detect_account_type(account_number: str) -> AccountType:
    """Paper for numbers that start with exactly "PA", live for all others (FR-001).

    An empty number names no account and raises ValueError: calling it live, or paper, would be a guess.
    """
    if not account_number:
        raise ValueError("an empty account number has no type")
    return AccountType.PAPER if account_number.startswith(PAPER_PREFIX) else AccountType.LIVE


def judge_account_type(
    *, account_id: str, account_number: str, override: AccountType | None, paper_trading: bool
) -> Verdict:
    """The account's type, and whether the configuration contradicts it.

    An override decides the type instead of the prefix, for numbers that Alpaca promises no form of.
    `paper_trading` chooses the endpoint that orders go to, so it must agree with the type either way.
    """
    if override is None:
        account_type, source = detect_account_type(account_number), VerdictSource.DETECTED
    else:
        account_type, source = override, VerdictSource.OVERRIDDEN
    configured = AccountType.PAPER if paper_trading else AccountType.LIVE
    return Verdict(
        account_type=account_type,
        source=source,
        contradiction=None
        if account_type is configured
        else _contradiction(account_id, account_number, account_type, source),
    )


def _contradiction(
    account_id: str, account_number: str, account_type: AccountType, source: VerdictSource
) -> str:
    flag = f"accounts.{account_id}.paper_trading"
    override = f"accounts.{account_id}.account_type"
    wrong, right = ("false", "true") if account_type is AccountType.PAPER else ("true", "false")
    if source is VerdictSource.OVERRIDDEN:
        return f"{override} is {account_type.value} but {flag} is {wrong}: set {flag} to {right} or remove {override}"
    return (
        f"account number {account_number} is a {account_type.value} account but {flag} is {wrong}: "
        f"set {flag} to {right}, or, if the number misleads, set {override}"
    )
