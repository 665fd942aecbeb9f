"""The market-data routes as legacy-rest.md section 7 has them: one row a route and case."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import pytest_asyncio
from google.protobuf.message import Message

from fakes.gateway_market import CALL, LATER, PUT, bars, chain, contract, option_quotes, quote, stock_quotes
from fakes.gateway_orders import reasoned
from fakes.gateway_services import Gateway, running_gateway, token_of
from opitios.account.v1 import market_data_pb2 as market
from opitios.account.v1 import market_data_service_pb2 as service
from runtime.errors import FailedPrecondition, InvalidArgument, NotFound, ServiceError, Unavailable

pytestmark = [pytest.mark.asyncio(loop_scope="module")]

USER = token_of(user_id="u-1")
RAW = '{"code":40010001,"message":"invalid symbol: X"}'
NO_ACCOUNT = reasoned(NotFound("no enabled account has this id"), "ACCOUNT_NOT_FOUND")
REFUSED = reasoned(
    FailedPrecondition(
        "Alpaca refused", metadata={"broker_code": "40010001", "broker_message": "invalid symbol: X"}
    ),
    "BROKER_REFUSED",
)
NO_PLAN = reasoned(
    FailedPrecondition("too small", metadata={"broker_message": "subscription does not permit"}),
    "DATA_PLAN_TOO_SMALL",
)
AWAY = reasoned(Unavailable("no answer"), "BROKER_UNREACHABLE")
MALFORMED = InvalidArgument("symbol: 'aapl' is not a symbol")

STOCK_QUOTE = (
    '{"symbol":"AAPL","bid_price":190.0,"ask_price":190.02,"bid_size":3.0,"ask_size":5.0,'
    '"timestamp":"2025-09-18 15:53:53 EDT"}'
)
OPTION_QUOTE = (
    f'{{"symbol":"{CALL}","underlying_symbol":"AAPL","strike_price":200.0,'
    '"expiration_date":"2030-12-20","option_type":"call","bid_price":null,"ask_price":190.02,'
    '"bid_size":3.0,"ask_size":5.0,"last_price":null,"implied_volatility":null,'
    '"timestamp":"2025-09-18 15:53:53 EDT"}'
)
CHAIN = chain(
    contract(PUT, quote=quote(PUT, bid_price=None)),
    contract(
        CALL,
        quote=quote(CALL, last_price="10"),
        implied_volatility="0.2871",
        greeks=market.Greeks(delta="0.5", theta="-0.087"),
    ),
    contract(LATER),
)
CHAIN_TEXT = (
    '{"underlying_symbol":"AAPL","underlying_price":190.02,'
    '"expiration_dates":["2030-12-20","2031-01-17"],"options_count":3,"quote_failures":1,"options":['
    f'{{"symbol":"{PUT}","underlying_symbol":"AAPL","strike_price":190.0,"expiration_date":"2030-12-20",'
    '"option_type":"put","ask_price":190.02,"bid_size":3.0,"ask_size":5.0},'
    f'{{"symbol":"{CALL}","underlying_symbol":"AAPL","strike_price":200.0,"expiration_date":"2030-12-20",'
    '"option_type":"call","bid_price":190.0,"ask_price":190.02,"bid_size":3.0,"ask_size":5.0,'
    '"last_price":10.0,"implied_volatility":0.2871,'
    '"greeks":{"delta":0.5,"gamma":null,"theta":-0.087,"vega":null,"rho":null}},'
    f'{{"symbol":"{LATER}","underlying_symbol":"AAPL","strike_price":150.5,"expiration_date":"2031-01-17",'
    '"option_type":"call"}]}'
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One request, what the services say to it, and the whole answer."""

    name: str
    path: str
    rpc: str
    says: Message | ServiceError | None = None
    status: int = 200
    text: str = ""
    method: str = "GET"
    body: object = None
    detail: Any = None
    asked: dict[str, Any] = field(default_factory=dict)


BARS = "/api/v1/stocks/aapl/bars"
DAYS = "start_date=2025-09-01&end_date=2025-12-31"
BARS_FIELDS = {"symbol": "AAPL", "timeframe": "1Day"}
NO_BARS = "No historical bar data available from Alpaca for this symbol and timeframe"
NO_CHAIN = "No real options data available from Alpaca for this symbol"
NO_QUOTE = "No real market data available from Alpaca for this option symbol"


