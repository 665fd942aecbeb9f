"""What moved an account's cash and positions, as the activities endpoints list it."""

from collections.abc import Iterable, Iterator

from sandbox.accounts import Activity
from sandbox.calls import Call, Reply
from sandbox.decimal_text import plain
from sandbox.errors import bad_field
from sandbox.instant import NEW_YORK, new_york_date, rfc3339, to_datetime

Json = dict[str, object]

_MOST = 100
_TRADES = "FILL"


def list_activities(call: Call) -> Reply:
    """GET /v2/account/activities?activity_types=&category=&after=&until=&date=&direction=&page_size=&page_token=."""
    return Reply(body=_page(call, frozenset(call.listed("activity_types"))))


def list_activities_of_type(call: Call) -> Reply:
    """GET /v2/account/activities/{activity_type}: those of one type."""
    return Reply(body=_page(call, frozenset({call.parts["activity_type"]})))


def _page(call: Call, kinds: frozenset[str]) -> list[Json]:
    category = call.word("category", ("trade_activity", "non_trade_activity", ""), "")
    if category and kinds:
        raise bad_field("only one of category and activity_types is accepted")
    size = call.whole("page_size", _MOST, most=_MOST)
    ascending = call.word("direction", ("asc", "desc"), "desc") == "asc"
    token = call.query.get("page_token")
    listed = call.account.activities if ascending else reversed(call.account.activities)
    found: list[Json] = []
    awaited = bool(token)
    for activity in _in_period(call, listed):
        shown = activity_json(activity)
        if awaited:
            awaited = shown["id"] != token
        elif _wanted(activity, kinds, category):
            found.append(shown)
            if len(found) == size:
                break
    return found


def _in_period(call: Call, listed: Iterable[Activity]) -> Iterator[Activity]:
    after, until, day = call.moment("after"), call.moment("until"), call.moment("date")
    if day is not None and (after is not None or until is not None):
        raise bad_field("date is not accepted with after or until")
    for activity in listed:
        if after is not None and activity.at <= after:
            continue
        if until is not None and activity.at >= until:
            continue
        if day is not None and new_york_date(activity.at) != to_datetime(day).date():
            continue
        yield activity


def _wanted(activity: Activity, kinds: frozenset[str], category: str) -> bool:
    if category:
        return (activity.kind == _TRADES) is (category == "trade_activity")
    return not kinds or activity.kind in kinds


def activity_json(activity: Activity) -> Json:
    """An activity. Its id begins with its time, so that ids sort as the activities do."""
    wall = to_datetime(activity.at).astimezone(NEW_YORK)
    shown: Json = {
        "id": f"{wall:%Y%m%d%H%M%S}{activity.at % 10**9 // 10**6:03d}::{activity.activity_id}",
        "activity_type": activity.kind,
    }
    if activity.kind == _TRADES:
        partial = activity.leaves_qty > 0
        return {
            **shown,
            "cum_qty": plain(activity.cum_qty),
            "leaves_qty": plain(activity.leaves_qty),
            "order_id": activity.order_id,
            "order_status": "partially_filled" if partial else "filled",
            "price": plain(activity.price) if activity.price is not None else None,
            "qty": plain(abs(activity.qty)),
            "side": "buy" if activity.qty > 0 else "sell",
            "symbol": activity.symbol,
            "transaction_time": rfc3339(activity.at),
            "type": "partial_fill" if partial else "fill",
        }
    return {
        **shown,
        "created_at": rfc3339(activity.at),
        "currency": "USD",
        "date": new_york_date(activity.at).isoformat(),
        "net_amount": plain(activity.net_amount),
        "description": "",
        "qty": plain(activity.qty),
        "status": "executed",
        "symbol": activity.symbol,
        **({} if activity.price is None else {"price": plain(activity.price)}),
    }
