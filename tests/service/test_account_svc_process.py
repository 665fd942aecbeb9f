"""account_svc as a process of its own: started, killed, started again."""

import asyncio
import json
import re
import signal
import sys
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from fakes.account_service import SCENARIO, WAIT_SECONDS, Exchange
from opitios.account.v1.account_pb2 import BALANCE_VERDICT_ALLOWED
from opitios.account.v1.account_service_pb2 import AuthorizeOrderRequest, CheckBalanceRequest
from opitios.account.v1.account_service_pb2_grpc import AccountServiceStub
from runtime.channel import open_channel
from sandbox_process import SandboxProcess

pytestmark = pytest.mark.asyncio(loop_scope="module")

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 60.0
LISTENING = re.compile(r"Listening on \S+ \(port (\d+)\)")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def sandbox() -> AsyncIterator[SandboxProcess]:
    async with SandboxProcess(SCENARIO) as process:
        yield process


@pytest_asyncio.fixture(loop_scope="module")
async def config(sandbox: SandboxProcess, tmp_path: Path) -> Path:
    exchange = Exchange(sandbox, uuid.uuid4().hex[:8])
    await exchange.open_account("main", "PA3000001")
    return write_config(tmp_path, {"main": exchange.configured("main")}, exchange.url)


def write_config(folder: Path, accounts: Mapping[str, Any], url: str, **more: object) -> Path:
    path = folder / "secrets.yml"
    content = {
        "accounts": accounts,
        "alpaca": {"trading_url": url, "data_url": url},
        "storage": {"url": f"sqlite:///{folder}/opitios.db"},
        "services": {"account": {"listen": "127.0.0.1:0"}},
        "logging": {"directory": str(folder / "logs"), "console": True},
        **more,
    }
    # JSON is YAML.
    path.write_text(json.dumps(content))
    path.chmod(0o600)
    return path


async def spawn(config: Path, *arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "account_svc", "--config", str(config), *arguments),
        cwd=ROOT,
        stderr=asyncio.subprocess.PIPE,
    )


@asynccontextmanager
async def running(config: Path) -> AsyncIterator[tuple[asyncio.subprocess.Process, int]]:
    """The process and its port; whatever is left of it is killed."""
    process = await spawn(config)
    try:
        yield process, await port_of(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def port_of(process: asyncio.subprocess.Process) -> int:
    assert process.stderr is not None
    async with asyncio.timeout(START_SECONDS):
        while line := (await process.stderr.readline()).decode():
            if found := LISTENING.search(line):
                return int(found[1])
    raise AssertionError("account_svc ended before it listened")


async def test_holds_outlive_a_process_killed_at_any_moment(config: Path) -> None:
    request = AuthorizeOrderRequest(
        account_id="main",
        hold_id="kept",
        symbol="MSFT",
        side="buy",
        order_type="limit",
        qty="2",
        limit_price="300",
    )
    async with running(config) as (process, port), open_channel(f"127.0.0.1:{port}") as channel:
        answer = await AccountServiceStub(channel).AuthorizeOrder(request, timeout=WAIT_SECONDS)
        process.send_signal(signal.SIGKILL)
        await process.wait()

    async with running(config) as (_, port), open_channel(f"127.0.0.1:{port}") as channel:
        report = await AccountServiceStub(channel).CheckBalance(
            CheckBalanceRequest(account_id="main"), timeout=WAIT_SECONDS
        )

    assert answer.verdict == BALANCE_VERDICT_ALLOWED
    assert [hold.hold_id for hold in report.holds] == ["kept"]


async def test_a_first_signal_drains_and_ends_with_0(config: Path) -> None:
    async with running(config) as (process, _):
        process.terminate()
        async with asyncio.timeout(WAIT_SECONDS):
            _, rest = await process.communicate()

    assert process.returncode == 0
    assert b"account_svc stopped" in rest


async def test_a_second_process_does_not_share_the_holds(config: Path) -> None:
    async with running(config):
        second = await spawn(config)
        async with asyncio.timeout(START_SECONDS):
            _, said = await second.communicate()

    assert second.returncode == 1
    assert b"is in use by another process" in said


async def test_a_switched_off_guard_is_announced_at_the_start(
    sandbox: SandboxProcess, tmp_path: Path
) -> None:
    config = write_config(tmp_path, {}, sandbox.url, trading={"balance_check_enabled": False})
    async with running(config) as (process, _):
        process.terminate()
        await process.communicate()

    log = (tmp_path / "logs" / "app" / "account_svc.log").read_text()
    assert "WARNING | trading.balance_check_enabled is false" in log


async def test_a_wrong_configuration_is_named_and_nothing_starts(tmp_path: Path) -> None:
    config = write_config(tmp_path, {}, "http://127.0.0.1:1", trading={"minimum_balance": -1})

    process = await spawn(config, "--check")
    async with asyncio.timeout(START_SECONDS):
        _, said = await process.communicate()

    assert process.returncode == 2
    assert b"trading.minimum_balance" in said