def bars_error(status: int, code: str, error: str, **more: str) -> dict[str, Any]:
    return {"status": status, "detail": {"error": error, "error_code": code, **BARS_FIELDS, **more}}


ROWS = [
    Row(
        name="stock quote",
        path="/api/v1/stocks/aapl/quote?account_id=paper",
        rpc="GetStockQuotes",
        says=stock_quotes(quote("AAPL")),
        text=STOCK_QUOTE,
        asked={"symbols": ["AAPL"], "account_id": "paper"},
    ),
    Row(
        name="stock quote without bid and time",
        path="/api/v1/stocks/AAPL/quote",
        rpc="GetStockQuotes",
        says=stock_quotes(market.Quote(symbol="AAPL", ask_price="1", bid_size="0", ask_size="2")),
        text='{"symbol":"AAPL","bid_price":null,"ask_price":1.0,"bid_size":0.0,"ask_size":2.0,"timestamp":null}',
        asked={"account_id": "stock_ws"},
    ),
    Row(
        name="stock quote of nothing",
        path="/api/v1/stocks/nope/quote",
        rpc="GetStockQuotes",
        says=stock_quotes(missing=("NOPE",)),
        status=400,
        detail="No quote data found for NOPE",
    ),
    Row(
        name="stock quote refused",
        path="/api/v1/stocks/X/quote",
        rpc="GetStockQuotes",
        says=REFUSED,
        status=400,
        detail=RAW,
    ),
    Row(
        name="stock quote of an unknown account",
        path="/api/v1/stocks/X/quote?account_id=zz",
        rpc="GetStockQuotes",
        says=NO_ACCOUNT,
        status=404,
        detail="Account ID 'zz' not found.",
    ),
    Row(
        name="stock quote in an outage",
        path="/api/v1/stocks/X/quote",
        rpc="GetStockQuotes",
        says=AWAY,
        status=503,
        detail="no answer",
    ),
    Row(
        name="stock quotes in order, repeated, with one missing",
        method="POST",
        path="/api/v1/stocks/quotes",
        body={"symbols": ["NOPE", "AAPL", "AAPL"], "unknown": 1},
        rpc="GetStockQuotes",
        says=stock_quotes(quote("AAPL"), missing=("NOPE",)),
        text='{"quotes":[{"symbol":"NOPE","error":"No quote data found for NOPE"},'
        f'{STOCK_QUOTE},{STOCK_QUOTE}],"count":3,"requested_symbols":["NOPE","AAPL","AAPL"]}}',
        asked={"symbols": ["NOPE", "AAPL", "AAPL"], "account_id": "stock_ws"},
    ),
    Row(
        name="no stock symbols",
        method="POST",
        path="/api/v1/stocks/quotes",
        body={"symbols": []},
        rpc="GetStockQuotes",
        status=400,
        detail="At least one symbol is required",
    ),
    Row(
        name="21 stock symbols",
        method="POST",
        path="/api/v1/stocks/quotes",
        body={"symbols": ["A"] * 21},
        rpc="GetStockQuotes",
        status=400,
        detail="Maximum 20 symbols allowed per request",
    ),
    Row(
        name="one bad stock symbol fails them all",
        method="POST",
        path="/api/v1/stocks/quotes",
        body={"symbols": ["AAPL", "X"]},
        rpc="GetStockQuotes",
        says=REFUSED,
        status=400,
        detail=RAW,
    ),
    Row(
        name="stock symbols that are no list",
        method="POST",
        path="/api/v1/stocks/quotes",
        body={"symbols": "AAPL"},
        rpc="GetStockQuotes",
        status=422,
        detail=[
            {
                "type": "list_type",
                "loc": ["body", "symbols"],
                "msg": "Input should be a valid list",
                "input": "AAPL",
            }
        ],
    ),
    Row(
        name="bars",
        path=f"{BARS}?{DAYS}&limit=2",
        rpc="GetStockBars",
        says=bars(),
        text='{"symbol":"AAPL","timeframe":"1Day","start_date":"2025-09-01","end_date":"2025-12-31",'
        '"bars_count":2,"bars":[{"timestamp":"2025-09-17 00:00:00 EDT","open":238.97,"high":240.1,'
        '"low":237.7,"close":239.0,"volume":46508017.0,"trade_count":531245.0,"vwap":239.5},'
        '{"timestamp":"2025-12-17 00:00:00 EST","open":1.0,"high":2.0,"low":0.5,"close":1.5,'
        '"volume":10.0,"trade_count":null,"vwap":null}]}',
        asked={"symbol": "AAPL", "timeframe": "1Day", "limit": 2, "account_id": "stock_ws"},
    ),
    Row(
        name="no bars",
        path=BARS,
        rpc="GetStockBars",
        says=service.GetStockBarsResponse(symbol="AAPL"),
        **bars_error(404, "STOCK_BARS_UNAVAILABLE", "No bar data found for AAPL", message=NO_BARS),
    ),
    Row(
        name="bars of a date that is none",
        path=f"{BARS}?start_date=2025-02-30&end_date=2025-03-01",
        rpc="GetStockBars",
        **bars_error(404, "STOCK_BARS_UNAVAILABLE", "day is out of range for month", message=NO_BARS),
    ),
    Row(
        name="bars refused",
        path=BARS,
        rpc="GetStockBars",
        says=REFUSED,
        **bars_error(404, "STOCK_BARS_UNAVAILABLE", RAW, message=NO_BARS),
    ),
    Row(
        name="bars beyond the plan",
        path=BARS,
        rpc="GetStockBars",
        says=NO_PLAN,
        **bars_error(
            403,
            "SUBSCRIPTION_LIMIT",
            "The account's data plan does not cover this",
            message="Historical bars of this feed need a larger market-data subscription.",
            alpaca_error="subscription does not permit",
        ),
    ),
    Row(
        name="bars of an unknown account",
        path=f"{BARS}?account_id=zz",
        rpc="GetStockBars",
        says=NO_ACCOUNT,
        **bars_error(404, "ACCOUNT_NOT_FOUND", "Account ID 'zz' not found."),
    ),
    Row(
        name="bars in an outage",
        path=BARS,
        rpc="GetStockBars",
        says=AWAY,
        **bars_error(503, "INTERNAL_ERROR", "no answer"),
    ),
    Row(
        name="bars with a limit that is no number",
        path=f"{BARS}?limit=x",
        rpc="GetStockBars",
        status=422,
        detail=[
            {
                "type": "int_parsing",
                "loc": ["query", "limit"],
                "msg": "Input should be a valid integer, unable to parse string as an integer",
                "input": "x",
            }
        ],
    ),
    Row(
        name="chain by body",
        method="POST",
        path="/api/v1/options/chain?account_id=paper",
        body={"underlying_symbol": "AAPL", "expiration_date": "2030-12-20", "option_type": "call"},
        rpc="GetOptionChain",
        says=CHAIN,
        text=CHAIN_TEXT,
        asked={
            "underlying_symbol": "AAPL",
            "expiration_date": "2030-12-20",
            "option_type": "call",
            "account_id": "paper",
        },
    ),
    Row(
        name="chain by path",
        path="/api/v1/options/aapl/chain",
        rpc="GetOptionChain",
        says=CHAIN,
        text=CHAIN_TEXT,
        asked={
            "underlying_symbol": "AAPL",
            "expiration_date": "",
            "option_type": "",
            "account_id": "option_ws",
        },
    ),
    Row(
        name="a chain of nothing",
        path="/api/v1/options/nope/chain",
        rpc="GetOptionChain",
        says=service.GetOptionChainResponse(underlying_symbol="NOPE"),
        status=404,
        detail={
            "error": "No options found for NOPE",
            "error_code": "OPTIONS_CHAIN_UNAVAILABLE",
            "underlying_symbol": "nope",
            "expiration_date": None,
            "message": NO_CHAIN,
            "suggestion": "Check that the symbol has listed options",
        },
    ),
    Row(
        name="a chain refused",
        method="POST",
        path="/api/v1/options/chain",
        body={"underlying_symbol": "aapl", "expiration_date": "2030-12-20"},
        rpc="GetOptionChain",
        says=MALFORMED,
        status=404,
        detail={
            "error": "symbol: 'aapl' is not a symbol",
            "error_code": "OPTIONS_CHAIN_UNAVAILABLE",
            "underlying_symbol": "aapl",
            "expiration_date": "2030-12-20",
            "message": NO_CHAIN,
        },
    ),
    Row(
        name="a chain in an outage",
        path="/api/v1/options/AAPL/chain?expiration_date=2030-12-20",
        rpc="GetOptionChain",
        says=AWAY,
        status=503,
        detail={
            "error": "no answer",
            "error_code": "INTERNAL_ERROR",
            "underlying_symbol": "AAPL",
            "expiration_date": "2030-12-20",
        },
    ),
    Row(
        name="a chain of straddles",
        method="POST",
        path="/api/v1/options/chain",
        body={"underlying_symbol": "AAPL", "option_type": "straddle"},
        rpc="GetOptionChain",
        status=422,
        detail=[
            {
                "type": "enum",
                "loc": ["body", "option_type"],
                "msg": "Input should be 'call' or 'put'",
                "input": "straddle",
                "ctx": {"expected": "'call' or 'put'"},
            }
        ],
    ),
    Row(
        name="option quote",
        method="POST",
        path="/api/v1/options/quote",
        body={"option_symbol": CALL},
        rpc="GetOptionQuotes",
        says=option_quotes(quote(CALL, bid_price=None)),
        text=OPTION_QUOTE,
        asked={"symbols": [CALL], "account_id": "option_ws"},
    ),
    Row(
        name="option quote of what is no symbol",
        method="POST",
        path="/api/v1/options/quote",
        body={"option_symbol": "aapl"},
        rpc="GetOptionQuotes",
        status=404,
        detail={
            "error": "'aapl' is not an option symbol such as AAPL240119C00190000: "
            "it does not end in YYMMDD, C or P, and the strike in 8 digits",
            "error_code": "REAL_DATA_UNAVAILABLE",
            "option_symbol": "aapl",
            "message": NO_QUOTE,
        },
    ),
    Row(
        name="option quote of nothing",
        method="POST",
        path="/api/v1/options/quote",
        body={"option_symbol": CALL},
        rpc="GetOptionQuotes",
        says=option_quotes(missing=(CALL,)),
        status=404,
        detail={
            "error": f"No quote data found for {CALL}",
            "error_code": "REAL_DATA_UNAVAILABLE",
            "option_symbol": CALL,
            "message": NO_QUOTE,
        },
    ),
    Row(
        name="option quote of an unknown account",
        method="POST",
        path="/api/v1/options/quote?account_id=zz",
        body={"option_symbol": CALL},
        rpc="GetOptionQuotes",
        says=NO_ACCOUNT,
        status=404,
        detail={
            "error": "Account ID 'zz' not found.",
            "error_code": "ACCOUNT_NOT_FOUND",
            "option_symbol": CALL,
        },
    ),
    Row(
        name="option quotes, one malformed, one missing",
        method="POST",
        path="/api/v1/options/quotes/batch",
        body={"option_symbols": ["x", CALL, PUT]},
        rpc="GetOptionQuotes",
        says=option_quotes(quote(CALL, bid_price=None), missing=(PUT,)),
        text='{"quotes":[{"error":"\'x\' is not an option symbol such as AAPL240119C00190000: '
        'it does not end in YYMMDD, C or P, and the strike in 8 digits"},'
        f'{OPTION_QUOTE},{{"error":"No quote data found for {PUT}"}}],"count":3,"successful_count":1,'
        f'"failed_count":2,"requested_symbols":["x","{CALL}","{PUT}"],"failed_symbols":["x","{PUT}"]}}',
        asked={"symbols": [CALL, PUT], "account_id": "option_ws"},
    ),
    Row(
        name="option quotes without a failure",
        method="POST",
        path="/api/v1/options/quotes/batch",
        body={"option_symbols": [CALL]},
        rpc="GetOptionQuotes",
        says=option_quotes(quote(CALL, bid_price=None)),
        text=f'{{"quotes":[{OPTION_QUOTE}],"count":1,"successful_count":1,"failed_count":0,'
        f'"requested_symbols":["{CALL}"],"failed_symbols":null}}',
    ),
    Row(
        name="option quotes that the exchange refuses are still a 200",
        method="POST",
        path="/api/v1/options/quotes/batch",
        body={"option_symbols": [CALL]},
        rpc="GetOptionQuotes",
        says=REFUSED,
        text='{"quotes":[{"error":' + json.dumps(RAW) + '}],"count":1,"successful_count":0,'
        f'"failed_count":1,"requested_symbols":["{CALL}"],"failed_symbols":["{CALL}"]}}',
    ),
    Row(
        name="no option symbols",
        method="POST",
        path="/api/v1/options/quotes/batch",
        body={"option_symbols": []},
        rpc="GetOptionQuotes",
        status=400,
        detail={
            "error": "No option symbols provided",
            "error_code": "BATCH_REQUEST_FAILED",
            "requested_symbols": [],
        },
    ),
    Row(
        name="more option symbols than the configuration allows",
        method="POST",
        path="/api/v1/options/quotes/batch",
        body={"option_symbols": [CALL] * 4},
        rpc="GetOptionQuotes",
        status=400,
        detail={
            "error": "Maximum 3 option symbols allowed per request",
            "error_code": "REQUEST_LIMIT_EXCEEDED",
            "requested_count": 4,
            "max_allowed": 3,
        },
    ),
    Row(
        name="option quotes in an outage",
        method="POST",
        path="/api/v1/options/quotes/batch",
        body={"option_symbols": [CALL]},
        rpc="GetOptionQuotes",
        says=AWAY,
        status=503,
        detail={"error": "no answer", "error_code": "INTERNAL_ERROR", "requested_symbols": [CALL]},
    ),
]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def running() -> AsyncIterator[Gateway]:
    async with running_gateway(trading={"max_option_symbols_per_request": 3}) as gateway:
        yield gateway


