"""The client_order_id of an order whose caller named none."""

import uuid
from typing import Final

OWN_PREFIX: Final = "opi-"
"""The mark of the ids this system makes, so that they are told apart at the broker."""


def make_order_key() -> str:
    """A fresh id, unique without coordination.

    It is made before order_svc is asked, and not there, so that an order whose answer is
    lost on the way can still be looked up.
    """
    return f"{OWN_PREFIX}{uuid.uuid4().hex}"
