"""Who may see an account on public routes, and whose dashboard is whose."""

import pytest

from gateway.auth.callers import Caller
from gateway.auth.token import Claims
from gateway.legacy.rights import check_admin, check_dashboard, may_see
from gateway.transcoding.failure import HttpProblem

STRANGER = Caller(internal=False)
INSIDE = Caller(internal=True)
OWNER = Caller(internal=False, claims=Claims(user_id="u", account_id="mine"))
OWNER_INSIDE = Caller(internal=True, claims=Claims(user_id="u", account_id="mine"))
ADMIN = Caller(internal=False, claims=Claims(user_id="u", role="admin"))
PERMITTED = Caller(internal=False, claims=Claims(user_id="u", permissions=frozenset({"admin"})))


@pytest.mark.parametrize(
    ("caller", "any_account", "seen"),
    [
        pytest.param(STRANGER, True, set(), id="a stranger"),
        pytest.param(INSIDE, False, {"mine", "other"}, id="inside"),
        pytest.param(OWNER, True, {"mine", "other"}, id="a token, any account"),
        pytest.param(OWNER, False, {"mine"}, id="a token, its own"),
        pytest.param(OWNER_INSIDE, False, {"mine"}, id="a token inside means its user"),
        pytest.param(ADMIN, False, {"mine", "other"}, id="an admin"),
        pytest.param(PERMITTED, False, set(), id="a permission is no role"),
    ],
)
def test_an_account_is_seen_by_whom_it_concerns(caller: Caller, any_account: bool, seen: set[str]) -> None:
    assert {one for one in ("mine", "other") if may_see(caller, one, any_account=any_account)} == seen


@pytest.mark.parametrize(
    ("caller", "account_id", "allowed"),
    [
        pytest.param(STRANGER, "mine", False, id="a stranger"),
        pytest.param(INSIDE, "mine", True, id="inside"),
        pytest.param(OWNER, "mine", True, id="its own"),
        pytest.param(OWNER, "other", False, id="another's"),
        pytest.param(OWNER, "", False, id="none, where the token has one"),
        pytest.param(Caller(internal=False, claims=Claims(user_id="u")), "", True, id="none anywhere"),
        pytest.param(ADMIN, "other", True, id="an admin"),
        pytest.param(PERMITTED, "other", True, id="the permission"),
    ],
)
def test_a_dashboard_is_its_owner_s(caller: Caller, account_id: str, allowed: bool) -> None:
    if allowed:
        check_dashboard(caller, account_id)
        return
    with pytest.raises(HttpProblem) as refused:
        check_dashboard(caller, account_id)
    assert refused.value.status == 403


@pytest.mark.parametrize("caller", [STRANGER, OWNER, PERMITTED], ids=["stranger", "user", "permission"])
def test_the_admin_routes_look_at_the_role_alone(caller: Caller) -> None:
    with pytest.raises(HttpProblem) as refused:
        check_admin(caller)

    assert refused.value.body == {"detail": "You need one of roles: ['admin']. Current role: user"}


@pytest.mark.parametrize(
    "caller", [INSIDE, OWNER_INSIDE, ADMIN], ids=["inside", "inside with token", "admin"]
)
def test_inside_and_admins_reach_the_admin_routes(caller: Caller) -> None:
    check_admin(caller)
