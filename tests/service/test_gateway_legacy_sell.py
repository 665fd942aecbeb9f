"""GET /api/v1/sell and POST /api/v1/sell/control as legacy-rest.md has them, with real values."""

import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from google.protobuf.timestamp_pb2 import Timestamp

from fakes.gateway_orders import reasoned
from fakes.gateway_services import Gateway, running_gateway, token_of
from opitios.sell.v1 import sell_service_pb2 as service
from runtime.errors import FailedPrecondition, Unavailable

pytestmark = [pytest.mark.asyncio(loop_scope="module")]

T3 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}")
CONTROL = "/api/v1/sell/control"


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def running() -> AsyncIterator[Gateway]:
    async with running_gateway(sell_module={"enabled": True, "check_interval": 7}) as gateway:
        yield gateway


@pytest.fixture
def gateway(running: Gateway) -> Gateway:
    running.services.forget()
    running.clock.advance(61)
    return running


def at(gateway: Gateway, seconds_ago: float) -> Timestamp:
    moment = Timestamp()
    moment.FromDatetime(gateway.clock.now())
    moment.seconds -= int(seconds_ago)
    return moment


def monitor(gateway: Gateway) -> service.MonitorStatus:
    return service.MonitorStatus(
        desired_running=True,
        running=True,
        enabled=True,
        started_at=at(gateway, 3723),
        last_tick_at=at(gateway, 1),
        sold=3,
        cancelled=4,
        failed=1,
        check_interval_seconds="5",
        order_cancel_minutes="3",
        strategy_enabled=True,
        profit_rate="1.1",
        stop_loss_rate="0.8",
        zero_day_handling=True,
        last_activity_at=at(gateway, 30),
        accounts_known=True,
    )


async def test_a_running_monitor_is_shown_with_its_real_figures(gateway: Gateway) -> None:
    gateway.on("GetStatus", service.GetStatusResponse(status=monitor(gateway)))

    answer = await gateway.call("GET", "/api/v1/sell")

    assert answer.status == 200
    shown = answer.json
    assert T3.fullmatch(shown.pop("timestamp"))
    assert T3.fullmatch(shown["health"].pop("last_check"))
    assert T3.fullmatch(shown["statistics"].pop("last_activity"))
    assert shown == {
        "service": {
            "name": "sell_background_service",
            "status": "running",
            "enabled": True,
            "uptime": "1:02:03",
            "task_status": "running",
            "integration": "fastapi_lifespan",
            "non_blocking": True,
        },
        "health": {
            "status": "healthy",
            "checks": {
                "service_enabled": True,
                "service_running": True,
                "task_running": True,
                "watcher_initialized": True,
                "account_pool_ready": True,
            },
            "errors": [],
        },
        "config": {
            "enabled": True,
            "check_interval": 5.0,
            "order_cancel_minutes": 3.0,
            "zero_day_handling": True,
            "strategy_one": {"enabled": True, "profit_rate": 1.1, "stop_loss_rate": 0.8},
        },
        "statistics": {"orders_processed": 8, "success_rate": 0.875},
    }


async def test_a_monitor_in_trouble_says_where(gateway: Gateway) -> None:
    status = monitor(gateway)
    status.accounts.add(account_id="a", error="Alpaca did not answer")
    status.accounts.add(account_id="b", exits_blocked=2)
    status.accounts.add(account_id="c")
    gateway.on("GetStatus", service.GetStatusResponse(status=status))

    health = (await gateway.call("GET", "/api/v1/sell")).json["health"]

    assert health["status"] == "unhealthy"
    assert health["errors"] == ["a: Alpaca did not answer", "b: the balance guard denied 2 exits"]


async def test_a_loop_that_has_ended_by_itself_is_not_called_running(gateway: Gateway) -> None:
    status = monitor(gateway)
    status.running = False
    gateway.on("GetStatus", service.GetStatusResponse(status=status))

    shown = (await gateway.call("GET", "/api/v1/sell")).json

    assert (shown["service"]["status"], shown["service"]["task_status"]) == ("running", "stopped")
    assert shown["service"]["uptime"] == "Unknown"
    assert shown["health"]["status"] == "unhealthy"


async def test_a_monitor_that_never_acted_has_no_last_activity(gateway: Gateway) -> None:
    gateway.on("GetStatus", service.GetStatusResponse(status=service.MonitorStatus()))

    answer = await gateway.call("GET", "/api/v1/sell")

    assert '"statistics":{"orders_processed":0,"success_rate":0.0,"last_activity":null}' in answer.text


