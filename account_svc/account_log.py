"""Log lines about an account always say which one, its number and its type (FR-001)."""

from typing import TYPE_CHECKING

from loguru import logger

from broker.standing import Standing

if TYPE_CHECKING:
    from loguru import Logger


def account_log(standing: Standing) -> "Logger":
    """The log with the account's fields set."""
    return logger.bind(
        account=standing.account_id,
        account_number=standing.account_number or "unknown",
        account_type="unknown" if standing.account_type is None else standing.account_type.value,
    )