@pytest.fixture
def gateway(running: Gateway) -> Gateway:
    running.services.forget()
    running.clock.advance(61)
    return running


@pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
async def test_a_market_data_route_answers_as_the_contract_says(gateway: Gateway, row: Row) -> None:
    if row.says is not None:
        gateway.on(row.rpc, row.says)

    answer = await gateway.call(row.method, row.path, body=row.body)

    if row.detail is None:
        assert (answer.status, answer.text) == (row.status, row.text)
    else:
        assert (answer.status, answer.json) == (row.status, {"detail": row.detail})
    assert answer.headers["Content-Type"] == "application/json"
    assert "X-Process-Time" in answer.headers
    if row.says is None:
        assert gateway.times_asked(row.rpc) == 0
    for name, value in row.asked.items():
        (asked,) = gateway.services.requests[row.rpc]
        found = getattr(asked, name)
        assert (list(found) if isinstance(value, list) else found) == value


@pytest.mark.parametrize(
    ("method", "path", "body", "rpc", "says"),
    [
        ("GET", "/api/v1/stocks/AAPL/quote", None, "GetStockQuotes", stock_quotes(quote("AAPL"))),
        ("GET", BARS, None, "GetStockBars", bars()),
        ("GET", "/api/v1/options/AAPL/chain", None, "GetOptionChain", CHAIN),
        (
            "POST",
            "/api/v1/options/quote",
            {"option_symbol": CALL},
            "GetOptionQuotes",
            option_quotes(quote(CALL)),
        ),
    ],
    ids=["quote", "bars", "chain", "option quote"],
)
async def test_without_the_usual_account_the_first_that_works_is_asked(
    gateway: Gateway, method: str, path: str, body: object, rpc: str, says: Message
) -> None:
    async def answer(request: Message) -> Message:
        if getattr(request, "account_id"):  # noqa: B009 - the requests have no common type
            raise NO_ACCOUNT
        return says

    gateway.on(rpc, answer)

    assert (await gateway.call(method, f"{path}?account_id=", body=body)).status == 200
    assert len(gateway.services.requests[rpc]) == 2


