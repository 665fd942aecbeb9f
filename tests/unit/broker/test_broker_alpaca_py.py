import pytest
from alpaca.trading.client import TradingClient
from pydantic import SecretStr

from broker.alpaca_py import AlpacaClients, make_clients
from broker.bridge import run


def clients(*, paper_trading: bool = True, url: str | None = None) -> AlpacaClients:
    return make_clients(
        api_key=SecretStr("PKMADEUP"),
        secret_key=SecretStr("made-up"),
        paper_trading=paper_trading,
        trading_url=url,
        data_url=url,
    )


def test_nothing_of_alpaca_pys_own_transport_and_retries_is_left() -> None:
    made = clients()

    for client in (made.trading, made.stocks, made.options):
        assert not hasattr(client, "_session")
        assert client._retry == 0
        assert client._use_raw_data


async def test_a_method_called_past_our_transport_fails_and_does_not_block() -> None:
    with pytest.raises(LookupError):
        await run(clients().trading.get_account)


@pytest.mark.parametrize(
    ("paper_trading", "url", "expected"),
    [
        pytest.param(True, None, "https://paper-api.alpaca.markets", id="paper"),
        pytest.param(False, None, "https://api.alpaca.markets", id="live"),
        pytest.param(True, "http://127.0.0.1:8099/", "http://127.0.0.1:8099", id="given-with-a-slash"),
    ],
)
def test_the_endpoint_is_alpacas_own_unless_given(
    paper_trading: bool, url: str | None, expected: str
) -> None:
    trading: TradingClient = clients(paper_trading=paper_trading, url=url).trading

    assert trading._base_url == expected
