"""Faults on demand: rules that are used up in the order they were given."""

from dataclasses import dataclass
from enum import Enum

from sandbox.exchange import Exchange
from sandbox.instant import Instant
from sandbox.ledger import RequestFilter


class FaultAction(Enum):
    """What happens to a request."""

    DELAY = "delay"  # wait, then process and answer
    DELAY_AFTER = "delay_after"  # process, then wait, then answer
    STATUS = "status"  # answer with a status, not processed
    RETRY_AFTER = "retry_after"  # answer 429 with Retry-After, not processed
    BODY = "body"  # process, then answer with another body (and status)
    TRUNCATE = "truncate"  # process, then send half of the answer and cut
    CUT_BEFORE = "cut_before"  # cut the connection, not processed
    CUT_AFTER = "cut_after"  # process, then cut the connection: a lost answer
    STALE = "stale"  # answer a read as it would have been answered when the rule was given
    HANG = "hang"  # never answer, not processed
    HANG_AFTER = "hang_after"  # process, then never answer

    @property
    def processes(self) -> bool:
        """Whether the exchange does what the request asks."""
        return self not in _UNPROCESSED

    @property
    def chooses_status(self) -> bool:
        """Whether the rule, not the exchange, decides the status that the client sees."""
        return self in _OWN_STATUS


_OWN_STATUS = frozenset({FaultAction.STATUS, FaultAction.RETRY_AFTER, FaultAction.BODY})
_UNPROCESSED = frozenset(
    {FaultAction.STATUS, FaultAction.RETRY_AFTER, FaultAction.CUT_BEFORE, FaultAction.HANG}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """The exchange as it once was, for stale reads."""

    exchange: Exchange
    at: Instant


@dataclass(slots=True, kw_only=True)
class FaultRule:
    """One rule; `times` None holds for ever, else it is what is left."""

    action: FaultAction
    wanted: RequestFilter
    times: int | None = 1
    seconds: float = 0.0
    status: int | None = None
    body: bytes | None = None
    headers: tuple[tuple[str, str], ...] = ()
    past: Past | None = None


class FaultBook:
    """The rules in force; the first that matches and is not used up takes a request."""

    def __init__(self) -> None:
        self._rules: list[FaultRule] = []

    def add(self, rule: FaultRule) -> None:
        """Put a rule behind those in force."""
        self._rules.append(rule)

    def clear(self) -> None:
        """Drop every rule."""
        self._rules.clear()

    def take(self, method: str, path: str, account: str | None) -> FaultRule | None:
        """The rule for a request, one use of it spent, or None."""
        for rule in self._rules:
            if rule.wanted.matches_parts(method, path, account):
                if rule.times is not None:
                    rule.times -= 1
                    if rule.times == 0:
                        self._rules.remove(rule)
                return rule
        return None