@pytest.mark.parametrize(
    ("timeframe", "sent", "first_day"),
    [
        ("1Min", "1Min", "2026-11-19"),
        ("5Min", "5Min", "2026-11-19"),
        ("15Min", "15Min", "2026-11-19"),
        ("1Hour", "1Hour", "2026-11-19"),
        ("1Day", "1Day", "2026-10-25"),
        ("2Min", "1Day", "2026-10-25"),
    ],
)
async def test_without_both_dates_the_last_days_of_the_timeframe_are_read(
    gateway: Gateway, timeframe: str, sent: str, first_day: str
) -> None:
    gateway.on("GetStockBars", bars())

    answer = await gateway.call("GET", f"{BARS}?timeframe={timeframe}&start_date=2020-01-01")

    asked = gateway.asked("GetStockBars", service.GetStockBarsRequest)
    assert (answer.json["timeframe"], asked.timeframe, asked.limit) == (timeframe, sent, 100)
    assert (answer.json["start_date"], answer.json["end_date"]) == (first_day, "2026-11-24")
    assert asked.start.ToJsonString() == f"{first_day}T00:00:00Z"
    assert asked.end.ToJsonString() == "2026-11-24T00:00:00Z"


async def test_a_date_without_contracts_is_an_empty_chain_and_no_error(gateway: Gateway) -> None:
    async def answer(request: Message) -> Message:
        assert isinstance(request, service.GetOptionChainRequest)
        return chain() if request.expiration_date else CHAIN

    gateway.on("GetOptionChain", answer)

    found = await gateway.call("GET", "/api/v1/options/AAPL/chain?expiration_date=2030-12-21")

    assert found.status == 200
    assert found.text == (
        '{"underlying_symbol":"AAPL","underlying_price":190.02,"expiration_dates":[],'
        '"options_count":0,"quote_failures":0,"options":[]}'
    )


