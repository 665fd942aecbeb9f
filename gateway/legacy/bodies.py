"""The legacy request bodies: what is accepted, what stands for an absent field."""

from enum import StrEnum
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

MAX_CONTRACTS: Final = 2**63 - 1
DEFAULT_LIMIT: Final = 100
DEFAULT_DAYS: Final = 30


def _false_for_null(value: object) -> object:
    return False if value is None else value


def _writable(value: str) -> str:
    # JSON can spell half of a surrogate pair, which no message of ours can hold.
    if not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value):
        raise PydanticCustomError(
            "string_unicode", "Input should be a valid string, unable to parse raw data as a unicode string"
        )
    return value


PositiveNumber = Annotated[float, Field(gt=0, allow_inf_nan=False)]
"""As pydantic checks and reports it; the digits that count are read from the body itself."""
Flag = Annotated[bool, BeforeValidator(_false_for_null)]
Text = Annotated[str, AfterValidator(_writable)]
UpperText = Annotated[Text, AfterValidator(str.upper)]


class Side(StrEnum):
    """Which way an order trades."""

    BUY = "buy"
    SELL = "sell"


class OrderKind(StrEnum):
    """How an order is priced."""

    MARKET = "market"
    LIMIT = "limit"
    STOP = "stop"
    STOP_LIMIT = "stop_limit"


class InForce(StrEnum):
    """How long an order stays in force."""

    DAY = "day"
    GTC = "gtc"
    IOC = "ioc"
    FOK = "fok"


class LegacyBody(BaseModel):
    """A JSON object whose unknown fields are ignored; faults are reported in the order of the fields."""

    model_config = ConfigDict(frozen=True)


class StockOrderBody(LegacyBody):
    """POST /api/v1/stocks/order."""

    symbol: UpperText
    qty: PositiveNumber
    side: Side
    type: OrderKind = OrderKind.MARKET
    time_in_force: InForce = InForce.DAY
    limit_price: PositiveNumber | None = None
    stop_price: PositiveNumber | None = None
    bulk_place: Flag = False
    strategy_name: Text | None = None
    client_order_id: Text | None = None
    """Newer than the old service: the order's key, as the Idempotency-Key header."""


class OptionOrderBody(LegacyBody):
    """POST /api/v1/options/order."""

    option_symbol: UpperText
    qty: Annotated[int, Field(gt=0, le=MAX_CONTRACTS)]
    side: Side
    type: OrderKind = OrderKind.MARKET
    time_in_force: InForce = InForce.DAY
    limit_price: PositiveNumber | None = None
    bulk_place: Flag = False
    strategy_name: Text | None = None
    auto_sell_enabled: Flag = False
    client_order_id: Text | None = None


class SellControlBody(LegacyBody):
    """POST /api/v1/sell/control."""

    action: Text


class StockQuotesBody(LegacyBody):
    """POST /api/v1/stocks/quotes."""

    symbols: list[Text]


class Right(StrEnum):
    """What an option lets its holder do."""

    CALL = "call"
    PUT = "put"


class OptionChainBody(LegacyBody):
    """POST /api/v1/options/chain."""

    underlying_symbol: Text
    expiration_date: Text | None = None
    option_type: Right | None = None


class OptionQuoteBody(LegacyBody):
    """POST /api/v1/options/quote."""

    option_symbol: Text


class OptionQuotesBody(LegacyBody):
    """POST /api/v1/options/quotes/batch."""

    option_symbols: list[Text]


class LimitQuery(LegacyBody):
    """The typed parameter of the routes that list."""

    limit: int = DEFAULT_LIMIT


class DashboardQuery(LegacyBody):
    """The typed parameters of GET /api/v1/dashboard/{account_name}."""

    all_holdings: bool = True
    days: int = DEFAULT_DAYS
    include_recent_orders: bool = False
