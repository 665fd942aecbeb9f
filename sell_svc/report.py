"""How the monitor and each account fare, for GetStatus."""

from dataclasses import dataclass
from datetime import datetime

from sell_svc.observation import AccountId
from sell_svc.tally import Tally


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountReport:
    """How one account fares."""

    account_id: AccountId
    last_tick_at: datetime | None = None
    """When its last tick ended."""
    last_tick_ms: int = 0
    positions: int = 0
    open_orders: int = 0
    error: str = ""
    """Why the last tick could not see or act; empty when it could."""
    unseen: str = ""
    """Of `error`, what is about the account as a whole and not about one contract or order."""
    exits_blocked: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitorReport:
    """How the monitor fares; counts since the loop started."""

    running: bool
    started_at: datetime | None
    ticks: int
    accounts_known: bool
    """Whether the accounts could be listed last time."""
    tally: Tally
    accounts: tuple[AccountReport, ...]

    @property
    def last_tick_at(self) -> datetime | None:
        """When the last tick of any account ended."""
        return max((one.last_tick_at for one in self.accounts if one.last_tick_at), default=None)

    @property
    def last_tick_ms(self) -> int:
        """What the last pass took: accounts tick side by side, so the slowest decides."""
        return max((one.last_tick_ms for one in self.accounts), default=0)
