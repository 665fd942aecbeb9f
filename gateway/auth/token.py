"""JWTs: one algorithm, one shared secret, every claim checked before anyone reads it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import jwt

ADMIN: Final = "admin"
DEFAULT_ROLE: Final = "user"

INVALID: Final = "Invalid token"
EXPIRED: Final = "Token expired"
MISSING: Final = "Missing or invalid authorization header"


class TokenRefused(Exception):
    """The token proves nothing; the text is what the caller is told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """What a valid token says of its bearer; a claim of a wrong type counts as absent."""

    user_id: str | None = None
    username: str | None = None
    subject: str | None = None
    account_id: str | None = None
    """The one account that a non-admin acts on."""
    role: str = DEFAULT_ROLE
    """`permission_group`, else `role`."""
    permissions: frozenset[str] = frozenset()

    @property
    def is_admin(self) -> bool:
        """Whether the role is admin; permissions do not make one."""
        return self.role == ADMIN


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenVerifier:
    """Reads tokens that were signed with `secret` by exactly this algorithm."""

    secret: str | None
    """`None` or empty: no token is valid."""
    algorithm: str

    def sign(self, payload: Mapping[str, object]) -> str | None:
        """A token that `verify` accepts; `None` without a secret. The payload must have `exp`."""
        if not self.secret:
            return None
        return jwt.encode({**payload}, self.secret, algorithm=self.algorithm)

    def __repr__(self) -> str:
        return f"TokenVerifier(algorithm={self.algorithm!r})"

    def verify(self, token: str) -> Claims:
        """The claims of a token; TokenRefused for one that is forged, malformed, early, late or endless."""
        return _claims_of(self.read(token))

    def read(self, token: str) -> Mapping[str, object]:
        """A token's payload as it is, types unchecked; TokenRefused as for `verify`.

        A token without `exp` would be good for ever, so it is refused; `aud` is refused
        because nobody here is an audience; a `sub` that is no text is refused.
        """
        if not self.secret:
            raise TokenRefused(INVALID)
        try:
            payload: Mapping[str, object] = jwt.decode(
                token, self.secret, algorithms=[self.algorithm], options={"require": ["exp"]}
            )
        except jwt.ExpiredSignatureError:
            raise TokenRefused(EXPIRED) from None
        except (jwt.PyJWTError, ValueError, RecursionError):
            # PyJWT lets some malformed headers through to the JSON and text codecs, whose errors these are.
            raise TokenRefused(INVALID) from None
        return payload


def bearer_token(header: str | None, *, any_case: bool = False) -> str | None:
    """The token in an Authorization header, `None` where it carries none.

    The scheme is `Bearer` exactly, or in any case where `any_case` is set.
    """
    if header is None:
        return None
    scheme, space, token = header.partition(" ")
    matches = scheme == "Bearer" or (any_case and scheme.lower() == "bearer")
    return token if matches and space else None


def _claims_of(payload: Mapping[str, object]) -> Claims:
    permissions = payload.get("permissions")
    return Claims(
        user_id=_text(payload.get("user_id")),
        username=_text(payload.get("username")),
        subject=_text(payload.get("sub")),
        account_id=_text(payload.get("account_id")),
        role=_text(payload.get("permission_group")) or _text(payload.get("role")) or DEFAULT_ROLE,
        permissions=frozenset(one for one in permissions if isinstance(one, str))
        if isinstance(permissions, list)
        else frozenset(),
    )


def _text(claim: object) -> str | None:
    return claim if isinstance(claim, str) and claim else None
