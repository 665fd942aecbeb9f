import base64
import json
import time

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.auth.token import Claims, TokenRefused, TokenVerifier, bearer_token

SECRET = "a-secret-of-sixty-four-bytes-and-more-for-the-tests-of-the-gateway-0123456789"
VERIFIER = TokenVerifier(secret=SECRET, algorithm="HS512")
NOW = int(time.time())
LATER = NOW + 600


def signed(claims: dict[str, object], *, key: str = SECRET, algorithm: str = "HS512") -> str:
    return jwt.encode(claims, key, algorithm=algorithm)


def unsigned(header: object, payload: object) -> str:
    parts = [
        base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in (header, payload)
    ]
    return f"{parts[0]}.{parts[1]}."


def test_a_valid_token_says_who_its_bearer_is() -> None:
    token = signed(
        {
            "user_id": "u-1",
            "username": "ann",
            "sub": "s-1",
            "account_id": "paper",
            "role": "trader",
            "permissions": ["trading", 7, "admin"],
            "iat": NOW,
            "exp": LATER,
        }
    )

    assert VERIFIER.verify(token) == Claims(
        user_id="u-1",
        username="ann",
        subject="s-1",
        account_id="paper",
        role="trader",
        permissions=frozenset({"trading", "admin"}),
    )


@pytest.mark.parametrize(
    ("token", "message"),
    [
        pytest.param(signed({"exp": NOW - 1}), "Token expired", id="expired"),
        pytest.param(signed({"exp": NOW}), "Token expired", id="expires this second: no leeway"),
        pytest.param(signed({"user_id": "u"}), "Invalid token", id="without exp: it would be good for ever"),
        pytest.param(signed({"exp": LATER, "iat": NOW + 300}), "Invalid token", id="issued in the future"),
        pytest.param(signed({"exp": LATER, "aud": "someone"}), "Invalid token", id="for an audience"),
        pytest.param(signed({"exp": "soon"}), "Invalid token", id="exp is no number"),
        pytest.param(
            signed({"exp": LATER}, key=SECRET[::-1]), "Invalid token", id="signed with another secret"
        ),
        pytest.param(
            signed({"exp": LATER}, algorithm="HS256"), "Invalid token", id="signed by another algorithm"
        ),
        pytest.param(unsigned({"alg": "none"}, {"exp": LATER}), "Invalid token", id="not signed at all"),
        pytest.param(f"{signed({'exp': LATER})}x", "Invalid token", id="signature changed"),
        pytest.param("", "Invalid token", id="empty"),
        pytest.param("garbage", "Invalid token", id="garbage"),
        pytest.param("é.é.é", "Invalid token", id="not ASCII"),
        pytest.param("\ud800", "Invalid token", id="half a surrogate pair"),
    ],
)
def test_a_token_that_proves_nothing_is_refused(token: str, message: str) -> None:
    with pytest.raises(TokenRefused, match=f"^{message}$"):
        VERIFIER.verify(token)


def test_a_subject_that_is_no_text_is_refused() -> None:
    with pytest.raises(TokenRefused):
        VERIFIER.verify(_with_numeric_subject())


def _with_numeric_subject() -> str:
    # PyJWT refuses to make one, so the claim is set beneath it.
    return jwt.api_jws.encode(json.dumps({"exp": LATER, "sub": 7}).encode(), SECRET, algorithm="HS512")


def test_a_header_nested_without_end_is_refused_like_any_other_garbage() -> None:
    header = base64.urlsafe_b64encode(b"[" * 20_000).decode()

    with pytest.raises(TokenRefused):
        VERIFIER.verify(f"{header}.e30.x")


@given(st.text())
def test_no_text_at_all_makes_the_verifier_fail_otherwise(token: str) -> None:
    with pytest.raises(TokenRefused):
        VERIFIER.verify(token)


@pytest.mark.parametrize("secret", [None, ""], ids=["no secret", "empty secret"])
def test_without_a_secret_no_token_is_valid(secret: str | None) -> None:
    with pytest.raises(TokenRefused):
        TokenVerifier(secret=secret, algorithm="HS512").verify(signed({"exp": LATER}))


@pytest.mark.parametrize(
    ("claims", "role"),
    [
        ({}, "user"),
        ({"role": "admin"}, "admin"),
        ({"role": "user", "permission_group": "admin"}, "admin"),
        ({"role": "admin", "permission_group": "viewer"}, "viewer"),
        ({"role": "admin", "permission_group": ""}, "admin"),
        ({"role": ["admin"]}, "user"),
    ],
    ids=["none", "role", "group wins", "group wins downwards", "empty group", "role is a list"],
)
def test_the_permission_group_wins_over_the_role(claims: dict[str, object], role: str) -> None:
    assert VERIFIER.verify(signed({"exp": LATER, **claims})).role == role


@pytest.mark.parametrize("permissions", [None, "admin", 7], ids=["null", "a text", "a number"])
def test_permissions_that_are_no_list_are_none(permissions: object) -> None:
    assert VERIFIER.verify(signed({"exp": LATER, "permissions": permissions})).permissions == frozenset()


def test_the_admin_permission_makes_no_admin() -> None:
    assert not VERIFIER.verify(signed({"exp": LATER, "permissions": ["admin"]})).is_admin


@pytest.mark.parametrize(
    ("header", "exact", "any_case"),
    [
        (None, None, None),
        ("Bearer abc", "abc", "abc"),
        ("bearer abc", None, "abc"),
        ("Basic abc", None, None),
        ("Bearer", None, None),
        ("Bearer ", "", ""),
        ("Bearerabc", None, None),
    ],
    ids=["none", "exact", "lower case", "other scheme", "no token", "empty token", "no space"],
)
def test_the_token_is_what_follows_the_scheme(
    header: str | None, exact: str | None, any_case: str | None
) -> None:
    assert bearer_token(header) == exact
    assert bearer_token(header, any_case=True) == any_case


def test_the_verifier_does_not_show_its_secret() -> None:
    assert SECRET not in repr(VERIFIER)


def test_what_is_signed_here_is_valid_here_and_nowhere_else() -> None:
    token = VERIFIER.sign({"user_id": "u", "exp": LATER})

    assert token is not None
    assert VERIFIER.verify(token) == Claims(user_id="u")
    with pytest.raises(TokenRefused):
        TokenVerifier(secret=SECRET[::-1], algorithm="HS512").verify(token)


def test_a_payload_is_read_as_it_is() -> None:
    payload = {"user_id": 7, "permissions": "admin", "exp": LATER}

    assert VERIFIER.read(signed(payload)) == payload


@pytest.mark.parametrize("secret", [None, ""])
def test_without_a_secret_nothing_is_signed(secret: str | None) -> None:
    assert TokenVerifier(secret=secret, algorithm="HS512").sign({"exp": LATER}) is None
