"""The refusals Alpaca answers with: HTTP status, code and text, one function for each kind."""

from collections.abc import Mapping
from decimal import Decimal

from sandbox.decimal_text import plain


class AlpacaError(Exception):
    """A refusal in Alpaca's shape. `code` is None where Alpaca's body has none (401, data errors)."""

    def __init__(
        self, status: int, code: int | None, message: str, extra: Mapping[str, object] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.extra = extra or {}

    def body(self) -> dict[str, object]:
        """The JSON object of the answer."""
        head: dict[str, object] = {} if self.code is None else {"code": self.code}
        return {**head, "message": self.message, **self.extra}


def unauthorized() -> AlpacaError:
    """The key is unknown or the secret is wrong."""
    return AlpacaError(401, None, "unauthorized.")


def no_credentials() -> AlpacaError:
    """The request carries no key at all."""
    return AlpacaError(403, None, "forbidden.")


def bad_json() -> AlpacaError:
    """The body is not the JSON object it should be."""
    return AlpacaError(400, 40010000, "request body format is invalid")


def bad_field(message: str) -> AlpacaError:
    """A field is missing, malformed or contradicts another."""
    return AlpacaError(422, 40010001, message)


def refused(message: str) -> AlpacaError:
    """The request is well formed, but the exchange does not take it."""
    return AlpacaError(422, 42210000, message)


def forbidden(message: str, **extra: object) -> AlpacaError:
    """The account may not, or cannot afford to."""
    return AlpacaError(403, 40310000, message, extra)


def not_found(message: str) -> AlpacaError:
    """The thing named does not exist for this account."""
    return AlpacaError(404, 40410000, message)


def too_many_requests() -> AlpacaError:
    """The account's requests of this minute are used up."""
    return AlpacaError(429, 42910000, "rate limit exceeded")


def too_large() -> AlpacaError:
    """The body is larger than anything this API takes."""
    return AlpacaError(413, 41310000, "request body is too large")


def internal_error() -> AlpacaError:
    """The exchange itself failed."""
    return AlpacaError(500, 50010000, "internal server error occurred")


def bad_data_request(message: str) -> AlpacaError:
    """A market-data request is malformed; these bodies have no code."""
    return AlpacaError(400, None, message)


def insufficient_buying_power(*, buying_power: Decimal, cost_basis: Decimal) -> AlpacaError:
    """The order costs more than the account can spend."""
    return forbidden(
        "insufficient buying power", buying_power=plain(buying_power), cost_basis=plain(cost_basis)
    )


def insufficient_qty(*, symbol: str, requested: Decimal, existing: Decimal, held: Decimal) -> AlpacaError:
    """The position, less what open orders hold, is smaller than the order."""
    available = plain(max(existing - held, Decimal(0)))
    return forbidden(
        f"insufficient qty available for order (requested: {plain(requested)}, available: {available})",
        symbol=symbol,
        available=available,
        existing_qty=plain(existing),
        held_for_orders=plain(held),
    )
