"""Watchlists: named, ordered lists of assets that an account keeps."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import uuid4

from sandbox import ticket_fields as fields
from sandbox.calls import Call, Reply
from sandbox.errors import bad_field, not_found, refused
from sandbox.instant import Instant, rfc3339
from sandbox.instruments import Stock
from sandbox.trading_json import asset_json

_LONGEST_NAME = 64

Json = dict[str, object]


@dataclass(slots=True, kw_only=True)
class Watchlist:
    """A list; it changes in place."""

    name: str
    created_at: Instant
    updated_at: Instant
    stocks: list[Stock]
    watchlist_id: str = field(default_factory=lambda: str(uuid4()))


def list_watchlists(call: Call) -> Reply:
    """GET /v2/watchlists: without their assets."""
    return Reply(body=[_json(call, each, assets=False) for each in call.account.watchlists.values()])


def create_watchlist(call: Call) -> Reply:
    """POST /v2/watchlists {name, symbols}."""
    body = call.json_object()
    name = _name(call, body)
    if name is None:
        raise bad_field("name is required")
    watchlist = Watchlist(
        name=name, created_at=call.now, updated_at=call.now, stocks=_stocks(call, body) or []
    )
    call.account.watchlists[watchlist.watchlist_id] = watchlist
    return Reply(body=_json(call, watchlist))


def get_watchlist(call: Call) -> Reply:
    """GET /v2/watchlists/{watchlist_id}."""
    return Reply(body=_json(call, _found(call)))


def update_watchlist(call: Call) -> Reply:
    """PUT /v2/watchlists/{watchlist_id} {name?, symbols?}: symbols given replace all there were."""
    watchlist, body = _found(call), call.json_object()
    name, stocks = _name(call, body, but=watchlist), _stocks(call, body)
    watchlist.name = name or watchlist.name
    watchlist.stocks = watchlist.stocks if stocks is None else stocks
    watchlist.updated_at = call.now
    return Reply(body=_json(call, watchlist))


def add_asset(call: Call) -> Reply:
    """POST /v2/watchlists/{watchlist_id} {symbol}."""
    watchlist = _found(call)
    stock = _stock(call, fields.symbol(call.json_object()))
    if stock in watchlist.stocks:
        raise refused("duplicate symbol")
    watchlist.stocks.append(stock)
    watchlist.updated_at = call.now
    return Reply(body=_json(call, watchlist))


def remove_asset(call: Call) -> Reply:
    """DELETE /v2/watchlists/{watchlist_id}/{symbol}."""
    watchlist = _found(call)
    kept = [stock for stock in watchlist.stocks if stock.symbol != call.parts["symbol"]]
    if len(kept) == len(watchlist.stocks):
        raise not_found(f"asset not found for {call.parts['symbol']}")
    watchlist.stocks, watchlist.updated_at = kept, call.now
    return Reply(body=_json(call, watchlist))


def delete_watchlist(call: Call) -> Reply:
    """DELETE /v2/watchlists/{watchlist_id}."""
    del call.account.watchlists[_found(call).watchlist_id]
    return Reply(status=204)


def _found(call: Call) -> Watchlist:
    """By id, or by name on the paths that end in :by_name."""
    name = call.query.get("name")
    if "watchlist_id" not in call.parts:
        for each in call.account.watchlists.values():
            if each.name == name:
                return each
        raise not_found("watchlist not found")
    watchlist = call.account.watchlists.get(call.parts["watchlist_id"])
    if watchlist is None:
        raise not_found("watchlist not found")
    return watchlist


def _name(call: Call, body: Mapping[str, object], *, but: Watchlist | None = None) -> str | None:
    name = fields.text(body, "name")
    if name is None:
        return None
    if not name or len(name) > _LONGEST_NAME:
        raise bad_field(f"name must have 1 to {_LONGEST_NAME} characters")
    if any(each.name == name for each in call.account.watchlists.values() if each is not but):
        raise refused("watchlist name must be unique")
    return name


def _stocks(call: Call, body: Mapping[str, object]) -> list[Stock] | None:
    value = body.get("symbols")
    if value is None:
        return None
    if not isinstance(value, list):
        raise bad_field("symbols must be a list")
    return [*dict.fromkeys(_stock(call, str(symbol)) for symbol in value)]


def _stock(call: Call, symbol: str) -> Stock:
    stock = call.exchange.catalogue.find(symbol)
    if not isinstance(stock, Stock):
        raise not_found(f"asset not found for {symbol}")
    return stock


def _json(call: Call, watchlist: Watchlist, *, assets: bool = True) -> Json:
    shown: Json = {
        "id": watchlist.watchlist_id,
        "account_id": call.account.terms.account_id,
        "name": watchlist.name,
        "created_at": rfc3339(watchlist.created_at),
        "updated_at": rfc3339(watchlist.updated_at),
    }
    return {**shown, "assets": [asset_json(stock) for stock in watchlist.stocks]} if assets else shown
