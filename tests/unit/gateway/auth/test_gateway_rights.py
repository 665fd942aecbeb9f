from dataclasses import dataclass

import pytest

from gateway.auth.callers import Caller
from gateway.auth.rights import (
    RIGHTS,
    AccountNotYours,
    AdminRequired,
    Right,
    acts_on_everything,
    check_call,
    may_see,
)
from gateway.auth.token import Claims
from gateway.transcoding.http_rule import routes_of
from opitios.account.v1 import account_service_pb2, market_data_service_pb2
from opitios.order.v1 import order_service_pb2
from opitios.sell.v1 import sell_service_pb2

ADMIN = Caller(internal=False, claims=Claims(user_id="a", role="admin"))
INSIDE = Caller(internal=True)
USER = Caller(internal=False, claims=Claims(user_id="u", account_id="mine"))
USER_INSIDE = Caller(internal=True, claims=Claims(user_id="u", account_id="mine"))
NAMELESS = Caller(internal=False, claims=Claims(user_id="u"))
STRANGER = Caller(internal=False)

FILES = (account_service_pb2, market_data_service_pb2, order_service_pb2, sell_service_pb2)
ROUTED = {
    f"{service.full_name}/{method.name}"
    for file in FILES
    for service in file.DESCRIPTOR.services_by_name.values()
    for method in service.methods
    if routes_of(method)
}


@dataclass(frozen=True, slots=True)
class Entry:
    account_id: str


def test_every_method_with_a_route_has_its_right_and_no_other_has_one() -> None:
    assert set(RIGHTS) == ROUTED


def allowed(caller: Caller, method: str, account_id: str | None) -> bool:
    try:
        check_call(caller, method, account_id)
    except (AccountNotYours, AdminRequired):
        return False
    return True


@pytest.mark.parametrize("method", sorted(ROUTED))
@pytest.mark.parametrize("account_id", ["mine", "other", "-", "", None])
@pytest.mark.parametrize("caller", [ADMIN, INSIDE], ids=["admin", "inside"])
def test_admins_and_internal_callers_may_do_everything(
    caller: Caller, method: str, account_id: str | None
) -> None:
    assert allowed(caller, method, account_id)


EXPECTED = {
    Right.OWN_ACCOUNT: {"mine": True, "other": False, "MINE": False, "-": False, "": False},
    Right.OWN_OR_NO_ACCOUNT: {"mine": True, "other": False, "MINE": False, "-": False, "": True},
    Right.NARROWED: {"mine": True, "other": True, "MINE": True, "-": True, "": True},
    Right.ADMIN: {"mine": False, "other": False, "MINE": False, "-": False, "": False},
}


@pytest.mark.parametrize("method", sorted(ROUTED))
@pytest.mark.parametrize("caller", [USER, USER_INSIDE], ids=["outside", "inside with a token"])
def test_a_user_acts_on_the_account_of_its_token_only(caller: Caller, method: str) -> None:
    expected = EXPECTED[RIGHTS[method]]

    assert {account: allowed(caller, method, account) for account in expected} == expected


@pytest.mark.parametrize("method", sorted(ROUTED))
@pytest.mark.parametrize("caller", [NAMELESS, STRANGER], ids=["token without account", "no token outside"])
def test_a_caller_without_an_account_reaches_none(caller: Caller, method: str) -> None:
    assert not allowed(caller, method, "mine") or RIGHTS[method] is Right.NARROWED


def test_a_method_that_nobody_listed_is_for_admins() -> None:
    with pytest.raises(AdminRequired):
        check_call(USER, "opitios.order.v1.OrderService/HaltTrading", "mine")


def test_a_token_shown_inside_counts() -> None:
    assert not acts_on_everything(USER_INSIDE)


@pytest.mark.parametrize(
    ("caller", "account_id", "seen"),
    [
        (ADMIN, "other", True),
        (INSIDE, "other", True),
        (USER, "mine", True),
        (USER, "other", False),
        (NAMELESS, "", False),
        (STRANGER, "mine", False),
    ],
)
def test_of_a_narrowed_answer_a_user_sees_its_own_account(
    caller: Caller, account_id: str, seen: bool
) -> None:
    assert may_see(caller, Entry(account_id)) is seen
