"""Clients that nobody here wrote trade on the sandbox, unmodified but for their URL, each with its own dependencies.

Their packages are installed once into build/clients, at the versions that tests/clients pins; an installation
that fails fails the tests. The OpenAPI documents are those that alpaca-mcp-server ships.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
import pytest_asyncio

from client_environments import PINS, node_modules, packages_of
from sandbox_process import SandboxProcess

pytestmark = pytest.mark.timeout(400)  # the first run installs the clients

KEY, SECRET = "PKCLIENTS", "a-made-up-secret"
ACCOUNT = {"name": "c", "key": KEY, "secret": SECRET, "account_number": "PA42", "cash": "1000000"}
SCENARIO = {
    "clock": {"at": "2026-11-24T15:00:00Z"},
    "rate_limit": None,
    "accounts": [ACCOUNT],
    "quotes": {
        "AAPL": {"bid": "189.98", "ask": "190.02", "last": "190.00"},
        "MSFT": {"bid": "299.95", "ask": "300.05", "last": "300.00"},
        "AAPL301220C00200000": {"bid": "29.95", "ask": "30.05", "last": "30.00"},
        "AAPL301220C00210000": {"bid": "24.95", "ask": "25.05", "last": "25.00"},
    },
}
WITHIN_S = 90.0

# Where the sandbox's answers are not what the documents say: (path, place) and why. Everything else is as described.
NOT_DESCRIBED = {
    ("/v2/orders", "*/symbol"): "the document's own MultilegOptionsOrderResponse example has no symbol",
    ("/v2/orders", "*/side"): "that example has no side",
    ("/v2/orders", "*/asset_class"): "that example has no asset class",
    ("/v2/orders", "*/legs/*/type"): "the legs of that example have no type of their own",
    ("/v2/orders", "*/type"): "a leg listed flat is the leg of that example",
    ("/v2/orders", "symbol"): "as in the list",
    ("/v2/orders", "side"): "as in the list",
    ("/v2/orders", "asset_class"): "as in the list",
    ("/v2/orders", "legs/*/type"): "as in the list",
    ("/v2/orders/{order_id}", ""): "404 for an unknown order is in the document of errors, not in this path's list",
    ("/v2/positions/{symbol_or_asset_id}", ""): "404 for a flat symbol, which alpaca-py's recorded answers hold",
    ("/v2/positions", "*/body"): "a position that cannot be closed has an error body, as in alpaca-py's recorded answers",
    ("/v2/account/activities/{activity_type}", "*"): "neither kind of activity requires a field, so a fill matches both of oneOf",
    ("/v2/account/activities", "*"): "the same",
}  # fmt: skip

Json = dict[str, Any]


@pytest_asyncio.fixture
async def sandbox() -> AsyncIterator[SandboxProcess]:
    async with SandboxProcess(SCENARIO) as process:
        yield process


def urls(sandbox: SandboxProcess) -> dict[str, str]:
    """What the clients read from the environment."""
    return {
        "SANDBOX_URL": sandbox.url,
        "APCA_API_BASE_URL": sandbox.url,
        "APCA_API_DATA_URL": sandbox.url,
        "DATA_API_URL": sandbox.url,
        **dict.fromkeys(("APCA_API_KEY_ID", "ALPACA_API_KEY"), KEY),
        **dict.fromkeys(("APCA_API_SECRET_KEY", "ALPACA_SECRET_KEY"), SECRET),
    }


async def seen_by(command: list[str], environment: Mapping[str, str]) -> Json:
    """What a client's script prints, a JSON object; its errors are shown when it fails."""
    process = await asyncio.create_subprocess_exec(
        *command,
        env={**os.environ, **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(WITHIN_S):
            output, errors = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, errors.decode()[-4000:]
    seen: Json = json.loads(output)
    return seen


async def python_client(sandbox: SandboxProcess, package: str, script: str) -> Json:
    packages = await asyncio.to_thread(packages_of, package)
    # -P and -s keep this project's own packages out of the client's sight.
    environment = {**urls(sandbox), "PYTHONPATH": str(packages)}
    return await seen_by([sys.executable, "-P", "-s", str(PINS / script)], environment)


async def test_alpaca_trade_api_trades(sandbox: SandboxProcess) -> None:
    seen = await python_client(sandbox, "alpaca-trade-api", "trade_api_client.py")

    assert seen == {
        "account": ["PA42", "ACTIVE"],
        "clock": True,
        "calendar": ["2026-11-23", "2026-11-24", "2026-11-25", "2026-11-27", "2026-11-30"],
        "assets": ["AAPL", "MSFT"],
        "asset": "AAPL",
        "order": ["pending_new", "filled", True],
        "position": ["2", 1],
        "bracket": ["limit", "stop_limit"],
        "open": 1,
        "replaced": [True, "replaced"],
        "cancelled": "canceled",
        "left": 0,
        "closed": ["sell", "1"],
        "closed_all": 1,
        "fills": ["buy", "sell", "sell"],
        "bars": 4,
        "latest": [190.02, 190],
        "snapshot": 189.98,
        "many": ["AAPL", "MSFT"],
        "watchlist": ["AAPL", "MSFT"],
        "configurations": True,
        "duplicate": [422, 40010001],
    }


async def test_every_tool_of_the_mcp_server_that_trades_or_reads_gives_data(sandbox: SandboxProcess) -> None:
    seen = await python_client(sandbox, "alpaca-mcp-server", "mcp_client.py")
    data = {name: answer.get("data", answer) for name, answer in seen.items()}
    failed = {name: answer for name, answer in data.items() if "error" in answer or "unknown" in answer}

    assert failed == {}
    assert data["get_account_info"]["account_number"] == "PA42"
    assert data["place_stock_order"]["status"] == "pending_new"
    assert data["get_open_position"]["qty"] == "2"
    assert len(data["get_stock_bars"]["bars"]["AAPL"]) == 4
    assert set(data["get_option_chain"]["snapshots"]) == {"AAPL301220C00200000", "AAPL301220C00210000"}


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
async def test_the_javascript_sdk_trades_and_hears_of_it(sandbox: SandboxProcess) -> None:
    modules = await asyncio.to_thread(node_modules)
    seen = await seen_by(["node", str(PINS / "js_client.cjs")], {**urls(sandbox), "NODE_PATH": str(modules)})

    assert seen == {
        "account": "PA42",
        "clock": True,
        "assets": ["AAPL", "MSFT"],
        "order": ["pending_new", "filled", "190.02"],
        "found": True,
        "bracket": ["limit", "stop"],
        "replaced": True,
        "positions": [["AAPL", "2"]],
        "cancelled": True,
        "quote": 190.02,
        "bars": 4,
        "authenticated": True,
        "fill": ["fill", "MSFT"],
    }


async def test_answers_are_as_alpacas_openapi_documents_describe_them(sandbox: SandboxProcess) -> None:
    seen = await python_client(sandbox, "alpaca-mcp-server", "openapi_check.py")
    found = {(path, place) for _, path, place, _ in seen["differences"]}

    assert seen["undescribed"] == []
    assert len(seen["checked"]) >= 50
    assert dict.fromkeys(found - set(NOT_DESCRIBED), seen["differences"]) == {}
