"""The accounts of the configuration: listed, found, and read from the broker."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from account_svc.minimums import Minimum, Minimums
from account_svc.ports import Account, Accounts
from broker.account_type import AccountType, VerdictSource
from broker.credentials import AccountCredentials
from broker.reports import AccountReading
from broker.standing import Standing
from runtime.clock import Clock
from runtime.context import remaining_seconds
from runtime.errors import ServiceError

ALL_ACCOUNTS: Final = "-"
READ_SECONDS: Final = 2.0
"""For one reading (reliability.md, section 6)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """What is known of one account without asking the broker again."""

    account_id: str
    name: str
    account_number: str | None
    account_type: AccountType | None
    source: VerdictSource | None
    enabled: bool
    tradable: bool
    reason: str
    """Why not, and what to change; empty when tradable."""
    minimum: Minimum
    paper_trading: bool


class AccountBook:
    """Every configured account, those that are disabled too."""

    def __init__(
        self,
        configured: Sequence[AccountCredentials],
        accounts: Accounts,
        *,
        minimums: Minimums,
        clock: Clock,
    ) -> None:
        self._configured = tuple(configured)
        self._accounts = accounts
        self._minimums = minimums
        self._clock = clock

    def list_all(self) -> Sequence[Listed]:
        """In the order of the configuration."""
        standings = {account.account_id: account.standing for account in self._accounts.all()}
        return [self._listed(one, standings.get(one.account_id)) for one in self._configured]

    def resolve(self, text: str) -> Account:
        """An enabled account by its id, else by its name in any case; raises AccountNotFound."""
        return self._accounts.resolve(text)

    def select(self, text: str) -> tuple[Account, ...]:
        """Every enabled account for "-", else the one; raises AccountNotFound."""
        return self._accounts.all() if text == ALL_ACCOUNTS else (self._accounts.resolve(text),)

    async def read(self, text: str) -> tuple[Listed, AccountReading]:
        """One account as the broker reports it now; raises AccountNotFound and the broker's errors."""
        account = self._accounts.resolve(text)
        try:
            reading = await account.client.read_account(timeout=remaining_seconds(READ_SECONDS, self._clock))
        except ServiceError as error:
            account.observe_failure(error)
            raise
        standing = account.observe(reading)
        configured = next(one for one in self._configured if one.account_id == account.account_id)
        return self._listed(configured, standing), reading

    def _listed(self, configured: AccountCredentials, standing: Standing | None) -> Listed:
        account_id = configured.account_id
        disabled = f"disabled by accounts.{account_id}.enabled"
        return Listed(
            account_id=account_id,
            name=configured.name,
            account_number=None if standing is None else standing.account_number,
            account_type=configured.account_type if standing is None else standing.account_type,
            source=None if standing is None else standing.source,
            enabled=configured.enabled,
            tradable=standing is not None and standing.tradable,
            reason=disabled if standing is None else standing.why_not or "",
            minimum=self._minimums.of(account_id),
            paper_trading=configured.paper_trading,
        )
