"""The sell monitor's status as the former service showed it; pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final

from gateway.legacy.errors import error_text
from gateway.legacy.numbers import number
from gateway.legacy.time_formats import server_wall_clock
from opitios.legacy.v1 import legacy_api_pb2 as legacy
from opitios.sell.v1.sell_service_pb2 import MonitorStatus
from runtime.errors import ServiceError

SERVICE_NAME: Final = "sell_background_service"
INTEGRATION: Final = "fastapi_lifespan"
"""Not how it is built any more, but what callers compare."""
UNKNOWN_UPTIME: Final = "Unknown"
SUCCESS_DECIMALS: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class SellDefaults:
    """What the configuration says, for when the monitor itself cannot be asked."""

    enabled: bool
    check_interval_seconds: float
    order_cancel_minutes: float
    zero_day_handling: bool
    strategy_enabled: bool
    profit_rate: Decimal
    stop_loss_rate: Decimal


def status_view(status: MonitorStatus, now: datetime) -> legacy.GetSellStatusResponse:
    """The monitor's own report."""
    errors = list(_errors(status))
    healthy = status.enabled and status.running and not errors
    return legacy.GetSellStatusResponse(
        service=_service(
            running=status.running,
            desired=status.desired_running,
            enabled=status.enabled,
            uptime=_uptime(status, now),
        ),
        health=legacy.SellHealth(
            status="healthy" if healthy else "unhealthy",
            last_check=server_wall_clock(now),
            checks=legacy.SellChecks(
                service_enabled=status.enabled,
                service_running=status.desired_running,
                task_running=status.running,
                watcher_initialized=status.HasField("last_tick_at"),
                account_pool_ready=status.accounts_known,
            ),
            errors=errors,
        ),
        config=legacy.SellConfig(
            enabled=status.enabled,
            check_interval=number(status.check_interval_seconds),
            order_cancel_minutes=number(status.order_cancel_minutes),
            zero_day_handling=status.zero_day_handling,
            strategy_one=legacy.SellStrategy(
                enabled=status.strategy_enabled,
                profit_rate=number(status.profit_rate),
                stop_loss_rate=number(status.stop_loss_rate),
            ),
        ),
        statistics=_statistics(status),
        timestamp=server_wall_clock(now),
    )


def unreachable_view(
    error: ServiceError, defaults: SellDefaults, now: datetime
) -> legacy.GetSellStatusResponse:
    """What is left to say of a monitor that does not answer."""
    return legacy.GetSellStatusResponse(
        service=_service(running=False, desired=False, enabled=defaults.enabled, uptime=UNKNOWN_UPTIME),
        health=legacy.SellHealth(
            status="unhealthy",
            last_check=server_wall_clock(now),
            checks=legacy.SellChecks(service_enabled=defaults.enabled),
            errors=[f"the sell service does not answer: {error_text(error)}"],
        ),
        config=legacy.SellConfig(
            enabled=defaults.enabled,
            check_interval=defaults.check_interval_seconds,
            order_cancel_minutes=defaults.order_cancel_minutes,
            zero_day_handling=defaults.zero_day_handling,
            strategy_one=legacy.SellStrategy(
                enabled=defaults.strategy_enabled,
                profit_rate=float(defaults.profit_rate),
                stop_loss_rate=float(defaults.stop_loss_rate),
            ),
        ),
        statistics=legacy.SellStatistics(),
        timestamp=server_wall_clock(now),
    )


def _service(*, running: bool, desired: bool, enabled: bool, uptime: str) -> legacy.SellService:
    return legacy.SellService(
        name=SERVICE_NAME,
        status="running" if desired else "stopped",
        enabled=enabled,
        uptime=uptime,
        task_status="running" if running else "stopped",
        integration=INTEGRATION,
        non_blocking=True,
    )


def _uptime(status: MonitorStatus, now: datetime) -> str:
    if not status.running or not status.HasField("started_at"):
        return UNKNOWN_UPTIME
    up = now - status.started_at.ToDatetime(tzinfo=UTC)
    return str(timedelta(seconds=max(0, int(up.total_seconds()))))


def _errors(status: MonitorStatus) -> Iterator[str]:
    if status.desired_running and not status.running:
        yield "the monitor was started but its loop does not run"
    if status.running and status.HasField("last_tick_at") and not status.accounts_known:
        yield "the account service did not answer the last tick"
    for account in status.accounts:
        if account.error:
            yield f"{account.account_id}: {account.error}"
        if account.exits_blocked:
            yield f"{account.account_id}: the balance guard denied {account.exits_blocked} exits"


def _statistics(status: MonitorStatus) -> legacy.SellStatistics:
    done = status.sold + status.cancelled
    tried = done + status.failed
    return legacy.SellStatistics(
        orders_processed=tried,
        success_rate=round(done / tried, SUCCESS_DECIMALS) if tried else 0.0,
        last_activity=server_wall_clock(status.last_activity_at.ToDatetime(tzinfo=UTC))
        if status.HasField("last_activity_at")
        else None,
    )
