"""The E-422 bodies: shape and texts are those of the former framework, character by character."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.legacy.bodies import LimitQuery, OptionOrderBody, SellControlBody, StockOrderBody
from gateway.legacy.exact_json import ExactFloat
from gateway.legacy.validation import parse_body, parse_query
from gateway.transcoding.failure import HttpProblem
from gateway.transcoding.json_value import dumps

JSON = "application/json"
GOOD = {"symbol": "AAPL", "qty": 1, "side": "buy"}
ENUM_SIDE = "Input should be 'buy' or 'sell'"
ENUM_TYPE = "Input should be 'market', 'limit', 'stop' or 'stop_limit'"
ENUM_TIF = "Input should be 'day', 'gtc', 'ioc' or 'fok'"
BAD_NUMBER = "Input should be a valid number, unable to parse string as a number"


def fault(kind: str, field: str, message: str, given: object, **ctx: object) -> dict[str, object]:
    return {
        "type": kind,
        "loc": ["body", field],
        "msg": message,
        "input": given,
        **({"ctx": ctx} if ctx else {}),
    }


def faults_of(model: Any, body: bytes, content_type: str | None = JSON) -> Any:
    with pytest.raises(HttpProblem) as caught:
        parse_body(model, body, content_type)
    assert caught.value.status == 422
    # As it goes over the wire: every error body must be printable.
    answer = json.loads(dumps(caught.value.body))
    assert list(answer) == ["detail"]
    return answer["detail"]


STOCK_FAULTS = [
    ("no symbol", {"symbol": ...}, fault("missing", "symbol", "Field required", {"qty": 1, "side": "buy"})),
    (
        "symbol is a number",
        {"symbol": 1},
        fault("string_type", "symbol", "Input should be a valid string", 1),
    ),
    ("qty zero", {"qty": 0}, fault("greater_than", "qty", "Input should be greater than 0", 0, gt=0.0)),
    (
        "qty below zero",
        {"qty": -0.5},
        fault("greater_than", "qty", "Input should be greater than 0", -0.5, gt=0.0),
    ),
    ("qty words", {"qty": "ten"}, fault("float_parsing", "qty", BAD_NUMBER, "ten")),
    ("qty null", {"qty": None}, fault("float_type", "qty", "Input should be a valid number", None)),
    ("qty a list", {"qty": [1]}, fault("float_type", "qty", "Input should be a valid number", [1])),
    ("qty NaN text", {"qty": "NaN"}, fault("finite_number", "qty", "Input should be a finite number", "NaN")),
    ("side sideways", {"side": "up"}, fault("enum", "side", ENUM_SIDE, "up", expected="'buy' or 'sell'")),
    ("side upper case", {"side": "BUY"}, fault("enum", "side", ENUM_SIDE, "BUY", expected="'buy' or 'sell'")),
    (
        "type unknown",
        {"type": "trailing"},
        fault("enum", "type", ENUM_TYPE, "trailing", expected="'market', 'limit', 'stop' or 'stop_limit'"),
    ),
    (
        "type null",
        {"type": None},
        fault("enum", "type", ENUM_TYPE, None, expected="'market', 'limit', 'stop' or 'stop_limit'"),
    ),
    (
        "time in force unknown",
        {"time_in_force": "opg"},
        fault("enum", "time_in_force", ENUM_TIF, "opg", expected="'day', 'gtc', 'ioc' or 'fok'"),
    ),
    (
        "limit price zero",
        {"limit_price": 0},
        fault("greater_than", "limit_price", "Input should be greater than 0", 0, gt=0.0),
    ),
    (
        "bulk neither true nor false",
        {"bulk_place": "maybe"},
        fault(
            "bool_parsing",
            "bulk_place",
            "Input should be a valid boolean, unable to interpret input",
            "maybe",
        ),
    ),
]


@pytest.mark.parametrize(
    ("change", "expected"), [row[1:] for row in STOCK_FAULTS], ids=[row[0] for row in STOCK_FAULTS]
)
def test_a_stock_order_s_fault_is_reported_as_before(change: dict[str, object], expected: object) -> None:
    body = {name: value for name, value in {**GOOD, **change}.items() if value is not ...}

    assert faults_of(StockOrderBody, json.dumps(body).encode()) == [expected]


OPTION_FAULTS = [
    (
        "half a contract",
        1.5,
        fault(
            "int_from_float",
            "qty",
            "Input should be a valid integer, got a number with a fractional part",
            1.5,
        ),
    ),
    ("no contract", 0, fault("greater_than", "qty", "Input should be greater than 0", 0, gt=0)),
    (
        "half a contract as text",
        "1.5",
        fault(
            "int_parsing",
            "qty",
            "Input should be a valid integer, unable to parse string as an integer",
            "1.5",
        ),
    ),
    (
        "more than a number can say",
        2**63,
        fault(
            "less_than_equal",
            "qty",
            f"Input should be less than or equal to {2**63 - 1}",
            2**63,
            le=2**63 - 1,
        ),
    ),
]


@pytest.mark.parametrize(
    ("qty", "expected"), [row[1:] for row in OPTION_FAULTS], ids=[row[0] for row in OPTION_FAULTS]
)
def test_an_option_order_s_quantity_is_a_whole_number(qty: object, expected: object) -> None:
    body = {"option_symbol": "AAPL240119C00190000", "side": "buy", "qty": qty}

    assert faults_of(OptionOrderBody, json.dumps(body).encode()) == [expected]


def test_all_faults_come_at_once_in_the_order_of_the_fields() -> None:
    faults = faults_of(StockOrderBody, b"{}")

    assert [one["loc"] for one in faults] == [["body", "symbol"], ["body", "qty"], ["body", "side"]]
    assert {one["type"] for one in faults} == {"missing"}


@pytest.mark.parametrize(
    ("body", "offset", "why"),
    [
        (b"{", 1, "Expecting property name enclosed in double quotes"),
        (b'{"symbol":}', 10, "Expecting value"),
        (b"nonsense", 0, "Expecting value"),
        (b'{"a":1} x', 8, "Extra data"),
        (b" ", 1, "Expecting value"),
    ],
    ids=["cut short", "no value", "no JSON", "two values", "white space"],
)
def test_broken_json_says_where(body: bytes, offset: int, why: str) -> None:
    assert faults_of(StockOrderBody, body) == [
        {
            "type": "json_invalid",
            "loc": ["body", offset],
            "msg": "JSON decode error",
            "input": {},
            "ctx": {"error": why},
        }
    ]


@pytest.mark.parametrize("body", [b"", b"null"], ids=["empty", "null"])
def test_no_body_at_all_is_missing(body: bytes) -> None:
    assert faults_of(StockOrderBody, body) == [
        {"type": "missing", "loc": ["body"], "msg": "Field required", "input": None}
    ]


@pytest.mark.parametrize(
    ("body", "content_type", "given"),
    [
        (b"[1]", JSON, [1]),
        (b'"text"', JSON, "text"),
        (b'{"symbol":"A"}', "text/plain", '{"symbol":"A"}'),
        (b"a=b", "application/x-www-form-urlencoded", "a=b"),
        (b"\xff", "text/plain", "\ufffd"),
    ],
    ids=["a list", "a text", "JSON that does not say so", "a form", "bytes"],
)
def test_what_is_no_object_is_refused_as_such(body: bytes, content_type: str, given: object) -> None:
    assert faults_of(StockOrderBody, body, content_type) == [
        {
            "type": "model_attributes_type",
            "loc": ["body"],
            "msg": "Input should be a valid dictionary or object to extract fields from",
            "input": given,
        }
    ]


@pytest.mark.parametrize(
    "content_type",
    [None, "", JSON, "application/json; charset=utf-8", "application/vnd.x+json", "APPLICATION/JSON"],
)
def test_json_is_read_as_such_under_every_json_type_and_none(content_type: str | None) -> None:
    order, _ = parse_body(StockOrderBody, json.dumps(GOOD).encode(), content_type)

    assert order.symbol == "AAPL"


@pytest.mark.parametrize(
    "body",
    [b"\xff\xfe\xfa", b'{"qty":' + b"9" * 5000 + b"}", b"[" * 200_000],
    ids=["no text", "a number of 5,000 digits", "nested without end"],
)
def test_what_cannot_be_read_at_all_is_a_400(body: bytes) -> None:
    with pytest.raises(HttpProblem) as caught:
        parse_body(StockOrderBody, body, JSON)

    assert (caught.value.status, caught.value.body) == (
        400,
        {"detail": "There was an error parsing the body"},
    )


@pytest.mark.parametrize(
    ("number", "given"),
    [(b"NaN", "NaN"), (b"Infinity", "Infinity"), (b"-Infinity", "-Infinity"), (b"1e400", "Infinity")],
    ids=["NaN", "Infinity", "-Infinity", "1e400"],
)
def test_numbers_beyond_all_measure_are_refused_by_their_field(number: bytes, given: str) -> None:
    faults = faults_of(StockOrderBody, b'{"symbol":"A","side":"buy","qty":%s}' % number)

    assert faults == [fault("finite_number", "qty", "Input should be a finite number", given)]


def test_half_a_surrogate_pair_is_refused_by_its_field() -> None:
    (one,) = faults_of(StockOrderBody, b'{"symbol":"\\ud800","side":"buy","qty":1}')

    assert (one["type"], one["loc"]) == ("string_unicode", ["body", "symbol"])


@pytest.mark.parametrize(
    ("change", "field", "value"),
    [
        ({"qty": "10"}, "qty", 10.0),
        ({"qty": True}, "qty", 1.0),
        ({"symbol": "brk.b"}, "symbol", "BRK.B"),
        ({"bulk_place": None}, "bulk_place", False),
        ({"bulk_place": "yes"}, "bulk_place", True),
        ({"bulk_place": 1}, "bulk_place", True),
        ({"strategy_name": None}, "strategy_name", None),
        ({"limit_price": None}, "limit_price", None),
        ({"what_is_this": 1}, "type", "market"),
        ({}, "time_in_force", "day"),
    ],
)
def test_lax_values_are_accepted_as_before(change: dict[str, object], field: str, value: object) -> None:
    order, _ = parse_body(StockOrderBody, json.dumps({**GOOD, **change}).encode(), JSON)

    assert getattr(order, field) == value


def test_a_whole_float_is_a_number_of_contracts() -> None:
    body = b'{"option_symbol":"aapl240119c00190000","qty":2.0,"side":"sell","auto_sell_enabled":null}'

    order, _ = parse_body(OptionOrderBody, body, JSON)

    assert (order.option_symbol, order.qty, order.auto_sell_enabled) == ("AAPL240119C00190000", 2, False)


def test_the_digits_of_a_number_are_kept_as_written() -> None:
    _, raw = parse_body(StockOrderBody, b'{"symbol":"A","side":"buy","qty":0.12345678901234567890}', JSON)

    qty = raw["qty"]
    assert isinstance(qty, ExactFloat)
    assert qty.text == "0.12345678901234567890"


@pytest.mark.parametrize(
    ("limit", "kind"), [("ten", "int_parsing"), ("", "int_parsing"), ("1.5", "int_parsing")], ids=repr
)
def test_a_limit_that_is_no_number_is_reported_at_the_query(limit: str, kind: str) -> None:
    with pytest.raises(HttpProblem) as caught:
        parse_query(LimitQuery, {"limit": limit})

    assert caught.value.status == 422
    assert caught.value.body == {
        "detail": [
            {
                "type": kind,
                "loc": ["query", "limit"],
                "msg": "Input should be a valid integer, unable to parse string as an integer",
                "input": limit,
            }
        ]
    }


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=20,
)


@given(st.binary() | json_values.map(lambda value: json.dumps(value).encode()))
def test_any_body_ends_in_an_order_or_a_printable_4xx(body: bytes) -> None:
    for model in (StockOrderBody, OptionOrderBody, SellControlBody):
        problem = problem_of(model, body)

        assert problem is None or problem.status in {400, 422}
        dumps(None if problem is None else problem.body)


def problem_of(model: Any, body: bytes) -> HttpProblem | None:
    try:
        parse_body(model, body, JSON)
    except HttpProblem as problem:
        return problem
    return None
