"""Pages of a sorted list, named by opaque tokens."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from typing import TypeVar

_Item = TypeVar("_Item")


def page_of(items: Sequence[_Item], token: str | None, limit: int) -> tuple[Sequence[_Item], str | None]:
    """One page, and the token of the next one, None at the end.

    Raises:
        ValueError: the token is none of ours.
    """
    start = _start(token) if token else 0
    end = start + limit
    following = urlsafe_b64encode(str(end).encode()).decode() if end < len(items) else None
    return items[start:end], following


def _start(token: str) -> int:
    try:
        digits = urlsafe_b64decode(token.encode("ascii")).decode("ascii")
    except ValueError:
        digits = ""
    if not digits.isdigit() or len(digits) > 9:
        raise ValueError("invalid page_token")
    return int(digits)
