"""alpaca-py with its transport replaced: it builds the requests, we send them on the event loop.

Its own transport blocks, has no timeout, and repeats a POST on 429 and 504, which can place an order
twice; none of that is reachable from here.
"""

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import ParamSpec, Protocol, Self

from alpaca.common.rest import RESTClient
from alpaca.data.historical.option import OptionHistoricalDataClient
from alpaca.data.historical.stock import StockHistoricalDataClient
from alpaca.trading.client import TradingClient
from pydantic import SecretStr

from broker import bridge
from broker.faults import call_metadata
from broker.raw_answer import RawAnswer
from broker.raw_json import UnreadableAnswer
from broker.transport import HttpRequest

__all__ = ["AlpacaClients", "AnswerError", "Sender", "call", "exchange", "make_clients"]

P = ParamSpec("P")


class Sender(Protocol):
    """Sends one request of a call, within what is left of the call's time."""

    async def __call__(self, request: HttpRequest) -> RawAnswer:
        """The whole answer; raises CallError."""
        ...


class AnswerError(Exception):
    """An unsuccessful answer on its way out of alpaca-py."""

    def __init__(self, answer: RawAnswer) -> None:
        super().__init__(f"HTTP {answer.status}")
        self.answer = answer


@dataclass(frozen=True, slots=True, kw_only=True)
class AlpacaClients:
    """alpaca-py's clients of one account; their methods work only inside `call` and `exchange`."""

    trading: TradingClient
    stocks: StockHistoricalDataClient
    options: OptionHistoricalDataClient


def make_clients(
    *,
    api_key: SecretStr,
    secret_key: SecretStr,
    paper_trading: bool,
    trading_url: str | None,
    data_url: str | None,
) -> AlpacaClients:
    """The clients of one account; a URL of `None` is Alpaca's own, which `paper_trading` chooses."""
    key, secret = api_key.get_secret_value(), secret_key.get_secret_value()
    trading = _Trading(key, secret, paper=paper_trading, raw_data=True, url_override=_base(trading_url))
    stocks = _StockData(key, secret, raw_data=True, url_override=_base(data_url))
    options = _OptionData(key, secret, raw_data=True, url_override=_base(data_url))
    for client in (trading, stocks, options):
        client.drop_own_transport()
    return AlpacaClients(trading=trading, stocks=stocks, options=options)


async def call(
    send: Sender, method: Callable[P, object], /, *args: P.args, **kwargs: P.kwargs
) -> tuple[object, RawAnswer]:
    """The JSON that a method of alpaca-py returns, and the last answer behind it.

    The method's requests go out through `send`. Raises AnswerError for an answer that is not 2xx,
    CallError for none, UnreadableAnswer for a 2xx in which alpaca-py cannot find its way.
    """
    with _Running(send) as running:
        try:
            result = await bridge.run(method, *args, **kwargs)
        except UnreadableAnswer as e:
            raise UnreadableAnswer(e.message, metadata=call_metadata(running.answers[-1].record)) from e
        except (ValueError, TypeError, AttributeError, LookupError) as e:
            if not running.answers:
                raise
            problem = f"the broker's answer has an unexpected form: {e}"
            raise UnreadableAnswer(problem, metadata=call_metadata(running.answers[-1].record)) from e
    return result, running.answers[-1]


async def exchange(
    send: Sender, method: Callable[P, object], /, *args: P.args, **kwargs: P.kwargs
) -> RawAnswer:
    """The raw answer to the one request that a method of alpaca-py sends, whatever is in it.

    For writes, where the answer alone decides. Raises CallError when there is none.
    """
    with _Running(send) as running:
        try:
            await bridge.run(method, *args, **kwargs)
        except AnswerError as e:
            return e.answer
        except UnreadableAnswer:
            pass
    return running.answers[-1]


class _Running:
    """The call that alpaca-py works on; found through the context, as its methods take no such thing."""

    def __init__(self, send: Sender) -> None:
        self.send = send
        self.answers: list[RawAnswer] = []

    def __enter__(self) -> Self:
        self._token = _running.set(self)
        return self

    def __exit__(self, *_: object) -> None:
        _running.reset(self._token)


_running: ContextVar[_Running] = ContextVar("broker_call")


class _OnLoop(RESTClient):
    """Overrides all that reaches the network in alpaca-py's client."""

    def drop_own_transport(self) -> None:
        self._session.close()
        # Whatever would still use the blocking session fails loudly instead.
        del self._session
        # Set here, as the constructors take 0 for "not given".
        self._retry = 0

    def _one_request(self, method: str, url: str, opts: dict[str, object], retry: int) -> object:  # type: ignore[override]  # noqa: ARG002 - alpaca-py says dict, but returns any JSON, also to itself
        request = HttpRequest(
            method=method.upper(),
            url=url,
            headers=_mapping(opts["headers"]),
            query=_mapping(opts.get("params") or {}),
            json=opts.get("json"),
        )
        running = _running.get()
        answer = bridge.await_only(running.send(request))
        running.answers.append(answer)
        if not answer.is_success:
            raise AnswerError(_without_keys(answer, request))
        return answer.json()


class _Trading(_OnLoop, TradingClient):
    pass


class _StockData(_OnLoop, StockHistoricalDataClient):
    pass


class _OptionData(_OnLoop, OptionHistoricalDataClient):
    pass


def _mapping(value: object) -> Mapping[str, str]:
    if not isinstance(value, Mapping):
        raise TypeError(f"alpaca-py gave {type(value).__name__} where a mapping was expected")
    return value


def _without_keys(answer: RawAnswer, request: HttpRequest) -> RawAnswer:
    """The answer, should an error page have echoed the request's keys: its text goes to logs and callers."""
    body = answer.body
    for name, value in request.headers.items():
        if name.upper().startswith("APCA-"):
            body = body.replace(value.encode(), b"[hidden]")
    return replace(answer, body=body)


def _base(url: str | None) -> str | None:
    # alpaca-py joins with "/", and a double one is another path.
    return None if url is None else url.rstrip("/")
