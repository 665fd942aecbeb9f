"""What can be traded: stocks and option contracts, found by symbol or by asset id."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import Enum
from typing import ClassVar
from uuid import NAMESPACE_URL, uuid5

from sandbox.option_symbol import OptionType, find_option_symbol

_ONE = Decimal(1)


class AssetClass(Enum):
    """Alpaca's asset classes that are traded here."""

    US_EQUITY = "us_equity"
    US_OPTION = "us_option"
    STRATEGY = ""  # what Alpaca writes for a multi-leg order, whose legs have classes of their own


def asset_id_of(symbol: str) -> str:
    """The UUID of a symbol, the same in every run."""
    return str(uuid5(NAMESPACE_URL, f"sandbox:asset:{symbol}"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Stock:
    """A listed share or fund."""

    asset_class: ClassVar[AssetClass] = AssetClass.US_EQUITY
    multiplier: ClassVar[Decimal] = _ONE
    symbol: str
    asset_id: str
    name: str
    exchange: str = "NASDAQ"
    tradable: bool = True
    shortable: bool = True
    fractionable: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class OptionContract:
    """A listed option; `multiplier` is what prices are multiplied with, `size` the shares delivered."""

    asset_class: ClassVar[AssetClass] = AssetClass.US_OPTION
    symbol: str
    asset_id: str
    root_symbol: str
    underlying_symbol: str
    expiration_date: date
    option_type: OptionType
    strike_price: Decimal
    multiplier: Decimal = Decimal(100)
    size: Decimal = Decimal(100)
    tradable: bool = True

    @property
    def name(self) -> str:
        """The contract in words, as Alpaca names it."""
        day = f"{self.expiration_date:%b %d %Y}"
        return f"{self.underlying_symbol} {day} {self.strike_price.normalize():f} {self.option_type.value.title()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Strategy:
    """What a multi-leg order trades: nothing that is listed, so it has no name and no id."""

    asset_class: ClassVar[AssetClass] = AssetClass.STRATEGY
    symbol: str = ""
    asset_id: str = ""
    multiplier: Decimal = Decimal(100)


Instrument = Stock | OptionContract
Traded = Instrument | Strategy


@dataclass(slots=True)
class Catalogue:
    """Every instrument of the exchange."""

    _by_symbol: dict[str, Instrument] = field(default_factory=dict)
    _by_id: dict[str, Instrument] = field(default_factory=dict)

    def add(self, instrument: Instrument) -> None:
        """List an instrument, or replace the one of the same symbol."""
        self._by_symbol[instrument.symbol] = instrument
        self._by_id[instrument.asset_id] = instrument

    def find(self, symbol: str) -> Instrument | None:
        """The instrument of a symbol."""
        return self._by_symbol.get(symbol)

    def find_either(self, symbol_or_id: str) -> Instrument | None:
        """The instrument of a symbol or an asset id, as most paths accept both."""
        return self._by_symbol.get(symbol_or_id) or self._by_id.get(symbol_or_id)

    def stocks(self) -> Iterator[Stock]:
        """Every stock in the order of listing."""
        return (each for each in self._by_symbol.values() if isinstance(each, Stock))

    def contracts(self) -> Iterator[OptionContract]:
        """Every option contract in the order of listing."""
        return (each for each in self._by_symbol.values() if isinstance(each, OptionContract))


def plain_instrument(symbol: str) -> Instrument:
    """An ordinary instrument for a symbol: a stock, or a contract on 100 shares of its root."""
    parsed = find_option_symbol(symbol)
    if parsed is None:
        return Stock(symbol=symbol, asset_id=asset_id_of(symbol), name=f"{symbol} Common Stock")
    return OptionContract(
        symbol=symbol,
        asset_id=asset_id_of(symbol),
        root_symbol=parsed.root,
        underlying_symbol=parsed.root.rstrip("0123456789"),
        expiration_date=parsed.expiration_date,
        option_type=parsed.option_type,
        strike_price=parsed.strike_price,
    )
