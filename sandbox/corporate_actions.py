"""Corporate action announcements: there are never any, since nothing splits, merges or pays a dividend here."""

from datetime import date, timedelta
from uuid import UUID

from sandbox.calls import Call, Reply
from sandbox.errors import bad_field, not_found

_TYPES = frozenset({"dividend", "merger", "spinoff", "split"})
_LONGEST = timedelta(days=90)


def list_announcements(call: Call) -> Reply:
    """GET /v2/corporate_actions/announcements?ca_types=&since=&until=: always an empty list."""
    kinds = call.listed("ca_types")
    if not kinds or any(kind.lower() not in _TYPES for kind in kinds):
        raise bad_field("ca_types must be a list of dividend, merger, spinoff and split")
    since, until = _day(call, "since"), _day(call, "until")
    if not timedelta(0) <= until - since <= _LONGEST:
        raise bad_field("since and until must be at most 90 days apart")
    return Reply(body=[])


def get_announcement(call: Call) -> Reply:
    """GET /v2/corporate_actions/announcements/{id}: always 404 for an id that could be one."""
    announcement_id = call.parts["id"]
    try:
        UUID(announcement_id)
    except ValueError:
        raise bad_field(f"id {announcement_id!r} is not a UUID") from None
    raise not_found(f"announcement not found for {announcement_id}")


def _day(call: Call, name: str) -> date:
    text = call.query.get(name)
    if not text:
        raise bad_field(f"{name} is required")
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise bad_field(f"invalid {name}: {text}") from None