async def test_a_date_of_an_underlying_without_any_contract_is_a_404(gateway: Gateway) -> None:
    gateway.on("GetOptionChain", chain())

    found = await gateway.call("GET", "/api/v1/options/NOPE/chain?expiration_date=2030-12-21")

    assert (found.status, found.json["detail"]["error_code"]) == (404, "OPTIONS_CHAIN_UNAVAILABLE")


async def test_a_chain_shows_its_first_100_contracts_and_counts_them_all(gateway: Gateway) -> None:
    gateway.on("GetOptionChain", chain(*[contract(CALL)] * 101))

    found = await gateway.call("GET", "/api/v1/options/AAPL/chain")

    assert (len(found.json["options"]), found.json["options_count"]) == (100, 101)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/v1/stocks/AAPL/quote", 200),
        ("POST", "/api/v1/stocks/quotes", 401),
        ("GET", BARS, 401),
        ("POST", "/api/v1/options/chain", 401),
        ("GET", "/api/v1/options/AAPL/chain", 401),
        ("POST", "/api/v1/options/quote", 401),
        ("POST", "/api/v1/options/quotes/batch", 401),
    ],
)
async def test_from_outside_only_the_single_stock_quote_needs_no_token(
    gateway: Gateway, method: str, path: str, status: int
) -> None:
    gateway.on("GetStockQuotes", stock_quotes(quote("AAPL")))

    answer = await gateway.call(method, path, body={} if method == "POST" else None, outside=True)

    assert answer.status == status
    assert "X-RateLimit-Limit" not in answer.headers


