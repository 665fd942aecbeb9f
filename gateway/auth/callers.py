"""Where a request comes from, and what is known of who sent it; pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Final
from urllib.parse import quote

from gateway.auth.token import Claims
from runtime.network import LOOPBACK, Address, Network, is_inside, parse_address

LEGACY_PRIVATE: Final[tuple[Network, ...]] = (
    *LOOPBACK,
    *(
        ip_network(text)
        for text in (
            "10.0.0.0/8",
            "172.16.0.0/12",
            "192.168.0.0/16",
            "169.254.0.0/16",
            "0.0.0.0/8",
            "192.0.2.0/24",
            "198.51.100.0/24",
            "203.0.113.0/24",
            "198.18.0.0/15",
            "240.0.0.0/4",
            "fc00::/7",
            "fe80::/10",
            "2001:db8::/32",
        )
    ),
)
"""What the former service took for internal; carrier-grade NAT (100.64/10) was not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """One caller, as far as address and token tell."""

    internal: bool
    """Its network needs no token."""
    claims: Claims | None = None
    """What its valid token says; `None` without one."""

    @property
    def user_id(self) -> str:
        """Who to count and log it as."""
        if self.claims is None:
            return "internal_user" if self.internal else "external_user"
        return self.claims.user_id or self.claims.subject or "external_user"

    @property
    def as_metadata(self) -> str:
        """Printable ASCII for the services' logs: `internal`, or `user:` with the percent-encoded id."""
        return "internal" if self.claims is None else f"user:{quote(self.user_id, safe='@._-')}"


def client_address(
    peer: str | None, forwarded_for: Iterable[str], trusted_proxies: Sequence[Network]
) -> Address | None:
    """The address that vouches for a request; `None` where nothing trustworthy names one.

    That is the socket's peer, unless it is a trusted proxy: then the entries of X-Forwarded-For
    count from right to left, each only as long as everything behind it is trusted. An entry
    that is no address ends the search with `None`: whoever wrote it is nobody we know.
    """
    address = parse_address(peer) if peer else None
    for entry in reversed([part for line in forwarded_for for part in line.split(",")]):
        if address is None or not is_inside(address, trusted_proxies):
            return address
        address = _forwarded(entry.strip())
    return address


def legacy_networks(configured: Sequence[Network] | None, external: Sequence[Network]) -> tuple[Network, ...]:
    """Networks that need no token on the legacy surface: the configured, or without any the former private ranges.

    `external` (allowed_external_ips) counts as internal too.
    """
    return (*(LEGACY_PRIVATE if configured is None else configured), *external)


def _forwarded(entry: str) -> Address | None:
    """The address in one entry, which some proxies write with a port."""
    if entry.startswith("["):
        return parse_address(entry[1:].partition("]")[0])
    if entry.count(":") == 1:
        entry = entry.partition(":")[0]
    return parse_address(entry)
