"""A scenario: what the exchange starts with."""

from dataclasses import dataclass
from decimal import Decimal

from sandbox.accounts import AccountTerms
from sandbox.floor import Latencies
from sandbox.instant import Instant
from sandbox.instruments import Instrument
from sandbox.quotes import QuoteChange
from sandbox.sessions import SessionCalendar


class ScenarioError(Exception):
    """The scenario cannot be used; `problems` names each fault with the path of its value."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True, kw_only=True)
class StartingPosition:
    """A holding that an account starts with; `qty` is negative when short."""

    symbol: str
    qty: Decimal
    avg_entry_price: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class StartingAccount:
    """An account at the start."""

    terms: AccountTerms
    cash: Decimal
    positions: tuple[StartingPosition, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """An instrument and its first quote."""

    instrument: Instrument
    quote: QuoteChange


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """Everything the exchange starts with. Limits are requests a minute and account, None is off.

    `keep_*` are how many closed orders and requests stay in memory before they go to the archive.
    """

    starts_at: Instant
    speed: float
    trading_per_minute: int | None
    data_per_minute: int | None
    answer_latency_s: float
    latencies: Latencies
    auto_match: bool
    keep_orders: int
    keep_requests: int
    accounts: tuple[StartingAccount, ...]
    listings: tuple[Listing, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Present:
    """What relative values are measured from: the real time, and the exchange's calendar."""

    now: Instant
    calendar: SessionCalendar
