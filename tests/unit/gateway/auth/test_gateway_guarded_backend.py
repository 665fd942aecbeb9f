"""The guard around /v1 calls with a stream, of which no route is served yet: deny before it is one."""

from collections.abc import AsyncIterable, AsyncIterator

import pytest
from google.protobuf.message import Message

from gateway.auth.callers import Caller
from gateway.auth.token import Claims
from gateway.transcoding.code import Code
from gateway.transcoding.failure import Metadata, RpcFailure
from gateway.transcoding.rpc import RpcMethod, StreamAnswer, UnaryAnswer, rpc_method
from gateway.v1 import GuardedBackend
from gateway.visit import Visit, use_visit
from opitios.order.v1 import order_service_pb2 as service

LIST_ORDERS = rpc_method(service.DESCRIPTOR.services_by_name["OrderService"].methods_by_name["ListOrders"])
USER = Caller(internal=False, claims=Claims(user_id="u", account_id="mine"))


class Echo:
    """A backend that answers each request with itself."""

    def __init__(self) -> None:
        self.prepared: list[RpcMethod] = []

    def prepare(self, method: RpcMethod) -> None:
        self.prepared.append(method)

    async def unary(
        self, method: RpcMethod, request: Message, *, metadata: Metadata, timeout_s: float | None
    ) -> UnaryAnswer:
        return UnaryAnswer(response=request)

    def stream(
        self,
        method: RpcMethod,
        requests: AsyncIterable[Message],
        *,
        metadata: Metadata,
        timeout_s: float | None,
    ) -> StreamAnswer:
        return Echoed(requests)


class Echoed:
    """The requests, as responses."""

    def __init__(self, requests: AsyncIterable[Message]) -> None:
        self._requests = requests

    @property
    def initial_metadata(self) -> Metadata:
        return ()

    def __aiter__(self) -> AsyncIterator[Message]:
        return aiter(self._requests)

    async def aclose(self) -> None:
        return


async def requests(*account_ids: str) -> AsyncIterator[Message]:
    for account_id in account_ids:
        yield service.ListOrdersRequest(account_id=account_id)


async def test_every_request_of_a_stream_is_checked_before_it_is_passed_on() -> None:
    with use_visit(Visit(started=0, caller=USER)):
        answer = GuardedBackend(Echo()).stream(
            LIST_ORDERS, requests("mine", "other", "mine"), metadata=(), timeout_s=None
        )
        responses = aiter(answer)
        first = await anext(responses)
        with pytest.raises(RpcFailure) as caught:
            await anext(responses)

    assert first == service.ListOrdersRequest(account_id="mine")
    assert caught.value.code is Code.PERMISSION_DENIED


async def test_nobody_is_served_before_the_door_has_named_a_caller() -> None:
    request = service.ListOrdersRequest(account_id="mine")

    with use_visit(Visit(started=0)), pytest.raises(LookupError):
        await GuardedBackend(Echo()).unary(LIST_ORDERS, request, metadata=(), timeout_s=None)


def test_the_backend_behind_is_prepared() -> None:
    echo = Echo()

    GuardedBackend(echo).prepare(LIST_ORDERS)

    assert echo.prepared == [LIST_ORDERS]
