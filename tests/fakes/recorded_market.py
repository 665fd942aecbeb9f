"""Market data as Alpaca writes it, and a broker that answers with it."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

from fakes.scripted_broker import Answer, ReceivedRequest, ScriptedBroker, reply

CALL = "AAPL301220C00200000"
PUT = "AAPL301220P00190000"
LATER = "AAPL310117C00150500"

BARS: list[dict[str, Any]] = [
    {
        "t": "2025-09-17T04:00:00Z",
        "o": 238.97,
        "h": 240.1,
        "l": 237.7301,
        "c": 238.99,
        "v": 46508017,
        "n": 531245,
        "vw": 238.96,
    },
    {"t": "2025-09-18T04:00:00Z", "o": 239, "h": 241.2, "l": 236.65, "c": 237.88, "v": 44249576},
]
SNAPSHOTS: dict[str, dict[str, Any]] = {
    LATER: {},
    PUT: {
        "latestQuote": {"t": "2025-09-18T19:59:59.5Z", "bp": 0, "ap": 5.4, "bs": 0, "as": 12, "c": " "},
    },
    CALL: {
        "latestQuote": {
            "t": "2025-09-18T19:59:59.123456789Z",
            "bp": 9.95,
            "ap": 10.05,
            "bs": 3,
            "as": 7,
            "bx": "C",
            "ax": "C",
            "c": "A",
        },
        "latestTrade": {"t": "2025-09-18T19:58:00Z", "p": 10.0, "s": 1, "x": "C", "c": "I"},
        "greeks": {"delta": 0.5412, "gamma": 0.031, "theta": -0.087, "vega": 0.19},
        "impliedVolatility": 0.2871,
    },
}
ACCOUNT = {
    "account_number": "PA3000001",
    "status": "ACTIVE",
    "cash": "7000",
    "buying_power": "7000",
    "equity": "7000",
    "trading_blocked": False,
    "account_blocked": False,
}
QUOTE = {"t": "2025-09-18T19:59:59Z", "bp": 237.85, "ap": 237.9, "bs": 200, "as": 100}


def query_of(request: ReceivedRequest) -> Mapping[str, str]:
    """The parameters of a request, each once."""
    return {name: values[-1] for name, values in parse_qs(urlsplit(request.target).query).items()}


class RecordedMarket:
    """Answers as Alpaca does for AAPL; a test replaces the answer to any path."""

    def __init__(self, broker: ScriptedBroker) -> None:
        self.broker = broker
        self.answers: dict[str, Answer] = {}
        broker.script = self._answer

    def asked(self, path: str) -> list[Mapping[str, str]]:
        """The parameters of every request for a path, in their order."""
        return [query_of(one) for one in self.broker.received if one.path == path]

    def _answer(self, request: ReceivedRequest) -> Answer:
        if request.path in self.answers:
            return self.answers[request.path]
        if request.path == "/v2/account":
            return reply(200, ACCOUNT)
        if request.path == "/v2/stocks/quotes/latest":
            return reply(200, {"quotes": {"AAPL": QUOTE}})
        if request.path == "/v2/stocks/bars":
            return reply(200, {"bars": {"AAPL": BARS}, "next_page_token": None})
        if request.path == "/v1beta1/options/snapshots/AAPL":
            return _page(query_of(request))
        return reply(404, {"code": 40410000, "message": "not found"})


def _page(query: Mapping[str, str]) -> Answer:
    """Two contracts on the first page, the third on the second; none of them for another expiry."""
    if query.get("expiration_date") not in {None, "2030-12-20"}:
        return reply(200, {"snapshots": {}, "next_page_token": None})
    if query.get("page_token") == "second":
        return reply(200, {"snapshots": {CALL: SNAPSHOTS[CALL]}, "next_page_token": None})
    first = {symbol: SNAPSHOTS[symbol] for symbol in (LATER, PUT)}
    return reply(200, {"snapshots": first, "next_page_token": "second"})
