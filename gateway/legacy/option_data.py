"""Option quotes and chains."""

from collections.abc import Mapping, Sequence
from typing import Final

from broker.option_symbol import OptionSymbol, UnknownOptionSymbol, parse
from gateway.legacy.clients import CHAIN_SECONDS, READ_SECONDS, Services, answer_of
from gateway.legacy.data_account import OPTION_ACCOUNT, DataAccount
from gateway.legacy.data_errors import Fields, data_problem, internal, unavailable, unknown_account
from gateway.legacy.errors import ACCOUNT_NOT_FOUND, error_text
from gateway.legacy.market_views import chain_view, option_quote_view
from gateway.legacy.problem import legacy_problem
from opitios.account.v1 import market_data_service_pb2 as service
from opitios.account.v1.market_data_pb2 import Quote
from opitios.legacy.v1 import legacy_api_pb2 as legacy
from runtime.errors import FailedPrecondition, InvalidArgument, ServiceError

CHAIN_UNAVAILABLE: Final = "OPTIONS_CHAIN_UNAVAILABLE"
QUOTE_UNAVAILABLE: Final = "REAL_DATA_UNAVAILABLE"
LIMIT_EXCEEDED: Final = "REQUEST_LIMIT_EXCEEDED"
BATCH_FAILED: Final = "BATCH_REQUEST_FAILED"
_NO_CHAIN: Final = "No real options data available from Alpaca for this symbol"
_NO_QUOTE: Final = "No real market data available from Alpaca for this option symbol"
_SUGGESTION: Final = "Check that the symbol has listed options"


