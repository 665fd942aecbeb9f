"""One order as its reader sees it: the journal's record and the broker's reading side by side."""

from dataclasses import dataclass
from datetime import datetime

from broker.reports import BrokerOrder
from order_svc.identifiers import AccountId
from order_svc.lifecycle import OrderState, state_of
from order_svc.ports import TradingAccount
from order_svc.records import OrderRecord, Transition


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderView:
    """At least one of `record` and `report` is there."""

    account_id: AccountId
    account_number: str
    account_type: str
    record: OrderRecord | None
    """`None` for an order placed elsewhere."""
    report: BrokerOrder | None
    """The reading this view was made with; `None` where there was none."""
    transitions: tuple[Transition, ...] = ()

    @property
    def state(self) -> OrderState:
        """Where the order stands: the journal's word where it has the order, else the reading's."""
        if self.record is not None:
            return self.record.state
        if self.report is None:
            raise ValueError("a view without record and report shows nothing")
        return state_of(self.report)


def make_view(
    account: TradingAccount,
    *,
    record: OrderRecord | None,
    report: BrokerOrder | None,
    transitions: tuple[Transition, ...] = (),
) -> OrderView:
    """The view of an order of this account."""
    standing = account.standing
    account_type = "" if standing.account_type is None else standing.account_type.value
    return OrderView(
        account_id=AccountId(account.account_id),
        account_number=standing.account_number or ("" if record is None else record.account_number),
        account_type=account_type or ("" if record is None else record.account_type),
        record=record,
        report=report,
        transitions=transitions,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderList:
    """The orders of an account at one moment."""

    orders: tuple[OrderView, ...]
    """Newest first."""
    unreadable: tuple[str, ...]
    """Orders the broker sent that could not be read."""
    read_at: datetime
    """When the request for this reading started."""
