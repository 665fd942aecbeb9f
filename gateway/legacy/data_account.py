"""With which account market data is read where the caller names none."""

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from gateway.legacy.errors import ACCOUNT_NOT_FOUND
from gateway.legacy.rights import check_reach
from gateway.visit import current_visit
from runtime.errors import ServiceError

STOCK_ACCOUNT: Final = "stock_ws"
OPTION_ACCOUNT: Final = "option_ws"

Answer = TypeVar("Answer")


class DataAccount:
    """Chooses the account of a read: the caller's, else `default`, else the first that works."""

    def __init__(self, default: str, *, any_account: bool) -> None:
        self._default = default
        self._any_account = any_account

    async def read(self, account_id: str, ask: Callable[[str], Awaitable[Answer]]) -> Answer:
        """The answer of `ask`, called with an account id; raises its ServiceError, or a 403."""
        if account_id:
            check_reach(current_visit().known_caller(), account_id, any_account=self._any_account)
            return await ask(account_id)
        try:
            return await ask(self._default)
        except ServiceError as error:
            if error.reason != ACCOUNT_NOT_FOUND:
                raise
        return await ask("")