@pytest.mark.parametrize(
    ("path", "body", "limit"),
    [
        ("/api/v1/options/quote", {"option_symbol": CALL}, "60"),
        ("/api/v1/options/quotes/batch", {"option_symbols": [CALL]}, "20"),
        ("/api/v1/options/chain", {"underlying_symbol": "AAPL"}, "120"),
        ("/api/v1/stocks/quotes", {"symbols": ["AAPL"]}, "120"),
    ],
)
async def test_each_route_tells_its_own_limit(gateway: Gateway, path: str, body: object, limit: str) -> None:
    gateway.on("GetOptionQuotes", option_quotes(quote(CALL)))
    gateway.on("GetOptionChain", CHAIN)
    gateway.on("GetStockQuotes", stock_quotes(quote("AAPL")))

    answer = await gateway.call("POST", path, body=body, outside=True, token=USER)

    assert (answer.status, answer.headers["X-RateLimit-Limit"]) == (200, limit)


async def test_with_legacy_any_account_off_another_account_s_plan_is_out_of_reach() -> None:
    token = token_of(user_id="u", account_id="mine")
    async with running_gateway(auth={"legacy_any_account": False}) as gateway:
        gateway.on("GetOptionChain", CHAIN)
        path = "/api/v1/options/AAPL/chain"

        other = await gateway.call("GET", f"{path}?account_id=other", outside=True, token=token)
        own = await gateway.call("GET", f"{path}?account_id=mine", outside=True, token=token)
        nobody = await gateway.call("GET", path, outside=True, token=token)

    assert (other.status, own.status, nobody.status) == (403, 200, 200)
