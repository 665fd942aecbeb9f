"""The kinds of value that several sections have in common."""

from decimal import Decimal
from ipaddress import ip_network
from typing import Annotated

from pydantic import BeforeValidator, Field

from runtime.address import Address
from runtime.network import LOOPBACK, Network


def _listen(value: object) -> Address:
    if isinstance(value, Address):
        return value
    if not isinstance(value, str):
        raise ValueError(f"must be host:port, such as 127.0.0.1:8090, got {value}")  # noqa: TRY004 - pydantic's way
    return Address.parse(value)


def _network(value: object) -> Network:
    if isinstance(value, Network):
        return value
    try:
        return ip_network(str(value))
    except ValueError:
        raise ValueError(f"must be an address or a network such as 10.0.0.0/8, got {value!r}") from None


def _base_url(value: object) -> object:
    if isinstance(value, str) and not value.startswith(("http://", "https://")):
        raise ValueError("must begin with http:// or https://")
    return value.rstrip("/") if isinstance(value, str) else value


Listen = Annotated[Address, BeforeValidator(_listen)]
Networks = tuple[Annotated[Network, BeforeValidator(_network)], ...]
BaseUrl = Annotated[str, BeforeValidator(_base_url)]
"""An address without the final slash, so that a path can be put behind it."""

UsdFloor = Annotated[Decimal, Field(ge=0, le=10**12)]
"""US dollars, zero allowed."""
UsdCap = Annotated[Decimal, Field(gt=0, le=10**12)]
"""US dollars, a limit that lets something through."""
Count = Annotated[int, Field(gt=0)]
Seconds = Annotated[float, Field(gt=0, le=86_400)]
Minutes = Annotated[float, Field(gt=0, le=525_600)]
"""At most a year."""

__all__ = [
    "LOOPBACK",
    "BaseUrl",
    "Count",
    "Listen",
    "Minutes",
    "Networks",
    "Seconds",
    "UsdCap",
    "UsdFloor",
]
