"""Whether the service takes new orders now (reliability.md, section 7)."""

from datetime import timedelta
from enum import Enum
from typing import Final

from order_svc.refusals import Draining, Recovering

_SOON: Final = timedelta(seconds=1)


class Phase(Enum):
    """Where the service is in its life."""

    RECOVERING = "recovering"
    SERVING = "serving"
    DRAINING = "draining"


class Readiness:
    """RECOVERING until told otherwise; DRAINING is for good."""

    def __init__(self) -> None:
        self._phase = Phase.RECOVERING

    @property
    def phase(self) -> Phase:
        """Where the service is."""
        return self._phase

    def open(self) -> None:
        """Recovery is done: trading opens, unless the service is stopping already."""
        if self._phase is Phase.RECOVERING:
            self._phase = Phase.SERVING

    def drain(self) -> None:
        """Takes nothing new any more; safe to repeat."""
        self._phase = Phase.DRAINING

    def check(self) -> None:
        """Raises Recovering or Draining while no new order may be taken."""
        match self._phase:
            case Phase.RECOVERING:
                raise Recovering("orders left by the last run are being looked up; retry", retry_after=_SOON)
            case Phase.DRAINING:
                raise Draining("the service is stopping; retry", retry_after=_SOON)
            case Phase.SERVING:
                return