async def test_a_sell_service_that_does_not_answer_is_stopped_and_unhealthy_and_no_5xx() -> None:
    async with running_gateway(sell_module={"enabled": True, "check_interval": 7}) as gateway:
        await gateway.sell_server.stop(0)

        answer = await gateway.call("GET", "/api/v1/sell")

    assert answer.status == 200
    assert answer.json["service"]["status"] == "stopped"
    assert answer.json["health"]["status"] == "unhealthy"
    assert answer.json["health"]["errors"][0].startswith("the sell service does not answer: ")
    assert answer.json["config"]["check_interval"] == 7.0


CONTROL_ROWS = [
    (
        "start",
        "start",
        ("StartMonitoring", service.StartMonitoringResponse(changed=True)),
        (True, "running", "Sell service started successfully"),
    ),
    (
        "start in capitals",
        "START",
        ("StartMonitoring", service.StartMonitoringResponse(changed=True)),
        (True, "running", "Sell service started successfully"),
    ),
    (
        "start again",
        "start",
        ("StartMonitoring", service.StartMonitoringResponse(changed=False)),
        (False, "unchanged", "Sell service is already running"),
    ),
    (
        "start while disabled",
        "start",
        ("StartMonitoring", reasoned(FailedPrecondition("sell_module.enabled is false"), "DISABLED")),
        (False, "unchanged", "sell_module.enabled is false"),
    ),
    (
        "stop",
        "stop",
        ("StopMonitoring", service.StopMonitoringResponse(changed=True)),
        (True, "stopped", "Sell service stopped successfully"),
    ),
    (
        "stop again",
        "Stop",
        ("StopMonitoring", service.StopMonitoringResponse(changed=False)),
        (True, "stopped", "Sell service stopped successfully"),
    ),
    (
        "restart",
        "restart",
        ("RestartMonitoring", service.RestartMonitoringResponse()),
        (True, "running", "Sell service restarted successfully"),
    ),
    (
        "restart that fails",
        "restart",
        ("RestartMonitoring", reasoned(Unavailable("draining"), "DRAINING")),
        (False, "error", "Sell service failed to restart: draining"),
    ),
]


@pytest.mark.parametrize(
    ("action", "answered", "expected"),
    [row[1:] for row in CONTROL_ROWS],
    ids=[row[0] for row in CONTROL_ROWS],
)
async def test_control_answers_200_with_what_became_of_it(
    gateway: Gateway,
    action: str,
    answered: tuple[str, service.StartMonitoringResponse],
    expected: tuple[bool, str, str],
) -> None:
    gateway.on(*answered)

    answer = await gateway.call("POST", CONTROL, body={"action": action})

    assert answer.status == 200
    assert T3.fullmatch(answer.json.pop("timestamp"))
    assert list(answer.json) == ["success", "action", "message", "new_status", "timestamp"]
    shown = answer.json
    assert (shown["success"], shown["new_status"], shown["message"]) == expected
    assert shown["action"] == action.lower()


async def test_an_unknown_action_is_a_400(gateway: Gateway) -> None:
    answer = await gateway.call("POST", CONTROL, body={"action": "foo"})

    assert answer.status == 400
    assert answer.json == {"detail": "Invalid action 'foo'. Must be: start, stop, or restart"}


@pytest.mark.parametrize(
    ("body", "kind"), [({}, "missing"), ({"action": 1}, "string_type")], ids=["no action", "a number"]
)
async def test_an_action_that_is_no_text_is_a_422(gateway: Gateway, body: object, kind: str) -> None:
    answer = await gateway.call("POST", CONTROL, body=body)

    assert answer.status == 422
    (fault,) = answer.json["detail"]
    assert (fault["type"], fault["loc"]) == (kind, ["body", "action"])


async def test_a_stop_that_did_not_arrive_is_not_said_to_have_succeeded(gateway: Gateway) -> None:
    gateway.on("StopMonitoring", reasoned(Unavailable("not reachable"), "AWAY"))

    answer = await gateway.call("POST", CONTROL, body={"action": "stop"})

    assert (answer.status, answer.json) == (503, {"detail": "not reachable"})


@pytest.mark.parametrize(
    ("claims", "status"),
    [({}, 403), ({"role": "trader"}, 403), ({"permissions": ["admin"]}, 403), ({"role": "admin"}, 200)],
)
async def test_from_outside_control_needs_the_admin_role(
    gateway: Gateway, claims: dict[str, Any], status: int
) -> None:
    gateway.on("StopMonitoring", service.StopMonitoringResponse())
    token = token_of(user_id="u", **claims)

    answer = await gateway.call("POST", CONTROL, body={"action": "stop"}, outside=True, token=token)

    assert answer.status == status
    if status == 403:
        role = claims.get("role", "user")
        assert answer.json == {"detail": f"You need one of roles: ['admin']. Current role: {role}"}
        assert gateway.times_asked("StopMonitoring") == 0
