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
    start = read_offset(token)
    end = start + limit
    return items[start:end], write_offset(end) if end < len(items) else None


def write_offset(offset: int) -> str:
    """The token of the page that begins at an offset."""
    return urlsafe_b64encode(str(offset).encode()).decode()


def read_offset(token: str | None) -> int:
    """The offset that a token names, 0 without one.

    Raises:
        ValueError: the token is none of ours.
    """
    if not token:
        return 0
    try:
        digits = urlsafe_b64decode(token.encode("ascii")).decode("ascii")
    except ValueError:
        digits = ""
    if not digits.isdigit() or len(digits) > 9:
        raise ValueError("invalid page_token")
    return int(digits)
