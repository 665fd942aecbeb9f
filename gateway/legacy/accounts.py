"""GET /account and GET /positions."""

from decimal import Decimal
from typing import Final

from gateway.auth.rights import EVERY_ACCOUNT
from gateway.legacy.clients import READ_SECONDS, Services, answer_of
from gateway.legacy.errors import read_problem, unknown_account
from gateway.legacy.numbers import nonzero_or_none, number, number_or_none
from gateway.legacy.problem import legacy_problem
from gateway.legacy.rights import check_reach
from gateway.visit import current_visit
from opitios.account.v1 import account_service_pb2 as service
from opitios.account.v1.account_pb2 import AccountSnapshot, Position
from opitios.legacy.v1 import legacy_api_pb2 as legacy
from runtime.errors import ServiceError

ACCOUNT_MISSING: Final = "account_id parameter is required"


class AccountRoutes:
    """Reads an account's figures and positions."""

    def __init__(self, services: Services, *, any_account: bool) -> None:
        self._accounts = services.accounts
        self._any_account = any_account

    async def get_account(self, request: legacy.GetAccountRequest) -> legacy.GetAccountResponse:
        """The figures; raises HttpProblem."""
        self._admit(request.account_id)
        asked = service.GetAccountRequest(account_id=request.account_id)
        try:
            answer = await answer_of(self._accounts.GetAccount(asked, timeout=READ_SECONDS))
        except ServiceError as error:
            raise read_problem(error, request.account_id) from error
        return _account_view(answer.snapshot)

    async def list_positions(self, request: legacy.ListPositionsRequest) -> legacy.ListPositionsResponse:
        """The positions in the exchange's order; raises HttpProblem, also for positions that are not known."""
        self._admit(request.account_id)
        asked = service.ListPositionsRequest(account_id=request.account_id)
        try:
            answer = await answer_of(self._accounts.ListPositions(asked, timeout=READ_SECONDS))
        except ServiceError as error:
            raise read_problem(error, request.account_id) from error
        problem = next((one.error for one in answer.accounts if one.error), None)
        if problem is not None:
            raise legacy_problem(503, problem)
        return legacy.ListPositionsResponse(
            positions=[_position_view(one) for account in answer.accounts for one in account.positions]
        )

    def _admit(self, account_id: str) -> None:
        if not account_id:
            raise legacy_problem(400, ACCOUNT_MISSING)
        if account_id == EVERY_ACCOUNT:
            # account_svc would answer for all of them; here it is nobody's id.
            raise unknown_account(account_id)
        check_reach(current_visit().known_caller(), account_id, any_account=self._any_account)


def _account_view(snapshot: AccountSnapshot) -> legacy.GetAccountResponse:
    return legacy.GetAccountResponse(
        account_number=snapshot.account.account_number,
        buying_power=number(snapshot.buying_power),
        cash=number(snapshot.cash),
        portfolio_value=number(snapshot.portfolio_value),
        equity=number(snapshot.equity),
        last_equity=number(snapshot.last_equity),
        multiplier=int(Decimal(snapshot.multiplier or "1")),
        pattern_day_trader=snapshot.pattern_day_trader,
    )


def _position_view(position: Position) -> legacy.PositionView:
    return legacy.PositionView(
        asset_id=position.asset_id,
        symbol=position.symbol,
        qty=number(position.qty),
        side=position.side,
        market_value=number_or_none(position.market_value),
        cost_basis=number_or_none(position.cost_basis),
        unrealized_pl=number_or_none(position.unrealized_pl),
        unrealized_plpc=number_or_none(position.unrealized_plpc),
        avg_entry_price=nonzero_or_none(position.avg_entry_price),
        current_price=number_or_none(position.current_price),
        lastday_price=number_or_none(position.lastday_price),
        asset_class=position.asset_class or None,
        qty_available=number_or_none(position.qty_available),
    )
