"""Which option contracts a caller wants: the query parameters that contract lists and option chains share."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from sandbox.decimal_text import find_decimal
from sandbox.instruments import OptionContract


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractFilter:
    """Bounds are inclusive; None and an empty set let everything pass."""

    underlyings: frozenset[str]
    root_symbol: str | None
    option_type: str | None
    expires_on: date | None
    expires_from: date | None
    expires_through: date | None
    lowest_strike: Decimal | None
    highest_strike: Decimal | None

    @property
    def names_an_expiry(self) -> bool:
        """Whether the caller said anything about the date."""
        return any((self.expires_on, self.expires_from, self.expires_through))

    def matches(self, contract: OptionContract) -> bool:
        """Whether the contract is wanted."""
        return (
            (not self.underlyings or contract.underlying_symbol in self.underlyings)
            and (not self.root_symbol or contract.root_symbol == self.root_symbol)
            and (not self.option_type or contract.option_type.value == self.option_type)
            and self._expires_in_time(contract.expiration_date)
            and (self.lowest_strike is None or contract.strike_price >= self.lowest_strike)
            and (self.highest_strike is None or contract.strike_price <= self.highest_strike)
        )

    def _expires_in_time(self, day: date) -> bool:
        return (
            (self.expires_on is None or day == self.expires_on)
            and (self.expires_from is None or day >= self.expires_from)
            and (self.expires_through is None or day <= self.expires_through)
        )


def read_contract_filter(query: Mapping[str, str], underlyings: frozenset[str]) -> ContractFilter:
    """The filter a query asks for.

    Raises:
        ValueError: naming the parameter that is no date or no number.
    """
    return ContractFilter(
        underlyings=underlyings,
        root_symbol=query.get("root_symbol"),
        option_type=query.get("type"),
        expires_on=_day(query, "expiration_date"),
        expires_from=_day(query, "expiration_date_gte"),
        expires_through=_day(query, "expiration_date_lte"),
        lowest_strike=_strike(query, "strike_price_gte"),
        highest_strike=_strike(query, "strike_price_lte"),
    )


def _day(query: Mapping[str, str], name: str) -> date | None:
    text = query.get(name)
    if not text:
        return None
    try:
        return date.fromisoformat(text[:10])
    except ValueError:
        raise ValueError(f"invalid {name}: {text}") from None


def _strike(query: Mapping[str, str], name: str) -> Decimal | None:
    text = query.get(name)
    number = find_decimal(text) if text else None
    if text and number is None:
        raise ValueError(f"invalid {name}: {text}")
    return number
