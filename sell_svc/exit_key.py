"""The client_order_id of an exit: the same for everyone who would sell the same thing (I9).

All exits of one contract in one account and session form one chain of generations, whatever rule
fires. A generation exists only after the one before it was read as ended, so that a repeated tick,
a restart, a second replica, or one that was paused before it sent, all meet at the same id, and
order_svc sends an id once. The rule is left out of the id on purpose: two rules that fire for the
same contracts must not become two orders. So are price and quantity, which a partial fill changes.
"""

import re
from datetime import date
from hashlib import sha256
from typing import Final

from sell_svc.observation import AccountId, ClientOrderId

_KEY: Final = re.compile(r"exit-[0-9a-f]{20}-[0-9]+")


def exit_key(*, account_id: AccountId, symbol: str, session: date, generation: int) -> ClientOrderId:
    """The id of one generation, counted from 0; `session` is the New York date."""
    content = f"{account_id}\0{symbol}\0{session.isoformat()}"
    return ClientOrderId(f"exit-{sha256(content.encode()).hexdigest()[:20]}-{generation}")


def is_exit_key(client_order_id: ClientOrderId) -> bool:
    """Whether an order with this id is an exit of ours."""
    return _KEY.fullmatch(client_order_id) is not None
