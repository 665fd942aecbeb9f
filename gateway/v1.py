"""How the /v1 routes are guarded: each call is checked on the very message that the service will read."""

from collections.abc import AsyncIterable, Sequence
from typing import Final, Protocol, cast

from google.protobuf.message import Message
from loguru import logger

from gateway.auth.callers import Caller
from gateway.auth.rights import Named, acts_on_everything, check_call, is_narrowed, may_see
from gateway.order_key import make_order_key
from gateway.transcoding.code import Code
from gateway.transcoding.failure import Metadata, RpcFailure
from gateway.transcoding.http_rule import Route
from gateway.transcoding.json_value import JsonValue
from gateway.transcoding.profile import Profile
from gateway.transcoding.rpc import Backend, RpcMethod, StreamAnswer, UnaryAnswer
from gateway.visit import current_visit
from runtime.context import current_request_id
from runtime.errors import FieldViolation, MalformedRequest, ServiceError
from runtime.status import to_status

ACCEPTED: Final = 202
PLACE_ORDER: Final = "opitios.order.v1.OrderService/PlaceOrder"

_UNSETTLED: Final = frozenset(
    {"ORDER_STATE_NEW", "ORDER_STATE_HELD", "ORDER_STATE_SENDING", "ORDER_STATE_UNKNOWN"}
)
_LOST: Final = frozenset({Code.UNAVAILABLE, Code.DEADLINE_EXCEEDED, Code.CANCELLED, Code.UNKNOWN})


class _Keyed(Protocol):
    client_order_id: str


class GuardedBackend:
    """Another backend behind the caller's rights; nothing else leads to the services from /v1.

    An answer about every account is narrowed to those that the caller may see.
    """

    def __init__(self, inner: Backend) -> None:
        self._inner = inner

    def prepare(self, method: RpcMethod) -> None:
        """Prepares the other backend."""
        self._inner.prepare(method)

    async def unary(
        self, method: RpcMethod, request: Message, *, metadata: Metadata, timeout_s: float | None
    ) -> UnaryAnswer:
        """Calls the method if the caller may; RpcFailure with PERMISSION_DENIED otherwise."""
        visit = current_visit()
        caller = visit.known_caller()
        _check(caller, method, request)
        key = None
        if _full_name(method) == PLACE_ORDER:
            # The transcoder built it from this method's own input type.
            key = _set_key(cast("_Keyed", request), visit.idempotency_key)
        try:
            answer = await self._inner.unary(method, request, metadata=metadata, timeout_s=timeout_s)
        except RpcFailure as failure:
            raise _for_outside(failure, method, key) from failure
        return _narrowed(answer, caller) if is_narrowed(_full_name(method)) else answer

    def stream(
        self,
        method: RpcMethod,
        requests: AsyncIterable[Message],
        *,
        metadata: Metadata,
        timeout_s: float | None,
    ) -> StreamAnswer:
        """Starts the call; every request of it is checked before it is passed on."""
        caller = current_visit().known_caller()

        async def checked() -> AsyncIterable[Message]:
            async for request in requests:
                _check(caller, method, request)
                yield request

        return self._inner.stream(method, checked(), metadata=metadata, timeout_s=timeout_s)


def v1_profile() -> Profile:
    """The profile of the /v1 services: the transcoder's own, 202 for an order without a known outcome, and `?pretty`."""
    return Profile(answer_as=_answer_as, pretty_parameter="pretty")


def is_order_placing(route: Route) -> bool:
    """Whether the route places an order, whose outcome may not be known yet when it answers."""
    return _full_name(route.rpc) == PLACE_ORDER


def _answer_as(route: Route, _message: Message, value: JsonValue) -> tuple[int, JsonValue]:
    is_unsettled = is_order_placing(route) and isinstance(value, dict) and value.get("state") in _UNSETTLED
    return (ACCEPTED if is_unsettled else 200), value


def _full_name(method: RpcMethod) -> str:
    return method.path.removeprefix("/")


def _check(caller: Caller, method: RpcMethod, request: Message) -> None:
    try:
        check_call(caller, _full_name(method), getattr(request, "account_id", None))
    except ServiceError as error:
        raise _failure_of(error) from None


def _set_key(request: _Keyed, header: str) -> str:
    """Gives the order its key: the field, the header, or one made here so that a lost answer can be looked up."""
    if header and request.client_order_id not in {"", header}:
        violation = FieldViolation(
            field="client_order_id", description="differs from the Idempotency-Key header; send one of them"
        )
        raise _failure_of(MalformedRequest([violation]))
    request.client_order_id = request.client_order_id or header or make_order_key()
    return request.client_order_id


def _for_outside(failure: RpcFailure, method: RpcMethod, key: str | None) -> RpcFailure:
    """The service's own error as it is; in place of gRPC's words about addresses inside, what the caller can do."""
    if failure.details or failure.code not in _LOST:
        return failure
    logger.warning(f"{_full_name(method)} got no answer: {failure.code.name}: {failure.message}")
    remedy = f"; before placing it again, look for client_order_id {key}" if key else ""
    return RpcFailure(
        failure.code,
        f"{method.service} gave no answer{remedy}",
        initial_metadata=failure.initial_metadata,
        trailing_metadata=failure.trailing_metadata,
    )


def _failure_of(error: ServiceError) -> RpcFailure:
    status = to_status(error, current_request_id())
    return RpcFailure(Code.from_grpc(error.code), status.message, details=status.details)


def _narrowed(answer: UnaryAnswer, caller: Caller) -> UnaryAnswer:
    """The answer without the entries of accounts that the caller may not see."""
    for holder in (answer.response, getattr(answer.response, "status", None)):
        accounts = getattr(holder, "accounts", None)
        if accounts is not None and not acts_on_everything(caller):
            # Both the list of accounts and the sell status repeat entries with an account_id.
            visible = [one for one in cast("Sequence[Named]", accounts) if may_see(caller, one)]
            del accounts[:]
            accounts.extend(visible)
    return answer
