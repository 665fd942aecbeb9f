"""OrderService over gRPC: each method reads its request, calls its use case and writes the answer."""

# ruff: noqa: ARG002 - gRPC passes a context to every method; interceptors have read what it holds

from functools import partial

from grpc.aio import ServicerContext

from opitios.order.v1 import order_service_pb2
from opitios.order.v1.order_service_pb2_grpc import OrderServiceServicer, add_OrderServiceServicer_to_server
from order_svc.attempt_log import AttemptLog
from order_svc.bulk import BulkPlacing
from order_svc.cancel import CANCEL_TIMEOUT_SECONDS, Canceling
from order_svc.finding import Finder
from order_svc.listing import Lister
from order_svc.place import Placing
from order_svc.preview import Previewing
from order_svc.receipt import take_receipt
from order_svc.switch import TradingSwitch
from order_svc.wire import answers, requests
from runtime.clock import Clock
from runtime.server import Registration

SERVICE = "opitios.order.v1.OrderService"


class OrderServicer(OrderServiceServicer):
    """The methods of OrderService; errors leave as they are and are mapped by the server's interceptor."""

    def __init__(
        self,
        *,
        placing: Placing,
        previewing: Previewing,
        bulk: BulkPlacing,
        canceling: Canceling,
        finder: Finder,
        lister: Lister,
        switch: TradingSwitch,
        attempt_log: AttemptLog,
        clock: Clock,
        order_timeout_seconds: float,
    ) -> None:
        self._placing = placing
        self._previewing = previewing
        self._bulk = bulk
        self._canceling = canceling
        self._finder = finder
        self._lister = lister
        self._switch = switch
        self._attempt_log = attempt_log
        self._clock = clock
        self._order_timeout_seconds = order_timeout_seconds

    async def PlaceOrder(
        self,
        request: order_service_pb2.PlaceOrderRequest,
        context: ServicerContext[order_service_pb2.PlaceOrderRequest, order_service_pb2.PlaceOrderResponse],
    ) -> order_service_pb2.PlaceOrderResponse:
        """Places one order."""
        receipt = take_receipt(self._clock, timeout_seconds=self._order_timeout_seconds)
        with self._attempt_log.line_on_refusal(requests.sketch_of_place(request), receipt):
            record = await self._placing.place(requests.place_order(request), receipt)
        return answers.placed(record)

    async def BulkPlaceOrder(
        self,
        request: order_service_pb2.BulkPlaceOrderRequest,
        context: ServicerContext[
            order_service_pb2.BulkPlaceOrderRequest, order_service_pb2.BulkPlaceOrderResponse
        ],
    ) -> order_service_pb2.BulkPlaceOrderResponse:
        """Places one order in many accounts."""
        receipt = take_receipt(self._clock, timeout_seconds=self._order_timeout_seconds)
        with self._attempt_log.line_on_refusal(requests.sketch_of_bulk(request), receipt):
            results = await self._bulk.place(requests.bulk_wish(request), receipt)
        return answers.bulk_placed(results)

    async def PreviewOrder(
        self,
        request: order_service_pb2.PreviewOrderRequest,
        context: ServicerContext[
            order_service_pb2.PreviewOrderRequest, order_service_pb2.PreviewOrderResponse
        ],
    ) -> order_service_pb2.PreviewOrderResponse:
        """Says what PlaceOrder would do."""
        return answers.previewed(await self._previewing.preview(requests.place_order(request)))

    async def CancelOrder(
        self,
        request: order_service_pb2.CancelOrderRequest,
        context: ServicerContext[order_service_pb2.CancelOrderRequest, order_service_pb2.CancelOrderResponse],
    ) -> order_service_pb2.CancelOrderResponse:
        """Cancels one order."""
        receipt = take_receipt(self._clock, timeout_seconds=CANCEL_TIMEOUT_SECONDS)
        with self._attempt_log.line_on_refusal(requests.sketch_of_cancel(request), receipt):
            cancellation = await self._canceling.cancel(requests.cancel_wish(request), receipt)
        return answers.canceled(cancellation)

    async def GetOrder(
        self,
        request: order_service_pb2.GetOrderRequest,
        context: ServicerContext[order_service_pb2.GetOrderRequest, order_service_pb2.GetOrderResponse],
    ) -> order_service_pb2.GetOrderResponse:
        """Reads one order."""
        return answers.got(await self._finder.get(requests.order_name(request)))

    async def ListOrders(
        self,
        request: order_service_pb2.ListOrdersRequest,
        context: ServicerContext[order_service_pb2.ListOrdersRequest, order_service_pb2.ListOrdersResponse],
    ) -> order_service_pb2.ListOrdersResponse:
        """Lists orders as the broker has them."""
        return answers.listed(await self._lister.list_orders(requests.list_query(request)))

    async def ListAttempts(
        self,
        request: order_service_pb2.ListAttemptsRequest,
        context: ServicerContext[
            order_service_pb2.ListAttemptsRequest, order_service_pb2.ListAttemptsResponse
        ],
    ) -> order_service_pb2.ListAttemptsResponse:
        """Lists the attempts of an account."""
        return answers.attempts(await self._lister.list_attempts(requests.attempt_query(request)))

    async def ListTrackedLots(
        self,
        request: order_service_pb2.ListTrackedLotsRequest,
        context: ServicerContext[
            order_service_pb2.ListTrackedLotsRequest, order_service_pb2.ListTrackedLotsResponse
        ],
    ) -> order_service_pb2.ListTrackedLotsResponse:
        """Lists what was bought here and not yet sold."""
        return answers.lots(await self._lister.list_lots(requests.lots_account(request)))

    async def HaltTrading(
        self,
        request: order_service_pb2.HaltTradingRequest,
        context: ServicerContext[order_service_pb2.HaltTradingRequest, order_service_pb2.HaltTradingResponse],
    ) -> order_service_pb2.HaltTradingResponse:
        """Throws the kill switch."""
        return answers.halted(
            await self._switch.halt(requests.halt_wish(request), requests.halt_mode(request))
        )

    async def ResumeTrading(
        self,
        request: order_service_pb2.ResumeTradingRequest,
        context: ServicerContext[
            order_service_pb2.ResumeTradingRequest, order_service_pb2.ResumeTradingResponse
        ],
    ) -> order_service_pb2.ResumeTradingResponse:
        """Lifts one halt."""
        was_halted = await self._switch.resume(requests.halt_wish(request))
        return answers.resumed(was_halted=was_halted, left=self._switch.halts)

    async def GetTradingState(
        self,
        request: order_service_pb2.GetTradingStateRequest,
        context: ServicerContext[
            order_service_pb2.GetTradingStateRequest, order_service_pb2.GetTradingStateResponse
        ],
    ) -> order_service_pb2.GetTradingStateResponse:
        """Shows the halts in force."""
        return answers.trading_state(self._switch.halts)


def registration(servicer: OrderServicer) -> Registration:
    """The service as a server takes it."""
    return Registration(service=SERVICE, add=partial(add_OrderServiceServicer_to_server, servicer))
