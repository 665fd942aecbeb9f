"""GET /sell and POST /sell/control."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from gateway.legacy.clients import CONTROL_SECONDS, READ_SECONDS, Services, answer_of
from gateway.legacy.errors import error_text, read_problem
from gateway.legacy.problem import legacy_problem
from gateway.legacy.rights import check_admin
from gateway.legacy.sell_view import SellDefaults, status_view, unreachable_view
from gateway.legacy.time_formats import server_wall_clock
from gateway.visit import current_visit
from opitios.legacy.v1 import legacy_api_pb2 as legacy
from opitios.sell.v1 import sell_service_pb2 as service
from runtime.clock import Clock
from runtime.errors import FailedPrecondition, ServiceError

RUNNING: Final = "running"
STOPPED: Final = "stopped"
UNCHANGED: Final = "unchanged"
ERROR: Final = "error"


class SellRoutes:
    """Shows and controls the sell monitor."""

    def __init__(self, services: Services, *, defaults: SellDefaults, clock: Clock) -> None:
        self._sell = services.sell
        self._defaults = defaults
        self._clock = clock
        self._actions: Mapping[str, Callable[[], Awaitable[legacy.ControlSellResponse]]] = {
            "start": self._start,
            "stop": self._stop,
            "restart": self._restart,
        }

    async def get_status(self) -> legacy.GetSellStatusResponse:
        """The monitor as it is; one that does not answer is shown stopped and unhealthy, never as an error."""
        asked = service.GetStatusRequest()
        try:
            answer = await answer_of(self._sell.GetStatus(asked, timeout=READ_SECONDS))
        except ServiceError as error:
            return unreachable_view(error, self._defaults, self._clock.now())
        return status_view(answer.status, self._clock.now())

    async def control(self, request: legacy.ControlSellRequest) -> legacy.ControlSellResponse:
        """What became of the action; raises HttpProblem."""
        check_admin(current_visit().known_caller())
        action = request.control.action.lower()
        act = self._actions.get(action)
        if act is None:
            raise legacy_problem(400, f"Invalid action '{action}'. Must be: start, stop, or restart")
        return await act()

    async def _start(self) -> legacy.ControlSellResponse:
        asked = service.StartMonitoringRequest()
        try:
            answer = await answer_of(self._sell.StartMonitoring(asked, timeout=CONTROL_SECONDS))
        except FailedPrecondition as error:
            return self._done("start", UNCHANGED, error.message, success=False)
        except ServiceError as error:
            raise read_problem(error, "") from error
        if not answer.changed:
            return self._done("start", UNCHANGED, "Sell service is already running", success=False)
        return self._done("start", RUNNING, "Sell service started successfully")

    async def _stop(self) -> legacy.ControlSellResponse:
        asked = service.StopMonitoringRequest()
        try:
            await answer_of(self._sell.StopMonitoring(asked, timeout=CONTROL_SECONDS))
        except ServiceError as error:
            raise read_problem(error, "") from error
        return self._done("stop", STOPPED, "Sell service stopped successfully")

    async def _restart(self) -> legacy.ControlSellResponse:
        asked = service.RestartMonitoringRequest()
        try:
            await answer_of(self._sell.RestartMonitoring(asked, timeout=CONTROL_SECONDS))
        except ServiceError as error:
            return self._done(
                "restart", ERROR, f"Sell service failed to restart: {error_text(error)}", success=False
            )
        return self._done("restart", RUNNING, "Sell service restarted successfully")

    def _done(
        self, action: str, new_status: str, message: str, *, success: bool = True
    ) -> legacy.ControlSellResponse:
        return legacy.ControlSellResponse(
            success=success,
            action=action,
            message=message,
            new_status=new_status,
            timestamp=server_wall_clock(self._clock.now()),
        )
