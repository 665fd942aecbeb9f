"""What comes from strangers is read strictly: option symbols, order bodies, scenarios."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.calls import Call
from sandbox.errors import AlpacaError
from sandbox.instant import parse, rfc3339
from sandbox.option_symbol import OptionSymbol, OptionType, find_option_symbol
from sandbox.order_ticket import read_ticket
from sandbox.rate_limit import RateLimit
from sandbox.scenario import Present, Scenario, ScenarioError
from sandbox.scenario_reader import DEFAULT_SCENARIO, load_scenario, read_scenario
from sandbox.sessions import new_york_sessions
from sandbox_desk import open_desk

P = ParamSpec("P")
T = TypeVar("T")

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.decimals(allow_nan=True) | st.text(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner, max_size=2),
    max_leaves=4,
)
fields = st.sampled_from(
    ["symbol", "side", "type", "time_in_force", "qty", "notional", "limit_price", "stop_price", "trail_price",
     "trail_percent", "extended_hours", "client_order_id", "position_intent", "order_class"]
)  # fmt: skip
plausible = st.sampled_from(
    ["AAPL", "buy", "sell", "market", "limit", "stop", "day", "gtc", "1", "0.5", "1e9999", True]
)
symbols = st.builds(
    OptionSymbol,
    root=st.from_regex(r"[A-Z]{1,5}[0-9]?", fullmatch=True),
    expiration_date=st.dates(date(2000, 1, 1), date(2099, 12, 31)),
    option_type=st.sampled_from(OptionType),
    strike_price=st.integers(1, 99_999_999).map(lambda thousandths: Decimal(thousandths) / 1000),
)


def present(at: str = "2026-11-25T12:00:00Z") -> Present:
    return Present(now=parse(at), calendar=new_york_sessions())


def outcome(read: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> tuple[AlpacaError | None, T | None]:
    """What was read, or the refusal; anything else that is raised fails the test."""
    try:
        return None, read(*args, **kwargs)
    except AlpacaError as error:
        return error, None


def problems_of(tree: object) -> list[str]:
    with pytest.raises(ScenarioError) as caught:
        read_scenario(tree, present())
    return caught.value.problems


@given(symbol=symbols)
def test_an_option_symbol_reads_back_as_its_parts(symbol: OptionSymbol) -> None:
    assert find_option_symbol(str(symbol)) == symbol


@pytest.mark.parametrize(
    ("text", "root", "strike"),
    [
        ("AAPL240119C00190000", "AAPL", "190"),
        ("XOM2241220P00280000", "XOM2", "280"),
        ("AMZN7140118C00400000", "AMZN7", "400"),
        ("F240119P00000500", "F", "0.5"),
        ("BRKB240119C00162500", "BRKB", "162.5"),
    ],
)
def test_adjusted_roots_and_small_strikes_are_read(text: str, root: str, strike: str) -> None:
    symbol = find_option_symbol(text)

    assert symbol is not None
    assert (symbol.root, symbol.strike_price) == (root, Decimal(strike))


@pytest.mark.parametrize(
    "text",
    ["", "AAPL", "AAPL240230C00190000", "AAPL240119X00190000", "AAPL240119C00000000", "AAPL  240119C00190000", "240119C00190000"],
)  # fmt: skip
def test_what_is_no_option_symbol_is_none(text: str) -> None:
    assert find_option_symbol(text) is None


@given(body=st.dictionaries(fields, json_values | plausible))
def test_any_order_body_is_either_read_or_refused_in_alpacas_way(body: dict[str, Any]) -> None:
    refused, ticket = outcome(read_ticket, body)
    if refused is not None:
        assert (refused.status, refused.code) in ((422, 40010001), (422, 42210000))
    if ticket is not None:
        amounts = [ticket.qty, ticket.notional, ticket.limit_price, ticket.stop_price]
        assert all(amount is None or (amount.is_finite() and amount > 0) for amount in amounts)


@given(
    raw=st.binary()
    | st.sampled_from([b"[1]", b"null", b'{"qty": NaN}', b'{"qty": Infinity}', b"{" * 20_000, b'"x"'])
)
def test_any_bytes_are_a_json_object_or_refused(raw: bytes) -> None:
    desk = open_desk()
    call = Call(exchange=desk.exchange, account=desk.account, now=desk.now, parts={}, query={}, body=raw)
    refused, value = outcome(call.json_object)
    if refused is not None:
        assert (refused.status, refused.code) == (400, 40010000)
    else:
        assert isinstance(json.loads(raw), dict)
        assert isinstance(value, dict)


def test_json_fractions_stay_exact() -> None:
    desk = open_desk()
    body = b'{"qty": 0.1}'

    assert Call(
        exchange=desk.exchange, account=desk.account, now=desk.now, parts={}, query={}, body=body
    ).json_object() == {"qty": Decimal("0.1")}


def test_the_built_in_scenario_has_two_funded_accounts_and_contracts_that_are_alive() -> None:
    scenario = load_scenario(DEFAULT_SCENARIO, present())

    numbers = [account.terms.account_number for account in scenario.accounts]
    assert [number.startswith("PA") for number in numbers] == [True, False]
    assert all(account.cash >= 100_000 for account in scenario.accounts)
    listed = {listing.instrument.symbol for listing in scenario.listings}
    assert {"AAPL", "MSFT", "TSLA", "SPY"} < listed
    expiries = [parts.expiration_date for symbol in listed if (parts := find_option_symbol(symbol))]
    assert min(expiries) == date(2026, 11, 25)


@pytest.mark.parametrize(
    ("now", "starts"),
    [
        ("2026-11-25T12:00:00Z", "2026-11-25T15:00:00Z"),
        ("2026-11-26T18:00:00Z", "2026-11-25T15:00:00Z"),
        ("2026-11-29T18:00:00Z", "2026-11-27T15:00:00Z"),
        ("2026-07-02T12:00:00Z", "2026-07-02T14:00:00Z"),
    ],
    ids=["trading day", "holiday", "Sunday", "summer time"],
)
def test_session_is_ten_in_new_york_on_the_latest_trading_day(now: str, starts: str) -> None:
    scenario = read_scenario({"clock": {"at": "session"}}, present(now))

    assert rfc3339(scenario.starts_at) == starts


def test_relative_expiries_fall_on_trading_days() -> None:
    option = {"underlying": "AAPL", "type": "put", "strike": 187.5}
    tree = {"options": [{**option, "expires_in_days": days} for days in (0, 1, 3)]}

    scenario = read_scenario(tree, present())

    # The 26th is Thanksgiving, the 28th a Saturday.
    assert [listing.instrument.symbol for listing in scenario.listings] == [
        "AAPL261125P00187500",
        "AAPL261127P00187500",
        "AAPL261130P00187500",
    ]


def test_every_problem_of_a_scenario_is_named_with_its_path() -> None:
    tree = {
        "clock": {"at": "noon", "spede": 2},
        "rate_limit": "many",
        "latency_ms": {"answer": -1},
        "matching": "sometimes",
        "accounts": [
            {"name": "a", "id": "not-a-uuid", "key": "K", "secret": "S", "account_number": "PA1", "cash": "lots"},
            {"key": "K", "secret": "S", "account_number": "PA2", "multiplier": 3, "options_level": 4,
             "trading_blocked": "yes", "status": "FINE", "positions": [{"symbol": "AAPL", "qty": 0}]},
        ],
        "quotes": {"AAPL": {"bid": "NaN", "asks": 1}},
        "options": [{"underlying": "AAPL", "strike": 1}, {"symbol": "AAPL"}],
        "account": {},
    }  # fmt: skip

    found = problems_of(tree)

    for path in (
        "clock.at:", "clock.spede:", "rate_limit:", "latency_ms.answer:", "matching:", "accounts[0].cash:", "accounts[0].id:",
        "accounts[1].name:", "accounts[1].multiplier:", "accounts[1].options_level:", "accounts[1].trading_blocked:",
        "accounts[1].status:", "accounts[1].positions[0].qty:", "accounts[1].positions[0].avg_entry_price:",
        "quotes.AAPL.bid:", "quotes.AAPL.asks:", "options[0].expires_in_days:", "options[1].symbol:", "account:",
        "accounts: two accounts have the key",
    ):  # fmt: skip
        assert any(problem.startswith(path) for problem in found), (path, found)


@pytest.mark.parametrize("tree", [[], "text", 5, {"accounts": {}}, {"accounts": ["x"]}, {"quotes": []}])
def test_a_scenario_of_the_wrong_shape_is_refused(tree: object) -> None:
    assert problems_of(tree)


@pytest.mark.parametrize("content", [b"a: [", b"\xff\xfe", None], ids=["no YAML", "no UTF-8", "no file"])
def test_a_file_that_cannot_be_read_is_one_problem(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "scenario.yml"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(ScenarioError, match=r"scenario\.yml"):
        load_scenario(path, present())


@given(tree=json_values)
def test_no_document_breaks_the_reader(tree: object) -> None:
    with contextlib.suppress(ScenarioError):
        assert isinstance(read_scenario(tree, present()), Scenario)


def test_the_rate_limit_counts_by_account_and_starts_again_with_the_minute() -> None:
    seconds = [1_000_000_020.0]
    limit = RateLimit(2, wall_s=lambda: seconds[0])

    seen = [limit.take("a") for _ in range(3)]
    other = limit.take("b")
    seconds[0] = float(seen[0].resets_at)
    again = limit.take("a")

    assert [each.granted for each in seen] == [True, True, False]
    assert [each.remaining for each in seen] == [1, 0, 0]
    assert seen[0].resets_at == 1_000_000_080 - 1_000_000_080 % 60
    assert other.granted
    assert again.granted


def test_without_a_limit_everything_passes() -> None:
    limit = RateLimit(None)

    assert all(limit.take("a").granted for _ in range(1_000))
