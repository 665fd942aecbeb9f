import pytest

from gateway.transcoding.health import Health
from unit.gateway.transcoding.everything_api import AsgiClient
from unit.gateway.transcoding.servicer import transcoder


async def check(service: str) -> Health:
    return Health[service] if service else Health.SERVING


@pytest.fixture(scope="module")
def app() -> AsgiClient:
    return AsgiClient(transcoder(check_health=check))


@pytest.mark.parametrize(
    ("service", "status"),
    [
        ("", 200),
        ("SERVING", 200),
        ("NOT_SERVING", 503),
        ("UNKNOWN", 503),
        ("SERVICE_UNKNOWN", 404),
        ("UNIMPLEMENTED", 501),
    ],
)
async def test_healthz_answers_what_the_service_says(app: AsgiClient, service: str, status: int) -> None:
    answer = await app.get(f"/healthz?service={service}" if service else "/healthz")

    assert (answer.status, answer.json()) == (status, {"status": service or "SERVING"})
    assert answer.header("cache-control") == "no-store"


async def test_livez_asks_nobody(client: AsgiClient) -> None:
    assert (await client.get("/livez")).status == 200
    assert (await client.request("HEAD", "/livez")).status == 200
    assert (await client.request("POST", "/livez")).status == 404


async def test_healthz_without_anybody_to_ask_is_an_unknown_path(client: AsgiClient) -> None:
    assert (await client.get("/healthz")).status == 404
