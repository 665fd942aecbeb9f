"""Which cash has to remain on which account, and which key says so."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Minimum:
    """What has to remain on one account."""

    amount: Decimal
    """USD."""
    key: str
    """The configuration key that sets it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Minimums:
    """The general minimum and the accounts that have their own."""

    general: Decimal
    own: Mapping[str, Decimal]

    def of(self, account_id: str) -> Minimum:
        """The minimum of one account."""
        own = self.own.get(account_id)
        if own is None:
            return Minimum(amount=self.general, key="trading.minimum_balance")
        return Minimum(amount=own, key=f"accounts.{account_id}.minimum_balance")
