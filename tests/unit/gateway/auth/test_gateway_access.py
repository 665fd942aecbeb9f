import time

import jwt
import pytest

from gateway.auth.access import PathClass, enter, path_class
from gateway.auth.token import TokenVerifier

SECRET = "a-secret-of-sixty-four-bytes-and-more-for-the-tests-of-the-gateway-0123456789"
TOKENS = TokenVerifier(secret=SECRET, algorithm="HS512")
GOOD = f"Bearer {jwt.encode({'user_id': 'u', 'exp': int(time.time()) + 600}, SECRET, algorithm='HS512')}"
OLD = f"Bearer {jwt.encode({'user_id': 'u', 'exp': 1}, SECRET, algorithm='HS512')}"
BAD = "Bearer nonsense"


@pytest.mark.parametrize(
    ("method", "path", "kind"),
    [
        ("GET", "/", PathClass.PUBLIC),
        ("GET", "/health", PathClass.PUBLIC),
        ("GET", "/openapi.json", PathClass.PUBLIC),
        ("GET", "/static/x.html", PathClass.PUBLIC),
        ("GET", "/api/v1/health", PathClass.PUBLIC),
        ("GET", "/api/v1/health/comprehensive", PathClass.PUBLIC),
        ("GET", "/api/v1/test-connection", PathClass.PUBLIC),
        ("POST", "/api/v1/auth/verify-token", PathClass.PUBLIC),
        ("GET", "/api/v1/stocks/AAPL/quote", PathClass.PUBLIC),
        ("POST", "/api/v1/stocks/AAPL/quote", PathClass.JWT),
        ("GET", "/api/v1/stocks/A/B/quote", PathClass.JWT),
        ("GET", "/api/v1/account", PathClass.ROUTE),
        ("GET", "/api/v1/positions", PathClass.ROUTE),
        ("GET", "/api/v1/orders", PathClass.JWT),
        ("GET", "/api/v1/account/", PathClass.JWT),
        ("GET", "/api/v1/%68ealth", PathClass.JWT),
        ("GET", "/healthy", PathClass.JWT),
        ("GET", "/no/such/path", PathClass.JWT),
    ],
)
def test_whatever_is_not_listed_asks_for_a_token(method: str, path: str, kind: PathClass) -> None:
    assert path_class(method, path) is kind


@pytest.mark.parametrize(
    ("kind", "authorization", "refusal"),
    [
        (PathClass.PUBLIC, None, None),
        (PathClass.PUBLIC, BAD, None),
        (PathClass.ROUTE, None, "Invalid or missing JWT token"),
        (PathClass.ROUTE, BAD, "Invalid or missing JWT token"),
        (PathClass.ROUTE, OLD, "Invalid or missing JWT token"),
        (PathClass.ROUTE, GOOD, None),
        (PathClass.ROUTE, GOOD.replace("Bearer", "bearer"), None),
        (PathClass.JWT, None, "Missing or invalid authorization header"),
        (PathClass.JWT, "Basic abc", "Missing or invalid authorization header"),
        (PathClass.JWT, GOOD.replace("Bearer", "bearer"), "Missing or invalid authorization header"),
        (PathClass.JWT, "Bearer ", "Invalid token"),
        (PathClass.JWT, BAD, "Invalid token"),
        (PathClass.JWT, OLD, "Token expired"),
        (PathClass.JWT, GOOD, None),
    ],
)
def test_from_outside_each_class_refuses_in_its_own_words(
    kind: PathClass, authorization: str | None, refusal: str | None
) -> None:
    entry = enter(kind, authorization=authorization, internal=False, tokens=TOKENS)

    assert entry.refusal == refusal


@pytest.mark.parametrize("kind", list(PathClass), ids=lambda kind: kind.name)
@pytest.mark.parametrize(
    "authorization", [None, BAD, OLD, "Basic x"], ids=["none", "bad", "expired", "basic"]
)
def test_an_internal_caller_is_never_refused_and_a_bad_token_is_ignored(
    kind: PathClass, authorization: str | None
) -> None:
    entry = enter(kind, authorization=authorization, internal=True, tokens=TOKENS)

    assert entry.refusal is None
    assert entry.caller.claims is None
    assert entry.caller.user_id == "internal_user"


def test_the_valid_token_of_an_internal_caller_names_it() -> None:
    entry = enter(PathClass.JWT, authorization=GOOD, internal=True, tokens=TOKENS)

    assert entry.caller.user_id == "u"
    assert entry.caller.internal
