"""What a caller may do on the legacy routes; pure."""

from typing import Final

from gateway.auth.callers import Caller
from gateway.auth.rights import AccountNotYours, acts_on_everything, check_account
from gateway.auth.token import ADMIN
from gateway.legacy.problem import legacy_problem

_BULK_PERMISSIONS: Final = frozenset({ADMIN, "bulk_place"})


def check_reach(caller: Caller, account_id: str, *, any_account: bool) -> None:
    """Raises a 403 where the caller may not act on this account.

    With `any_account` (auth.legacy_any_account) every valid token reaches every account, as the
    callers of these routes rely on.
    """
    if any_account:
        return
    try:
        check_account(caller, account_id)
    except AccountNotYours as error:
        raise legacy_problem(403, error.message) from None


def check_identity(caller: Caller) -> None:
    """Raises a 401 for a token that names nobody: every order has somebody who placed it."""
    if caller.claims is not None and caller.claims.user_id is None:
        raise legacy_problem(401, "User identification required for order placement")


def check_bulk(caller: Caller, *, any_account: bool) -> None:
    """Raises a 403 where the caller may not place an order on every account at once."""
    privileged = caller.internal or (
        caller.claims is not None
        and (caller.claims.is_admin or bool(caller.claims.permissions & _BULK_PERMISSIONS))
    )
    if not privileged or not (any_account or acts_on_everything(caller)):
        raise legacy_problem(403, "Bulk order requires admin privileges")


def may_see(caller: Caller, account_id: str, *, any_account: bool) -> bool:
    """Whether a public route may show this caller what it knows of an account."""
    if acts_on_everything(caller):
        return True
    if caller.claims is None:
        return False
    return any_account or caller.claims.account_id == account_id


def check_dashboard(caller: Caller, account_id: str) -> None:
    """Raises a 403 from outside for the dashboard of another account than the token's."""
    claims = caller.claims
    if caller.internal or (claims is not None and (claims.is_admin or ADMIN in claims.permissions)):
        return
    if claims is None or (claims.account_id or "") != account_id:
        raise legacy_problem(403, "You can only access your own account dashboard")


def check_admin(caller: Caller) -> None:
    """Raises a 403 from outside without the admin role."""
    if caller.internal or (caller.claims is not None and caller.claims.is_admin):
        return
    role = caller.claims.role if caller.claims is not None else "user"
    raise legacy_problem(403, f"You need one of roles: ['admin']. Current role: {role}")
