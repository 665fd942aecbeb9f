import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.transcoding.router import RouteConflictError, Router
from gateway.transcoding.template import parse

RULES = [
    ("GET", "/"),
    ("GET", "/v1/books"),
    ("POST", "/v1/books"),
    ("GET", "/v1/books/{id}"),
    ("GET", "/v1/books/special"),
    ("DELETE", "/v1/books/{id}"),
    ("POST", "/v1/books/{id}:cancel"),
    ("POST", "/v1/books:bulk"),
    ("GET", "/v1/{name=shelves/*/books/*}"),
    ("GET", "/v1/shelves/{shelf}/books/first"),
    ("GET", "/files/{path=**}"),
    ("GET", "/files/{path=**}/meta"),
    ("GET", "/files/{path=**}/deep/meta"),
    ("GET", "/files/{path=**}:download"),
    ("GET", "/files/readme"),
    ("GET", "/at/{time}"),
    ("PUT", "/any/{x}"),
    ("*", "/any/{x}"),
    ("GET", "/mixed/{a}/end"),
    ("POST", "/mixed/literal/end"),
    ("GET", "/esc%20aped/{a}"),
]


def router_of(rules: list[tuple[str, str]]) -> Router[str]:
    return Router((method, parse(path), f"{method} {path}") for method, path in rules)


@pytest.fixture(scope="module")
def router() -> Router[str]:
    return router_of(RULES)


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        pytest.param("GET", "/", "GET /", id="root"),
        pytest.param("GET", "/v1/books", "GET /v1/books", id="literal"),
        pytest.param("POST", "/v1/books", "POST /v1/books", id="by-method"),
        pytest.param("GET", "/v1/books/7", "GET /v1/books/{id}", id="variable"),
        pytest.param("GET", "/v1/books/special", "GET /v1/books/special", id="literal-before-variable"),
        pytest.param(
            "DELETE", "/v1/books/special", "DELETE /v1/books/{id}", id="back-to-the-variable-for-a-method"
        ),
        pytest.param("GET", "/mixed/literal/end", "GET /mixed/{a}/end", id="back-from-a-literal-branch"),
        pytest.param("POST", "/v1/books/7:cancel", "POST /v1/books/{id}:cancel", id="verb"),
        pytest.param("POST", "/v1/books/a:b:cancel", "POST /v1/books/{id}:cancel", id="verb-after-colons"),
        pytest.param("POST", "/v1/books:bulk", "POST /v1/books:bulk", id="verb-on-literal"),
        pytest.param("GET", "/v1/books/7:cancel", None, id="registered-verb-is-no-data-anywhere"),
        pytest.param("GET", "/v1/books/7:other", "GET /v1/books/{id}", id="unregistered-verb-is-data"),
        pytest.param("POST", "/v1/books/7%3Acancel", None, id="escaped-colon-is-data"),
        pytest.param("POST", "/v1/books/:cancel", None, id="verb-without-a-name"),
        pytest.param("GET", "/at/2020-01-01T00:00:00Z", "GET /at/{time}", id="colons-of-a-time"),
        pytest.param("GET", "/v1/shelves/1/books/2", "GET /v1/{name=shelves/*/books/*}", id="pattern"),
        pytest.param(
            "GET", "/v1/shelves/1/books/first", "GET /v1/shelves/{shelf}/books/first", id="longer-literal"
        ),
        pytest.param("GET", "/files", "GET /files/{path=**}", id="double-star-takes-nothing"),
        pytest.param("GET", "/files/a", "GET /files/{path=**}", id="double-star-takes-one"),
        pytest.param("GET", "/files/a/b/c", "GET /files/{path=**}", id="double-star-takes-many"),
        pytest.param("GET", "/files/readme", "GET /files/readme", id="literal-before-double-star"),
        pytest.param("GET", "/files/a/meta", "GET /files/{path=**}/meta", id="tail"),
        pytest.param("GET", "/files/meta", "GET /files/{path=**}/meta", id="tail-after-nothing"),
        pytest.param("GET", "/files/a/deep/meta", "GET /files/{path=**}/deep/meta", id="longer-tail"),
        pytest.param(
            "GET", "/files/a/b:download", "GET /files/{path=**}:download", id="double-star-with-verb"
        ),
        pytest.param("PUT", "/any/x", "PUT /any/{x}", id="own-method-before-any"),
        pytest.param("PURGE", "/any/x", "* /any/{x}", id="any-method"),
        pytest.param("GET", "/esc%20aped/x", "GET /esc%20aped/{a}", id="raw-literal"),
        pytest.param("GET", "/esc aped/x", None, id="literals-compare-raw"),
        pytest.param("GET", "/v1/b%6Foks", None, id="escaped-spelling-of-a-literal"),
        pytest.param("GET", "/v1/books/", None, id="trailing-slash"),
        pytest.param("GET", "/v1//books", None, id="empty-segment"),
        pytest.param("GET", "/v1/shelves//books/2", None, id="empty-variable-segment"),
        pytest.param("GET", "/v1/Books", None, id="case-matters"),
        pytest.param("get", "/v1/books", None, id="method-case-matters"),
        pytest.param("PATCH", "/v1/books", None, id="method-without-rule"),
        pytest.param("GET", "/unknown", None, id="unknown"),
        pytest.param("GET", "*", None, id="asterisk-form"),
        pytest.param("GET", "", None, id="empty"),
    ],
)
def test_the_most_specific_rule_serves_a_path(
    router: Router[str], method: str, path: str, expected: str | None
) -> None:
    found = router.find(method, path)

    assert (found.target if found is not None else None) == expected


