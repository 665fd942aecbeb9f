"""`python -m gateway.transcoding` as a process of its own, before a real gRPC server."""

import asyncio
import json
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from unit.gateway.transcoding.everything_api import SERVICE, descriptor_set
from unit.gateway.transcoding.servers import grpc_server
from unit.gateway.transcoding.servicer import EverythingServicer

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    process: asyncio.subprocess.Process
    http: aiohttp.ClientSession
    servicer: EverythingServicer

    async def get(self, path: str) -> Any:
        async with self.http.get(path) as answer:
            return json.loads(await answer.text())


@asynccontextmanager
async def running(folder: Path, *options: str, by_name: bool = False) -> AsyncIterator[Running]:
    path = folder / "everything.binpb"
    path.write_bytes(descriptor_set().SerializeToString())
    servicer = EverythingServicer()
    async with grpc_server(servicer) as address:
        target = f"{SERVICE}={address}" if by_name else address
        command = [
            sys.executable,
            "-m",
            "gateway.transcoding",
            "--descriptors",
            str(path),
            "--target",
            target,
        ]
        process = await asyncio.create_subprocess_exec(
            *command, "--listen", "127.0.0.1:0", *options,
            cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        try:
            url = await asyncio.wait_for(_url(process), 30)
            async with aiohttp.ClientSession(url, timeout=aiohttp.ClientTimeout(20)) as http:
                yield Running(process=process, http=http, servicer=servicer)
        finally:
            if process.returncode is None:
                process.terminate()
            await asyncio.wait_for(process.wait(), 30)


async def _url(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    line = (await process.stdout.readline()).decode()
    match = re.fullmatch(r"serving on (127\.0\.0\.1:\d+)\n", line)
    assert match is not None, line
    return f"http://{match[1]}"


async def test_a_descriptor_set_is_served_without_a_line_of_code(tmp_path: Path) -> None:
    async with running(tmp_path, "--title", "Echo") as gateway:
        item = await gateway.get("/v1/items/x?int64Value=5")
        document = await gateway.get("/openapi.json")
        async with gateway.http.get("/docs") as page:
            assert "<title>Echo</title>" in await page.text()
        async with gateway.http.get(f"/healthz?service={SERVICE}") as health:
            assert health.status == 503
        async with gateway.http.get("/v1/watch?int32Value=2") as stream:
            lines = (await stream.text()).splitlines()

    assert (item["text"], item["int64Value"], item["flag"]) == ("x", "5", False)
    assert document["info"]["title"] == "Echo"
    assert len(lines) == 2
    assert gateway.process.returncode == 0


async def test_options_decide_how_it_looks(tmp_path: Path) -> None:
    options = ["--proto-names", "--unset", "omit", "--int64-as-number", "--enum-as-number"]
    options += ["--unknown-parameters", "ignore"]
    async with running(tmp_path, *options, by_name=True) as gateway:
        item = await gateway.get("/v1/items/x?int64Value=5&color=RED&noSuch=1")
        async with gateway.http.get("/v1/items/x?pretty") as pretty:
            text = await pretty.text()

    assert item == {"text": "x", "int64_value": 5, "color": 1}
    assert text == '{\n  "text": "x"\n}\n'


async def test_two_workers_serve_one_port_and_drain_together(tmp_path: Path) -> None:
    async with running(tmp_path, "--workers", "2") as gateway:
        answers = await asyncio.gather(*(gateway.get(f"/v1/items/{number}") for number in range(20)))
        waiting = asyncio.create_task(gateway.get("/v1/silent"))
        async with asyncio.timeout(10):
            await gateway.servicer.hanging.wait()
        gateway.process.send_signal(signal.SIGTERM)
        gateway.servicer.release.set()
        last = await waiting
        async with asyncio.timeout(20):
            code = await gateway.process.wait()

    assert [answer["text"] for answer in answers] == [str(number) for number in range(20)]
    assert last["result"]["text"] == "at last"
    assert code == 0


def _workers_of(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in children if "spawn_main" in Path(f"/proc/{child}/cmdline").read_text()]


async def test_a_worker_that_dies_ends_them_all_with_an_error(tmp_path: Path) -> None:
    async with running(tmp_path, "--workers", "2") as gateway:
        await gateway.get("/livez")  # so that there is one
        workers = _workers_of(gateway.process.pid)
        os.kill(workers[0], signal.SIGKILL)
        async with asyncio.timeout(20):
            assert await gateway.process.wait() == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
async def test_a_stop_lets_what_is_under_way_end(tmp_path: Path, number: signal.Signals) -> None:
    async with running(tmp_path) as gateway:
        waiting = asyncio.create_task(gateway.get("/v1/silent"))
        async with asyncio.timeout(10):
            await gateway.servicer.hanging.wait()
        gateway.process.send_signal(number)
        gateway.servicer.release.set()
        answer = await waiting
        async with asyncio.timeout(20):
            code = await gateway.process.wait()

    assert answer["result"]["text"] == "at last"
    assert code == 0
