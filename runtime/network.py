"""Where a caller sits: reads gRPC's peer text and tests it against configured ranges."""

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final
from urllib.parse import unquote

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

LOOPBACK: Final[tuple[Network, ...]] = (ip_network("127.0.0.0/8"), ip_network("::1/128"))


def peer_address(peer: str) -> Address | None:
    """The address in a gRPC peer such as `ipv4:127.0.0.1:5`, `ipv6:[::1]:5`; `None` where it holds none.

    An IPv4 address that arrives through a dual-stack socket (`::ffff:10.0.0.1`) is given as IPv4.
    """
    kind, _, rest = unquote(peer).partition(":")
    if kind not in {"ipv4", "ipv6"}:
        return None
    host, _, _port = rest.rpartition(":")
    return parse_address(host.strip("[]"))


def parse_address(text: str) -> Address | None:
    """The address written in `text`, without scope and IPv4 mapping; `None` where it is none."""
    try:
        found = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        return found.ipv4_mapped
    return found


def is_inside(address: Address, networks: Iterable[Network]) -> bool:
    """Whether one of the networks holds the address."""
    return any(address in network for network in networks)


def is_internal_peer(peer: str, networks: Sequence[Network]) -> bool:
    """Whether a gRPC peer may call without credentials.

    A unix socket counts as internal: only who may open the file gets in.
    """
    if peer.startswith(("unix:", "unix-abstract:")):
        return True
    address = peer_address(peer)
    return address is not None and is_inside(address, networks)
