"""The peer that most would write by hand: FastAPI's models before grpc.aio stubs, on uvicorn."""

from __future__ import annotations

import importlib
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import uvicorn
from google.protobuf.json_format import MessageToDict, MessageToJson
from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from bench.bench_backend import SERVICE, classes

SIDES = {"SIDE_UNSPECIFIED": 0, "SIDE_BUY": 1, "SIDE_SELL": 2}


class OrderModel(BaseModel):
    """The body of an order."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)

    client_order_id: str = ""
    symbol: str
    side: str
    qty: str
    limit_price: str
    extended_hours: bool = False
    tags: list[str] = []


def build(descriptors: Path, target: str) -> Any:
    """Return the application."""
    fastapi: Any = importlib.import_module("fastapi")  # of a package that only this peer needs
    responses: Any = importlib.import_module("fastapi.responses")
    make: Any = classes(descriptors)
    call: dict[str, Any] = {}

    @asynccontextmanager
    async def lifespan(_app: Any) -> AsyncIterator[None]:
        async with grpc.aio.insecure_channel(target) as channel:
            for name, request, response in (
                ("GetItem", "GetItemRequest", "Item"),
                ("PlaceOrder", "PlaceOrderRequest", "Order"),
                ("ListOrders", "ListOrdersRequest", "ListOrdersResponse"),
            ):
                call[name] = channel.unary_unary(
                    f"/{SERVICE}/{name}",
                    request_serializer=make[request].SerializeToString,
                    response_deserializer=make[response].FromString,
                )
            call["WatchOrders"] = channel.unary_stream(
                f"/{SERVICE}/WatchOrders",
                request_serializer=make["ListOrdersRequest"].SerializeToString,
                response_deserializer=make["Order"].FromString,
            )
            yield

    app = fastapi.FastAPI(lifespan=lifespan)

    def printed(message: Any) -> Any:
        return responses.JSONResponse(MessageToDict(message))

    async def get_item(name: str) -> Any:
        return printed(await call["GetItem"](make["GetItemRequest"](name=name), timeout=30))

    async def place_order(account_id: str, order: OrderModel) -> Any:
        fields = order.model_dump() | {"side": SIDES[order.side], "account_id": account_id}
        return printed(await call["PlaceOrder"](make["PlaceOrderRequest"](**fields), timeout=30))

    async def list_orders(account_id: str) -> Any:
        request = make["ListOrdersRequest"](account_id=account_id)
        return printed(await call["ListOrders"](request, timeout=30))

    async def watch_orders(account_id: str) -> Any:
        async def lines() -> AsyncIterator[str]:
            async for message in call["WatchOrders"](make["ListOrdersRequest"](account_id=account_id)):
                yield MessageToJson(message, indent=None) + "\n"

        return responses.StreamingResponse(lines(), media_type="application/x-ndjson")

    app.get("/v1/items/{name}")(get_item)
    app.post("/v1/accounts/{account_id}/orders")(place_order)
    app.get("/v1/accounts/{account_id}/orders")(list_orders)
    app.get("/v1/accounts/{account_id}/orders:watch")(watch_orders)
    return app


if __name__ == "__main__":
    uvicorn.run(
        build(Path(sys.argv[1]), sys.argv[2]), host="127.0.0.1", port=int(sys.argv[3]), loop="uvloop",
        http="httptools", log_config=None, access_log=False,
    )  # fmt: skip
