"""A call of the Alpaca API as a handler sees it, and the reply it gives back. No HTTP library in sight."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import NoReturn

from sandbox.accounts import Account
from sandbox.errors import AlpacaError, bad_field, bad_json
from sandbox.exchange import Exchange
from sandbox.instant import Instant, parse


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A status and a JSON value; `body` None is an empty answer."""

    status: int = 200
    body: object = None

    def encoded(self) -> bytes:
        """The body as it goes over the wire."""
        if self.body is None:
            return b""
        return _ENCODER.encode(self.body).encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """An authenticated request at a point in sandbox time."""

    exchange: Exchange
    account: Account
    now: Instant
    parts: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes

    def json_object(self) -> dict[str, object]:
        """The body as a JSON object, its fractions exact.

        Raises:
            AlpacaError: it is no JSON object; NaN and Infinity are not JSON.
        """
        try:
            value = _DECODER.decode(self.body.decode())
        except (ValueError, RecursionError):
            raise bad_json() from None
        if not isinstance(value, dict):
            raise bad_json()
        return value

    def word(self, name: str, words: tuple[str, ...], default: str) -> str:
        """A query parameter out of a closed set."""
        value = self.query.get(name, default)
        if value not in words:
            raise bad_field(f"invalid {name}: {value}")
        return value

    def whole(self, name: str, default: int, *, most: int) -> int:
        """A query parameter that is a count from 1 to `most`."""
        text = self.query.get(name)
        if text is None:
            return default
        if not (text.isascii() and text.isdigit()) or not 1 <= int(text[:9]) <= most or len(text) > 9:
            raise bad_field(f"invalid {name}: must be a number from 1 to {most}")
        return int(text)

    def moment(self, name: str) -> Instant | None:
        """A query parameter that is a time."""
        text = self.query.get(name)
        if not text:
            return None
        try:
            return parse(text)
        except (ValueError, OverflowError):
            raise bad_field(f"invalid {name}: {text}") from None

    def listed(self, name: str) -> tuple[str, ...]:
        """A comma joined query parameter, empty when absent."""
        return tuple(part.strip() for part in self.query.get(name, "").split(",") if part.strip())


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


# Made once: json.loads and json.dumps make new ones at every call with options.
_ENCODER = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False)
_DECODER = json.JSONDecoder(parse_float=Decimal, parse_constant=_refuse_constant)

Handler = Callable[[Call], Reply]


def refusal(error: AlpacaError) -> Reply:
    """The reply that says no."""
    return Reply(status=error.status, body=error.body())
