"""Implied volatility and greeks of an option by Black and Scholes, without dividends: numbers to look at, not to pay."""

import math
from dataclasses import dataclass

_RATE = 0.04
_LEAST_YEARS = 1 / (365 * 24 * 60)
_LOWEST, _HIGHEST = 0.001, 8.0
_STEPS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Greeks:
    """Sensitivities as Alpaca gives them: theta by day, vega and rho by one percent."""

    implied_volatility: float
    delta: float
    gamma: float
    theta: float
    vega: float
    rho: float


@dataclass(frozen=True, slots=True, kw_only=True)
class OptionTerms:
    """What an option is worth depends on this and the volatility."""

    is_call: bool
    spot: float
    strike: float
    years: float

    @property
    def time(self) -> float:
        """The time left in years, never quite nothing."""
        return max(self.years, _LEAST_YEARS)


def find_greeks(terms: OptionTerms, price: float) -> Greeks | None:
    """The greeks at the volatility that explains a price, None when no volatility does."""
    if price <= 0 or terms.spot <= 0 or terms.years < 0:
        return None
    if not worth(terms, _LOWEST) < price < worth(terms, _HIGHEST):
        return None
    low, high = _LOWEST, _HIGHEST
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if worth(terms, middle) < price else (low, middle)
    return _at(terms, (low + high) / 2)


def worth(terms: OptionTerms, volatility: float) -> float:
    """What the option is worth at a volatility."""
    d1, d2 = _distances(terms, volatility)
    discounted = terms.strike * math.exp(-_RATE * terms.time)
    if terms.is_call:
        return terms.spot * _below(d1) - discounted * _below(d2)
    return discounted * _below(-d2) - terms.spot * _below(-d1)


def _at(terms: OptionTerms, volatility: float) -> Greeks:
    d1, d2 = _distances(terms, volatility)
    root = math.sqrt(terms.time)
    density = math.exp(-d1 * d1 / 2) / math.sqrt(math.tau)
    discounted = terms.strike * math.exp(-_RATE * terms.time)
    sign = 1 if terms.is_call else -1
    decay = -terms.spot * density * volatility / (2 * root) - sign * _RATE * discounted * _below(sign * d2)
    return Greeks(
        implied_volatility=round(volatility, 4),
        delta=round(sign * _below(sign * d1), 4),
        gamma=round(density / (terms.spot * volatility * root), 4),
        theta=round(decay / 365, 4),
        vega=round(terms.spot * density * root / 100, 4),
        rho=round(sign * terms.time * discounted * _below(sign * d2) / 100, 4),
    )


def _distances(terms: OptionTerms, volatility: float) -> tuple[float, float]:
    spread = volatility * math.sqrt(terms.time)
    drift = (_RATE + volatility * volatility / 2) * terms.time
    d1 = (math.log(terms.spot / terms.strike) + drift) / spread
    return d1, d1 - spread


def _below(value: float) -> float:
    return (1 + math.erf(value / math.sqrt(2))) / 2
