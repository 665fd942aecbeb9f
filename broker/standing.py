"""What is known of an account: whose money it trades, and whether it may trade at all."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Self

from broker.account_type import AccountType, VerdictSource, judge_account_type
from broker.credentials import AccountCredentials
from broker.faults import CredentialsRefused
from broker.reports import AccountReading
from runtime.errors import FailedPrecondition, ServiceError, Unavailable

__all__ = [
    "AccountDisabled",
    "AccountUnverified",
    "Standing",
    "StandingProblem",
    "judge_failure",
    "judge_reading",
    "not_yet_read",
]


class AccountDisabled(FailedPrecondition):
    """The account may not trade until its configuration is corrected; the message names the key."""

    reason = "ACCOUNT_DISABLED"


class AccountUnverified(Unavailable):
    """The broker has not yet told us whose account this is; nothing was sent, a retry is safe."""

    reason = "ACCOUNT_UNVERIFIED"


class StandingProblem(Enum):
    """Why an account may not trade."""

    NOT_READ = "not_read"
    """The first reading is still under way."""
    UNREACHABLE = "unreachable"
    """The broker does not answer, or not readably."""
    CREDENTIALS_REFUSED = "credentials_refused"
    """The broker does not take the keys."""
    TYPE_CONTRADICTION = "type_contradiction"
    """Paper where the configuration says live, or the reverse (promise I8)."""
    NO_ACCOUNT_NUMBER = "no_account_number"
    """The broker gave no number to tell the type by, and there is no override."""

    @property
    def heals(self) -> bool:
        """Whether time alone may end it."""
        return self in (StandingProblem.NOT_READ, StandingProblem.UNREACHABLE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Judged from the last reading, or from the failure to get one."""

    account_id: str
    account_number: str | None
    account_type: AccountType | None
    """`None` only while no reading has told and no override says."""
    source: VerdictSource | None
    problem: StandingProblem | None
    why_not: str | None
    """For people: the problem and which key to change."""
    judged_at: datetime

    @property
    def tradable(self) -> bool:
        """Whether orders may be sent. Whether the broker has blocked the account is the guard's to ask."""
        return self.problem is None

    def check_tradable(self) -> Self:
        """Itself; raises AccountDisabled, or AccountUnverified where waiting may help."""
        if self.problem is None:
            return self
        kind = AccountUnverified if self.problem.heals else AccountDisabled
        raise kind(
            f"account {self.account_id} may not trade: {self.why_not}",
            metadata={"account_id": self.account_id, "problem": self.problem.value},
        )


def not_yet_read(credentials: AccountCredentials, now: datetime) -> Standing:
    """The standing at the start, when only the configuration has spoken."""
    return _unread(credentials, StandingProblem.NOT_READ, "its first reading is still under way", now)


def judge_failure(credentials: AccountCredentials, error: ServiceError, now: datetime) -> Standing:
    """The standing after an account could not be read."""
    if isinstance(error, CredentialsRefused):
        endpoint = "paper" if credentials.paper_trading else "live"
        advice = (
            f"{error.message}; check accounts.{credentials.account_id}.api_key and secret_key, and whether they "
            f"are for the {endpoint} endpoint that accounts.{credentials.account_id}.paper_trading chooses"
        )
        return _unread(credentials, StandingProblem.CREDENTIALS_REFUSED, advice, now)
    return _unread(credentials, StandingProblem.UNREACHABLE, error.message, now)


def judge_reading(credentials: AccountCredentials, reading: AccountReading, now: datetime) -> Standing:
    """The standing after a reading: its number gives the type, unless the configuration overrides it."""
    if not reading.account_number and credentials.account_type is None:
        advice = f"the broker gives no account number; set accounts.{credentials.account_id}.account_type"
        return _unread(credentials, StandingProblem.NO_ACCOUNT_NUMBER, advice, now)
    verdict = judge_account_type(
        account_id=credentials.account_id,
        account_number=reading.account_number,
        override=credentials.account_type,
        paper_trading=credentials.paper_trading,
    )
    return Standing(
        account_id=credentials.account_id,
        account_number=reading.account_number or None,
        account_type=verdict.account_type,
        source=verdict.source,
        problem=None if verdict.contradiction is None else StandingProblem.TYPE_CONTRADICTION,
        why_not=verdict.contradiction,
        judged_at=now,
    )


def _unread(
    credentials: AccountCredentials, problem: StandingProblem, why_not: str, now: datetime
) -> Standing:
    override = credentials.account_type
    return Standing(
        account_id=credentials.account_id,
        account_number=None,
        account_type=override,
        source=None if override is None else VerdictSource.OVERRIDDEN,
        problem=problem,
        why_not=why_not,
        judged_at=now,
    )
