"""Requests that the documents allow, and some they do not, drawn by schemathesis against the whole gateway."""

import asyncio
import importlib.util
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from fakes.gateway_market import CALL, bars, chain, contract, option_quotes, quote, stock_quotes
from fakes.gateway_orders import account, listed, option_order, placed, stock_order
from fakes.gateway_services import Gateway, running_gateway, token_of
from opitios.account.v1 import account_service_pb2, market_data_service_pb2
from opitios.order.v1 import order_service_pb2
from opitios.sell.v1 import sell_service_pb2

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(
        importlib.util.find_spec("schemathesis") is None, reason="schemathesis is not installed"
    ),
]

FILES = (account_service_pb2, market_data_service_pb2, order_service_pb2, sell_service_pb2)
TOLD: dict[str, Message] = {
    "ListAccounts": listed(account("paper"), account("live")),
    "PlaceOrder": placed(stock_order()),
    "ListOrders": order_service_pb2.ListOrdersResponse(orders=[stock_order(), option_order()]),
    "GetStockQuotes": stock_quotes(quote("AAPL")),
    "GetOptionQuotes": option_quotes(quote(CALL)),
    "GetStockBars": bars(),
    "GetOptionChain": chain(contract(CALL)),
}
"""What the services say; the others answer an empty message."""


def methods() -> list[MethodDescriptor]:
    return [
        method
        for file in FILES
        for service in file.DESCRIPTOR.services_by_name.values()
        for method in service.methods
        if not method.server_streaming
    ]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def gateway() -> AsyncIterator[Gateway]:
    async with running_gateway(rate_limit={"default_limit": 1_000_000}) as running:
        for method in methods():
            running.on(method.name, TOLD.get(method.name) or GetMessageClass(method.output_type)())
        yield running


@pytest.mark.timeout(300)  # it draws for each operation in a process of its own
@pytest.mark.parametrize(
    ("path", "reached"),
    [
        ("/openapi.json", {"PlaceOrder", "CancelOrder", "ListOrders", "GetOptionChain", "GetStatus"}),
        ("/openapi-legacy.json", {"ListAccounts", "GetAccount", "ListPositions", "ListOrders"}),
    ],
    ids=["v1", "legacy"],
)
async def test_no_request_makes_the_gateway_fail_and_answers_are_as_documented(
    gateway: Gateway, path: str, reached: set[str], tmp_path: Path
) -> None:
    gateway.services.requests.clear()
    url = f"http://127.0.0.1:{gateway.port}{path}"
    command = [sys.executable, "-m", "schemathesis.cli", "run", url, "--mode", "all"]
    command += ["--checks", "not_a_server_error,content_type_conformance,response_schema_conformance"]
    command += ["--header", f"Authorization: Bearer {token_of(user_id='a', role='admin')}"]
    command += ["--phases", "fuzzing", "--max-examples", "3", "--seed", "1", "--no-color"]
    command += ["--suppress-health-check", "all", "--max-failures", "20"]
    python_path = os.pathsep.join((str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")))
    environment = {
        **os.environ,
        "SCHEMATHESIS_HOOKS": "schemathesis_accounts",
        "PYTHONPATH": python_path,
    }
    process = await asyncio.create_subprocess_exec(
        *command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    output, _ = await process.communicate()

    assert process.returncode == 0, output.decode()[-8000:]
    # Otherwise the requests were all turned away at the door.
    assert reached <= gateway.services.requests.keys()
