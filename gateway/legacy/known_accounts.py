"""The configured accounts, as account_svc lists them."""

from collections.abc import Sequence

from gateway.legacy.clients import READ_SECONDS, Services, answer_of
from opitios.account.v1.account_pb2 import Account
from opitios.account.v1.account_service_pb2 import ListAccountsRequest
from runtime.errors import ServiceError


async def list_accounts(services: Services, seconds: float = READ_SECONDS) -> Sequence[Account]:
    """Every configured account, in configuration order; raises ServiceError."""
    listed = await answer_of(services.accounts.ListAccounts(ListAccountsRequest(), timeout=seconds))
    return listed.accounts


async def is_enabled(services: Services, account_id: str) -> bool:
    """Whether an enabled account has this id, or this name in any case; yes where nobody can tell."""
    try:
        accounts = await list_accounts(services)
    except ServiceError:
        return True
    return any(_is_named(one, account_id) and one.enabled for one in accounts)


def _is_named(account: Account, text: str) -> bool:
    return account.account_id == text or account.name.lower() == text.lower()
