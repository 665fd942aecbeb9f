from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.address import Address
from runtime.network import LOOPBACK, is_internal_peer, parse_address, peer_address

PRIVATE = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))


@pytest.mark.parametrize(
    ("peer", "internal"),
    [
        pytest.param("ipv4:127.0.0.1:5", True, id="loopback"),
        pytest.param("ipv6:[::1]:5", True, id="loopback 6"),
        pytest.param("ipv6:%5B::1%5D:5", True, id="loopback 6, percent-encoded as grpc writes it"),
        pytest.param("ipv6:[::ffff:127.0.0.1]:5", True, id="mapped loopback"),
        pytest.param("unix:", True, id="unix socket"),
        pytest.param("unix:/run/x.sock", True, id="unix socket with path"),
        pytest.param("ipv4:10.0.0.1:5", False, id="private"),
        pytest.param("ipv4:128.0.0.1:5", False, id="public"),
        pytest.param("ipv6:[fe80::1%25eth0]:5", False, id="link-local with scope"),
        pytest.param("", False, id="nothing"),
        pytest.param("unknown", False, id="no address"),
        pytest.param("ipv4:unix::5", False, id="disguised"),
        pytest.param("dns:127.0.0.1:5", False, id="other kind"),
    ],
)
def test_only_loopback_is_internal_by_default(peer: str, internal: bool) -> None:
    assert is_internal_peer(peer, LOOPBACK) is internal


@pytest.mark.parametrize(
    ("peer", "internal"),
    [
        ("ipv4:10.1.2.3:4", True),
        ("ipv6:[fd00::1]:4", True),
        ("ipv6:[::ffff:10.0.0.1]:4", True),
        ("ipv4:127.0.0.1:4", False),
    ],
)
def test_listed_networks_replace_the_default(peer: str, internal: bool) -> None:
    assert is_internal_peer(peer, PRIVATE) is internal


@given(st.text())
def test_a_peer_that_makes_no_sense_has_no_address(peer: str) -> None:
    peer_address(peer)
    parse_address(peer)


@given(address=st.ip_addresses(), port=st.integers(0, 65535))
def test_an_address_parses_back(address: object, port: int) -> None:
    written = Address(host=str(address), port=port)

    assert Address.parse(str(written)) == written


@pytest.mark.parametrize(
    "text",
    [
        "",
        "50051",
        ":50051",
        "127.0.0.1",
        "127.0.0.1:",
        "127.0.0.1:65536",
        "127.0.0.1:-1",
        "::1:5",
        "h:x",
        "h:5٣",
    ],
)
def test_what_is_not_host_and_port_says_so(text: str) -> None:
    with pytest.raises(ValueError, match=r"^must (be host:port|end in a port)"):
        Address.parse(text)


@pytest.mark.parametrize(
    ("text", "loopback"),
    [
        ("localhost:1", True),
        ("127.9.9.9:1", True),
        ("[::1]:1", True),
        ("0.0.0.0:1", False),
        ("host:1", False),
    ],
)
def test_an_address_knows_whether_only_this_machine_reaches_it(text: str, loopback: bool) -> None:
    assert Address.parse(text).is_loopback is loopback
