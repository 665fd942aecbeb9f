"""opitios.sell.v1.SellService over the monitor and its control."""

# grpc's classes are generic in the stubs only, so annotations must stay unevaluated.
from __future__ import annotations

from functools import partial

import grpc

from opitios.sell.v1.sell_service_pb2 import (
    DESCRIPTOR,
    GetStatusRequest,
    GetStatusResponse,
    ListDecisionsRequest,
    ListDecisionsResponse,
    MonitorStatus,
    RestartMonitoringRequest,
    RestartMonitoringResponse,
    SetPolicyRequest,
    SetPolicyResponse,
    StartMonitoringRequest,
    StartMonitoringResponse,
    StopMonitoringRequest,
    StopMonitoringResponse,
)
from opitios.sell.v1.sell_service_pb2_grpc import SellServiceServicer, add_SellServiceServicer_to_server
from runtime.server import Registration
from sell_svc import wire
from sell_svc.control import Control
from sell_svc.decisions import Decisions
from sell_svc.monitor import Monitor
from sell_svc.policies import Policies


class SellServicer(SellServiceServicer):
    """Reads requests, calls the control or the report, writes answers."""

    def __init__(
        self, *, control: Control, monitor: Monitor, decisions: Decisions, policies: Policies
    ) -> None:
        self._control = control
        self._monitor = monitor
        self._decisions = decisions
        self._policies = policies

    @property
    def registration(self) -> Registration:
        """What a server needs to serve this."""
        name = DESCRIPTOR.services_by_name["SellService"].full_name
        return Registration(service=name, add=partial(add_SellServiceServicer_to_server, self))

    async def StartMonitoring(
        self,
        _request: StartMonitoringRequest,
        _context: grpc.aio.ServicerContext[StartMonitoringRequest, StartMonitoringResponse],
    ) -> StartMonitoringResponse:
        """Runs the monitor; a repeat changes nothing."""
        changed = await self._control.start()
        return StartMonitoringResponse(changed=changed, status=self._status())

    async def StopMonitoring(
        self,
        _request: StopMonitoringRequest,
        _context: grpc.aio.ServicerContext[StopMonitoringRequest, StopMonitoringResponse],
    ) -> StopMonitoringResponse:
        """Stops the monitor and answers when its last action has drained; a repeat changes nothing."""
        changed = await self._control.stop()
        return StopMonitoringResponse(changed=changed, status=self._status())

    async def RestartMonitoring(
        self,
        _request: RestartMonitoringRequest,
        _context: grpc.aio.ServicerContext[RestartMonitoringRequest, RestartMonitoringResponse],
    ) -> RestartMonitoringResponse:
        """Stops, then starts."""
        await self._control.restart()
        return RestartMonitoringResponse(status=self._status())

    async def GetStatus(
        self,
        _request: GetStatusRequest,
        _context: grpc.aio.ServicerContext[GetStatusRequest, GetStatusResponse],
    ) -> GetStatusResponse:
        """The state now."""
        return GetStatusResponse(status=self._status())

    async def SetPolicy(
        self,
        request: SetPolicyRequest,
        _context: grpc.aio.ServicerContext[SetPolicyRequest, SetPolicyResponse],
    ) -> SetPolicyResponse:
        """Changes the rules of one scope from the next tick on."""
        scope = wire.policy_scope(request)
        changed = await self._policies.set(scope, wire.policy_override(request))
        policy = self._policies.book.of(scope.account_id)
        return SetPolicyResponse(changed=changed, policies=wire.policy_messages(policy))

    async def ListDecisions(
        self,
        request: ListDecisionsRequest,
        _context: grpc.aio.ServicerContext[ListDecisionsRequest, ListDecisionsResponse],
    ) -> ListDecisionsResponse:
        """Decisions, newest first."""
        limit = wire.decision_limit(request)
        newest = self._decisions.newest(limit=limit, account_id=request.account_id, symbol=request.symbol)
        return ListDecisionsResponse(decisions=[wire.decision_message(one) for one in newest])

    def _status(self) -> MonitorStatus:
        return wire.status_message(
            self._monitor.report, self._policies.book, desired_running=self._control.desired_running
        )
