"""The gateway on a real socket before three real gRPC servers whose answers each test programs."""

import asyncio
import json
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, TypeVar

import aiohttp
import grpc
import jwt
from google.protobuf.message import Message

from config.schema import Configuration
from gateway.app import open_app
from opitios.account.v1 import account_service_pb2_grpc, market_data_service_pb2_grpc
from opitios.order.v1 import order_service_pb2_grpc
from opitios.sell.v1 import sell_service_pb2_grpc
from runtime.errors import ServiceError, Unimplemented
from runtime.server import GrpcServer, Registration

SECRET = "a-secret-of-sixty-four-bytes-and-more-for-the-tests-of-the-gateway-0123456789"
OUTSIDE = "8.8.8.8"

Found = TypeVar("Found", bound=Message)
Answer = Message | ServiceError | Callable[[Message], Awaitable[Message]]


class ManualClock:
    """Both clocks, moved by hand."""

    def __init__(self) -> None:
        self._passed = timedelta(0)

    def now(self) -> datetime:
        return datetime(2026, 11, 24, 16, 12, 38, 160058, tzinfo=UTC) + self._passed

    def monotonic(self) -> float:
        return 1000.0 + self._passed.total_seconds()

    def advance(self, seconds: float) -> None:
        self._passed += timedelta(seconds=seconds)


class Programmed:
    """A servicer of any service: answers what it was told to, and keeps what it was asked."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.requests: defaultdict[str, list[Message]] = defaultdict(list)
        self.metadata: defaultdict[str, list[dict[str, str]]] = defaultdict(list)

    def __getattr__(self, method: str) -> Callable[[Message, Any], Awaitable[Message]]:
        if method.startswith("__"):
            raise AttributeError(method)
        return partial(self._serve, method)

    async def _serve(self, method: str, request: Message, context: Any) -> Message:
        self.requests[method].append(request)
        self.metadata[method].append(dict(context.invocation_metadata()))
        answer = self.answers.get(method)
        if answer is None:
            raise Unimplemented(f"the test did not say what {method} answers")
        if isinstance(answer, ServiceError):
            raise answer
        return answer if isinstance(answer, Message) else await answer(request)

    def forget(self) -> None:
        self.answers.clear()
        self.requests.clear()
        self.metadata.clear()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One HTTP answer."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)


@dataclass(slots=True, kw_only=True)
class Gateway:
    """A running gateway, its fake services, and a caller."""

    port: int
    ports: Mapping[str, int]
    services: Programmed
    order_server: GrpcServer
    sell_server: GrpcServer
    clock: ManualClock
    session: aiohttp.ClientSession
    headers: dict[str, str] = field(default_factory=dict)

    def on(self, method: str, answer: Answer) -> None:
        self.services.answers[method] = answer

    def asked(self, method: str, kind: type[Found]) -> Found:
        """The only request that a method received."""
        (request,) = self.services.requests[method]
        assert isinstance(request, kind)
        return request

    def times_asked(self, method: str) -> int:
        return len(self.services.requests[method])

    async def call(
        self,
        method: str,
        path: str,
        *,
        body: object = None,
        raw: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        outside: bool = False,
        token: str | None = None,
        content_type: str | None = "application/json",
    ) -> Reply:
        sent = dict(headers or {})
        if outside:
            sent["X-Forwarded-For"] = OUTSIDE
        if token is not None:
            sent["Authorization"] = f"Bearer {token}"
        data = raw if raw is not None else (json.dumps(body).encode() if body is not None else None)
        if data is not None and content_type is not None:
            sent["Content-Type"] = content_type
        skip = ("Content-Type",) if content_type is None else ()
        async with self.session.request(
            method,
            f"http://127.0.0.1:{self.port}{path}",
            data=data,
            headers=sent,
            allow_redirects=False,
            skip_auto_headers=skip,
        ) as answer:
            return Reply(status=answer.status, headers=answer.headers.copy(), text=await answer.text())

    async def raw(self, request: bytes) -> bytes:
        """Everything that comes back for these bytes until the gateway closes the connection."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(request)
            await writer.drain()
            return await asyncio.wait_for(reader.read(), 10)
        finally:
            writer.close()
            await writer.wait_closed()


def token_of(
    *, key: str = SECRET, algorithm: str = "HS512", valid_for: float | None = 600, **claims: Any
) -> str:
    """A signed token; without `valid_for` it has no `exp`."""
    expiry = {} if valid_for is None else {"exp": int(time.time() + valid_for)}
    return jwt.encode({**expiry, **claims}, key, algorithm=algorithm)


def configuration(ports: Mapping[str, int], *, listen: str = "127.0.0.1:0", **sections: Any) -> Configuration:
    """A configuration that finds the fakes; further sections as in secrets.yml."""
    services = {name: {"listen": f"127.0.0.1:{port}"} for name, port in ports.items()}
    raw = {
        "services": {**services, "gateway": {"listen": listen}},
        "jwt": {"secret_key": SECRET},
        **sections,
    }
    return Configuration.model_validate(raw)


@asynccontextmanager
async def running_gateway(**sections: Any) -> AsyncIterator[Gateway]:
    """A gateway on a free port; its services answer UNIMPLEMENTED until they are told what to say."""
    services, clock = Programmed(), ManualClock()
    async with AsyncExitStack() as stack:
        servers = {
            name: await stack.enter_async_context(_server(name, services))
            for name in ("account", "order", "sell")
        }
        ports = {name: server.port for name, server in servers.items()}
        settings = configuration(ports, **sections)
        app = await stack.enter_async_context(open_app(settings, clock))
        session = await stack.enter_async_context(aiohttp.ClientSession())
        yield Gateway(
            port=app.port,
            ports=ports,
            services=services,
            order_server=servers["order"],
            sell_server=servers["sell"],
            clock=clock,
            session=session,
        )


def _server(name: str, services: Programmed) -> GrpcServer:
    adders: dict[str, dict[str, Callable[[Any, grpc.aio.Server], None]]] = {
        "account": {
            "opitios.account.v1.AccountService": account_service_pb2_grpc.add_AccountServiceServicer_to_server,
            "opitios.account.v1.MarketDataService": market_data_service_pb2_grpc.add_MarketDataServiceServicer_to_server,
        },
        "order": {"opitios.order.v1.OrderService": order_service_pb2_grpc.add_OrderServiceServicer_to_server},
        "sell": {"opitios.sell.v1.SellService": sell_service_pb2_grpc.add_SellServiceServicer_to_server},
    }
    return GrpcServer(
        listen="127.0.0.1:0",
        listen_key=f"services.{name}.listen",
        services=[
            Registration(service=service, add=partial(add, services)) for service, add in adders[name].items()
        ],
    )
