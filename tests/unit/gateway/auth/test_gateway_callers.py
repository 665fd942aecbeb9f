from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.auth.callers import LEGACY_PRIVATE, Caller, client_address, legacy_networks
from gateway.auth.token import Claims
from runtime.network import is_inside

PROXIES = (ip_network("127.0.0.1"), ip_network("10.0.0.0/8"))
OUTSIDE = "8.8.8.8"

addresses = st.ip_addresses().map(str)


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("8.8.8.8", [], "8.8.8.8"),
        ("8.8.8.8", ["127.0.0.1"], "8.8.8.8"),
        ("127.0.0.1", [], "127.0.0.1"),
        ("127.0.0.1", ["8.8.8.8"], "8.8.8.8"),
        ("127.0.0.1", ["127.0.0.1, 8.8.8.8"], "8.8.8.8"),
        ("127.0.0.1", ["8.8.8.8, 10.1.2.3"], "8.8.8.8"),
        ("127.0.0.1", ["192.168.1.1", "8.8.8.8"], "8.8.8.8"),
        ("127.0.0.1", ["127.0.0.1"], "127.0.0.1"),
        ("127.0.0.1", ["9.9.9.9, 8.8.8.8"], "8.8.8.8"),
        ("127.0.0.1", ["8.8.8.8:4711"], "8.8.8.8"),
        ("127.0.0.1", ["[2a00::1]:4711"], "2a00::1"),
        ("127.0.0.1", ["2a00::1"], "2a00::1"),
        ("127.0.0.1", ["unknown"], None),
        ("127.0.0.1", ["10.0.0.1, unknown"], None),
        ("127.0.0.1", [""], None),
        ("::ffff:127.0.0.1", ["8.8.8.8"], "8.8.8.8"),
        (None, ["127.0.0.1"], None),
        ("", [], None),
    ],
    ids=[
        "no proxy",
        "a stranger cannot forge",
        "loopback itself",
        "behind a proxy",
        "what the client wrote does not count",
        "behind two proxies",
        "several header lines",
        "a proxy on behalf of itself",
        "the nearest untrusted hop",
        "with a port",
        "IPv6 with a port",
        "IPv6",
        "no address at all",
        "no address behind a proxy",
        "an empty header",
        "IPv4 through a dual-stack socket",
        "no peer",
        "an empty peer",
    ],
)
def test_the_client_is_the_last_hop_that_nobody_trusted_wrote(
    peer: str | None, forwarded: list[str], expected: str | None
) -> None:
    found = client_address(peer, forwarded, PROXIES)

    assert found == (None if expected is None else ip_address(expected))


@given(st.lists(addresses | st.text(max_size=20)))
def test_nothing_in_front_of_an_untrusted_hop_changes_the_client(forged: list[str]) -> None:
    header = ", ".join([*forged, OUTSIDE])

    assert client_address("127.0.0.1", [header], PROXIES) == ip_address(OUTSIDE)


@given(peer=addresses, forwarded=st.lists(st.text(max_size=30)))
def test_any_header_is_survived(peer: str, forwarded: list[str]) -> None:
    client_address(peer, forwarded, PROXIES)


@pytest.mark.parametrize(
    ("address", "internal"),
    [
        ("127.0.0.1", True),
        ("::1", True),
        ("10.9.8.7", True),
        ("172.31.0.1", True),
        ("172.32.0.1", False),
        ("192.168.0.1", True),
        ("169.254.1.1", True),
        ("0.1.2.3", True),
        ("192.0.2.1", True),
        ("198.51.100.1", True),
        ("203.0.113.9", True),
        ("198.19.0.1", True),
        ("240.0.0.1", True),
        ("fd00::1", True),
        ("fe80::1", True),
        ("2001:db8::1", True),
        ("100.64.0.1", False),
        ("8.8.8.8", False),
        ("2a00::1", False),
    ],
)
def test_the_former_private_ranges_are_internal_on_the_legacy_surface(address: str, internal: bool) -> None:
    assert is_inside(ip_address(address), LEGACY_PRIVATE) is internal


def test_configured_networks_replace_the_former_ones_and_external_addresses_are_added() -> None:
    networks = legacy_networks((ip_network("127.0.0.1"),), (ip_network("8.8.4.4"),))

    assert is_inside(ip_address("127.0.0.1"), networks)
    assert is_inside(ip_address("8.8.4.4"), networks)
    assert not is_inside(ip_address("10.0.0.1"), networks)


def test_an_empty_list_of_networks_is_not_an_absent_one() -> None:
    assert legacy_networks((), ()) == ()
    assert legacy_networks(None, ()) == LEGACY_PRIVATE


@pytest.mark.parametrize(
    ("caller", "user_id", "metadata"),
    [
        (Caller(internal=True), "internal_user", "internal"),
        (Caller(internal=False), "external_user", "internal"),
        (Caller(internal=False, claims=Claims(user_id="u-1", subject="s")), "u-1", "user:u-1"),
        (Caller(internal=False, claims=Claims(subject="s")), "s", "user:s"),
        (Caller(internal=False, claims=Claims()), "external_user", "user:external_user"),
        (Caller(internal=True, claims=Claims(user_id="ü\n 1")), "ü\n 1", "user:%C3%BC%0A%201"),
    ],
    ids=["internal", "public path from outside", "user id", "subject", "nameless", "odd characters"],
)
def test_a_caller_is_named_after_its_token(caller: Caller, user_id: str, metadata: str) -> None:
    assert caller.user_id == user_id
    assert caller.as_metadata == metadata
