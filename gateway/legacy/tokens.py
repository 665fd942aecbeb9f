"""The auth routes: what a token says, and an admin's token for callers inside."""

from collections.abc import Mapping
from typing import Final

from gateway.auth.token import ADMIN, DEFAULT_ROLE, TokenRefused, TokenVerifier
from gateway.legacy.problem import legacy_problem
from gateway.visit import Visit, current_visit
from opitios.legacy.v1 import legacy_api_pb2 as legacy
from runtime.clock import Clock

ADMIN_TOKEN_SECONDS: Final = 86_400
ADMIN_USER: Final = "internal_admin"
PERMISSIONS: Final = ("trading", "market_data", ADMIN, "bulk_place")
_USAGE: Final = (
    "Send it as the header 'Authorization: Bearer <access_token>'",
    "For a WebSocket, send it as the query parameter 'token'",
)
_NOTE: Final = "Whoever has this token acts as an admin until it expires; keep it secret"


class TokenRoutes:
    """Reads and issues tokens."""

    def __init__(self, tokens: TokenVerifier, clock: Clock) -> None:
        self._tokens = tokens
        self._clock = clock

    def verify(self) -> legacy.VerifyTokenResponse:
        """What the bearer's token says; raises HttpProblem."""
        token = _bearer(current_visit().authorization)
        try:
            payload = self._tokens.read(token)
        except TokenRefused as refused:
            raise legacy_problem(401, str(refused)) from None
        return legacy.VerifyTokenResponse(
            valid=True,
            user_id=_user_id(payload),
            permissions=_permissions(payload),
            exp=_expiry(payload),
            message="Token is valid",
        )

    def issue_admin(self) -> legacy.GetAdminTokenResponse:
        """A token for 24 hours; raises HttpProblem for callers from outside.

        The admin role is in it only for an address that /v1 trusts too: the legacy surface
        counts whole private networks as inside, and there the role must not leak to.
        """
        visit = current_visit()
        if not visit.known_caller().internal:
            raise legacy_problem(403, "Admin token generation is only allowed from internal network")
        user = _admin_user(visit)
        token = self._tokens.sign(self._payload(user))
        if token is None:
            raise legacy_problem(503, "no token can be signed: jwt.secret_key is not configured")
        return legacy.GetAdminTokenResponse(
            access_token=token,
            token_type="bearer",  # noqa: S106 - the name of a scheme, no secret
            expires_in=ADMIN_TOKEN_SECONDS,
            user_info=user,
            client_ip=visit.client_ip,
            usage_instructions=_USAGE,
            permissions=PERMISSIONS,
            note=_NOTE,
        )

    def _payload(self, user: legacy.AdminTokenUser) -> Mapping[str, object]:
        now = int(self._clock.now().timestamp())
        return {
            "user_id": user.user_id,
            "username": user.user_id,
            "account_id": user.account_id,
            "permissions": [*user.permissions],
            "role": user.role,
            "permission_group": user.permission_group,
            "iat": now,
            "exp": now + ADMIN_TOKEN_SECONDS,
        }


def _admin_user(visit: Visit) -> legacy.AdminTokenUser:
    role = ADMIN if visit.is_trusted else DEFAULT_ROLE
    return legacy.AdminTokenUser(
        user_id=ADMIN_USER, account_id="", permissions=PERMISSIONS, role=role, permission_group=role
    )


def _bearer(header: str | None) -> str:
    scheme, _, token = (header or "").partition(" ")
    if not scheme or not token:
        raise legacy_problem(403, "Not authenticated")
    if scheme.lower() != "bearer":
        raise legacy_problem(403, "Invalid authentication credentials")
    return token


def _user_id(payload: Mapping[str, object]) -> str | None:
    user_id = payload.get("user_id")
    if user_id is None or isinstance(user_id, str):
        return user_id
    raise legacy_problem(400, "Token validation failed: user_id is not a text")


def _permissions(payload: Mapping[str, object]) -> list[str]:
    permissions = payload.get("permissions", [])
    if not isinstance(permissions, list):
        raise legacy_problem(400, "Token validation failed: permissions is not a list")
    return [one for one in permissions if isinstance(one, str)]


def _expiry(payload: Mapping[str, object]) -> int | None:
    expiry = payload.get("exp")
    return int(expiry) if isinstance(expiry, int | float) else None
