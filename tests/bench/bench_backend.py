"""The gRPC server behind every gateway of the benchmark: a process of its own that answers what is ready."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from functools import cache
from pathlib import Path
from typing import Any

import grpc
import uvloop
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.message import Message

from gateway.transcoding.message_types import class_of, pool_of

SERVICE = "bench.v1.Bench"
MESSAGES = 1000


@cache
def classes(descriptors: Path) -> dict[str, type[Message]]:
    """Return the message classes by their short names."""
    files = FileDescriptorSet.FromString(descriptors.read_bytes())
    pool = pool_of(files)
    names = [
        "GetItemRequest",
        "Item",
        "PlaceOrderRequest",
        "Order",
        "ListOrdersRequest",
        "ListOrdersResponse",
    ]
    return {name: class_of(pool.FindMessageTypeByName(f"bench.v1.{name}")) for name in names}


def order(make: Any, number: int) -> Any:
    """Return an order as a broker would have it."""
    made = make(
        order_id=f"61e69015-8549-4bfd-b9c3-01e75843f{number:03}", account_id="PA3000001", client_order_id=f"c-{number}",
        symbol="AAPL", side=1, qty="100", filled_qty="25.5", limit_price="187.25", duration_ms=245, tags=["exit", "swing"],
    )  # fmt: skip
    made.created_at.FromJsonString("2026-11-24T14:30:25.123Z")
    made.updated_at.FromJsonString("2026-11-24T14:30:25.368Z")
    return made


class Backend:
    """Answers that were made, and serialised, before anybody asked."""

    def __init__(self, descriptors: Path) -> None:
        make: Any = classes(descriptors)
        self._item: bytes = make["Item"](
            name="AAPL", price="187.25", volume=51_234_567, open=True
        ).SerializeToString()
        self._order: bytes = order(make["Order"], 1).SerializeToString()
        orders = [order(make["Order"], number) for number in range(200)]
        self._orders: bytes = make["ListOrdersResponse"](orders=orders).SerializeToString()

    async def get_item(self, _request: bytes, _context: Any) -> bytes:
        return self._item

    async def place_order(self, _request: bytes, _context: Any) -> bytes:
        return self._order

    async def list_orders(self, _request: bytes, _context: Any) -> bytes:
        return self._orders

    async def watch_orders(self, _request: bytes, _context: Any) -> AsyncIterator[bytes]:
        for _ in range(MESSAGES):
            yield self._order


async def main(descriptors: Path) -> None:
    """Serve until told to stop; the port is the one line printed."""
    backend = Backend(descriptors)
    server = grpc.aio.server()
    handlers: dict[str, Any] = {
        "GetItem": grpc.unary_unary_rpc_method_handler(backend.get_item),
        "PlaceOrder": grpc.unary_unary_rpc_method_handler(backend.place_order),
        "ListOrders": grpc.unary_unary_rpc_method_handler(backend.list_orders),
        "WatchOrders": grpc.unary_stream_rpc_method_handler(backend.watch_orders),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(port, flush=True)
    await server.wait_for_termination()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(Path(sys.argv[1])))