@given(
    st.permutations(RULES), st.sampled_from(["/v1/books/special", "/files/a/deep/meta", "/files/a:download"])
)
def test_the_order_of_the_rules_never_matters(rules: list[tuple[str, str]], path: str) -> None:
    shuffled, listed = router_of(rules).find("GET", path), router_of(RULES).find("GET", path)

    assert shuffled == listed
    assert shuffled is not None


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param(("GET", "/a/{x}"), ("GET", "/a/{y}"), id="other-variable-name"),
        pytest.param(("GET", "/a/{x}"), ("GET", "/a/*"), id="variable-and-star"),
        pytest.param(("GET", "/a/{x=b/*}"), ("GET", "/a/b/{y}"), id="pattern-and-literal"),
        pytest.param(("GET", "/a/{x=**}:v"), ("GET", "/a/**:v"), id="double-star-and-verb"),
        pytest.param(("*", "/a"), ("*", "/a"), id="any-method-twice"),
    ],
)
def test_two_rules_for_the_same_requests_are_refused_at_start(
    first: tuple[str, str], second: tuple[str, str]
) -> None:
    for pair in itertools.permutations((first, second)):
        with pytest.raises(RouteConflictError) as caught:
            router_of(list(pair))
        assert first[1] in str(caught.value)
        assert second[1] in str(caught.value)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param(("GET", "/a/{x}"), ("POST", "/a/{x}"), id="other-method"),
        pytest.param(("GET", "/a/{x}"), ("GET", "/a/{x}:v"), id="verb"),
        pytest.param(("GET", "/a/{x}"), ("GET", "/a/{x=**}"), id="star-and-double-star"),
        pytest.param(("GET", "/a"), ("*", "/a"), id="method-and-any-method"),
    ],
)
def test_rules_that_differ_live_side_by_side(first: tuple[str, str], second: tuple[str, str]) -> None:
    router_of([first, second])


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        pytest.param("/v1/books/special", {"GET", "DELETE"}, id="over-all-matching-shapes"),
        pytest.param("/v1/books/7:cancel", {"POST"}, id="with-verb"),
        pytest.param("/unknown", set(), id="unknown-path"),
    ],
)
def test_the_methods_of_a_path_are_those_of_every_rule_that_matches(
    router: Router[str], path: str, methods: set[str]
) -> None:
    assert router.methods_of(path) == methods


@given(st.text(alphabet="/v1books:cancel%2Ffilesmeta*{}", max_size=60))
def test_any_path_is_found_or_not_without_a_crash(path: str) -> None:
    router = router_of(RULES)

    found = router.find("GET", "/" + path)
    assert found is None or "GET" in router.methods_of("/" + path)
