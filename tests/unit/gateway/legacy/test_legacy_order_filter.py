import pytest

from gateway.legacy.order_filter import parse_filter
from opitios.order.v1 import order_pb2 as orders
from opitios.order.v1 import order_service_pb2 as service

EVERY = ["new", "partially_filled", "held", "pending_cancel", "filled", "canceled", "replaced", "rejected"]


def found(*statuses: str) -> list[orders.Order]:
    return [orders.Order(order_id=status, broker_status=status) for status in statuses]


@pytest.mark.parametrize(
    ("status", "scope", "kept"),
    [
        (None, service.ORDER_SCOPE_OPEN, EVERY),
        ("open", service.ORDER_SCOPE_OPEN, EVERY),
        ("all", service.ORDER_SCOPE_ALL, EVERY),
        ("closed", service.ORDER_SCOPE_CLOSED, EVERY),
        ("filled,canceled", service.ORDER_SCOPE_ALL, ["filled", "canceled"]),
        ("filled, canceled ", service.ORDER_SCOPE_ALL, ["filled", "canceled"]),
        (
            "open,accepted,replaced",
            service.ORDER_SCOPE_ALL,
            ["new", "partially_filled", "held", "pending_cancel", "replaced"],
        ),
        ("filled,", service.ORDER_SCOPE_ALL, ["filled"]),
        (",", service.ORDER_SCOPE_ALL, []),
    ],
    ids=[
        "absent",
        "open",
        "all",
        "closed",
        "a list",
        "spaces",
        "open in a list",
        "one and a comma",
        "nothing",
    ],
)
def test_a_status_chooses_what_to_read_and_what_to_keep(
    status: str | None, scope: service.OrderScope.ValueType, kept: list[str]
) -> None:
    chosen = parse_filter(status)

    assert chosen is not None
    assert chosen.scope == scope
    assert [order.order_id for order in chosen.keep(found(*EVERY))] == kept


@pytest.mark.parametrize("status", ["", "filled", "OPEN", "new", "everything"])
def test_any_other_single_word_is_refused(status: str) -> None:
    assert parse_filter(status) is None


def test_an_order_the_exchange_has_not_spoken_of_is_known_by_our_word() -> None:
    chosen = parse_filter("unknown,filled")
    assert chosen is not None

    kept = chosen.keep([orders.Order(order_id="1", state=orders.ORDER_STATE_UNKNOWN)])

    assert [order.order_id for order in kept] == ["1"]