class OptionDataRoutes:
    """Reads option quotes and chains."""

    def __init__(self, services: Services, *, any_account: bool, max_symbols: int) -> None:
        self._market = services.market_data
        self._account = DataAccount(OPTION_ACCOUNT, any_account=any_account)
        self._max_symbols = max_symbols

    async def query_chain(self, request: legacy.QueryOptionChainRequest) -> legacy.QueryOptionChainResponse:
        """The chain that the body names; raises HttpProblem."""
        wanted = request.wanted
        asked = service.GetOptionChainRequest(
            underlying_symbol=wanted.underlying_symbol,
            expiration_date=wanted.expiration_date,
            option_type=wanted.option_type,
        )
        fields = _chain_fields(wanted)
        return legacy.QueryOptionChainResponse(chain=await self._chain(asked, request.account_id, fields))

    async def get_chain(self, request: legacy.GetOptionChainRequest) -> legacy.GetOptionChainResponse:
        """The chain that the path names; raises HttpProblem."""
        asked = service.GetOptionChainRequest(
            underlying_symbol=request.underlying_symbol.upper(), expiration_date=request.expiration_date
        )
        fields = _chain_fields(request)
        return legacy.GetOptionChainResponse(chain=await self._chain(asked, request.account_id, fields))

    async def get_quote(self, request: legacy.GetOptionQuoteRequest) -> legacy.GetOptionQuoteResponse:
        """One contract's quote; raises HttpProblem."""
        symbol = request.wanted.option_symbol
        fields: Fields = {"option_symbol": symbol}
        try:
            contract = parse(symbol)
            found = await self._quotes([contract], request.account_id)
        except ServiceError as error:
            raise data_problem(
                error, request.account_id, code=QUOTE_UNAVAILABLE, fields=fields, message=_NO_QUOTE
            ) from error
        quote = found.get(str(contract))
        if quote is None:
            raise unavailable(
                f"No quote data found for {symbol}",
                code=QUOTE_UNAVAILABLE,
                fields=fields,
                message=_NO_QUOTE,
            )
        return legacy.GetOptionQuoteResponse(quote=option_quote_view(symbol, contract, quote))

    async def get_quotes(self, request: legacy.GetOptionQuotesRequest) -> legacy.GetOptionQuotesResponse:
        """Quotes in the order asked for, or why there is none; raises HttpProblem."""
        symbols = list(request.wanted.option_symbols)
        self._check_count(symbols)
        contracts = {symbol: _parsed(symbol) for symbol in symbols}
        known = [one for one in contracts.values() if isinstance(one, OptionSymbol)]
        found, problem = await self._found(known, request.account_id, {"requested_symbols": [*symbols]})
        entries = [_entry(symbol, contracts[symbol], found, problem) for symbol in symbols]
        failed = [
            symbol
            for symbol, entry in zip(symbols, entries, strict=True)
            if entry.WhichOneof("outcome") == "error"
        ]
        return legacy.GetOptionQuotesResponse(
            quotes=entries,
            count=len(entries),
            successful_count=len(entries) - len(failed),
            failed_count=len(failed),
            requested_symbols=symbols,
            failed_symbols=failed,
        )

    def _check_count(self, symbols: Sequence[str]) -> None:
        if not symbols:
            raise legacy_problem(
                400,
                {
                    "error": "No option symbols provided",
                    "error_code": BATCH_FAILED,
                    "requested_symbols": [],
                },
            )
        if len(symbols) > self._max_symbols:
            raise legacy_problem(
                400,
                {
                    "error": f"Maximum {self._max_symbols} option symbols allowed per request",
                    "error_code": LIMIT_EXCEEDED,
                    "requested_count": len(symbols),
                    "max_allowed": self._max_symbols,
                },
            )

    async def _chain(
        self, asked: service.GetOptionChainRequest, account_id: str, fields: Fields
    ) -> legacy.OptionChainView:
        """The chain; an expiry without contracts is empty, an underlying without any is a 404."""
        found = await self._read_chain(asked, account_id, fields)
        if not found.contracts and not await self._has_contracts(asked, account_id, fields):
            raise unavailable(
                f"No options found for {asked.underlying_symbol}",
                code=CHAIN_UNAVAILABLE,
                fields=fields,
                message=_NO_CHAIN,
                suggestion=_SUGGESTION,
            )
        return chain_view(found)

    async def _has_contracts(
        self, asked: service.GetOptionChainRequest, account_id: str, fields: Fields
    ) -> bool:
        """Whether the underlying has contracts that the question left out."""
        if not asked.expiration_date and not asked.option_type:
            return False
        every = service.GetOptionChainRequest(underlying_symbol=asked.underlying_symbol)
        return bool((await self._read_chain(every, account_id, fields)).contracts)

    async def _read_chain(
        self, asked: service.GetOptionChainRequest, account_id: str, fields: Fields
    ) -> service.GetOptionChainResponse:
        async def ask(account: str) -> service.GetOptionChainResponse:
            asked.account_id = account
            return await answer_of(self._market.GetOptionChain(asked, timeout=CHAIN_SECONDS))

        try:
            return await self._account.read(account_id, ask)
        except ServiceError as error:
            raise data_problem(
                error, account_id, code=CHAIN_UNAVAILABLE, fields=fields, message=_NO_CHAIN
            ) from error

    async def _found(
        self, contracts: Sequence[OptionSymbol], account_id: str, fields: Fields
    ) -> tuple[Mapping[str, Quote], str | None]:
        """The quotes by symbol, and what the exchange said where it refused them all."""
        if not contracts:
            return {}, None
        try:
            return await self._quotes(contracts, account_id), None
        except ServiceError as error:
            if error.reason == ACCOUNT_NOT_FOUND:
                raise unknown_account(account_id, fields) from error
            if not isinstance(error, FailedPrecondition | InvalidArgument):
                raise internal(error, fields) from error
            return {}, error_text(error)

    async def _quotes(self, contracts: Sequence[OptionSymbol], account_id: str) -> Mapping[str, Quote]:
        symbols = [str(contract) for contract in contracts]

        async def ask(account: str) -> service.GetOptionQuotesResponse:
            asked = service.GetOptionQuotesRequest(symbols=symbols, account_id=account)
            return await answer_of(self._market.GetOptionQuotes(asked, timeout=READ_SECONDS))

        answer = await self._account.read(account_id, ask)
        return {quote.symbol: quote for quote in answer.quotes}


def _chain_fields(wanted: legacy.OptionChainWanted | legacy.GetOptionChainRequest) -> Fields:
    """What errors repeat of the question, as it was typed."""
    has_date = wanted.HasField("expiration_date")
    return {
        "underlying_symbol": wanted.underlying_symbol,
        "expiration_date": wanted.expiration_date if has_date else None,
    }


def _parsed(symbol: str) -> OptionSymbol | str:
    """The contract, or why the text names none."""
    try:
        return parse(symbol)
    except UnknownOptionSymbol as error:
        return error.message


def _entry(
    symbol: str, contract: OptionSymbol | str, found: Mapping[str, Quote], problem: str | None
) -> legacy.OptionQuoteEntry:
    if isinstance(contract, str):
        return legacy.OptionQuoteEntry(error=legacy.OptionQuoteError(error=contract))
    quote = found.get(str(contract))
    if quote is None:
        text = problem or f"No quote data found for {symbol}"
        return legacy.OptionQuoteEntry(error=legacy.OptionQuoteError(error=text))
    return legacy.OptionQuoteEntry(quote=option_quote_view(symbol, contract, quote))
