"""The three time texts that callers of the legacy routes parse; pure."""

from datetime import datetime, tzinfo
from typing import Final
from zoneinfo import ZoneInfo

EASTERN: Final = ZoneInfo("America/New_York")


def eastern_with_zone(moment: datetime) -> str:
    """T1: US/Eastern with its abbreviation, `2025-09-18 15:53:53 EDT`; seconds are cut, not rounded."""
    return moment.astimezone(EASTERN).strftime("%Y-%m-%d %H:%M:%S %Z")


def eastern_wall_clock(moment: datetime) -> str:
    """T2: US/Eastern without zone, `2025-09-18T15:53:53`.

    A reader cannot tell the two passes through the hour that the clocks repeat in autumn;
    callers that must use /v1.
    """
    return moment.astimezone(EASTERN).strftime("%Y-%m-%dT%H:%M:%S")


def server_wall_clock(moment: datetime, zone: tzinfo | None = None) -> str:
    """T3: the server's own zone (or `zone`) without naming it, `2026-11-24T11:12:38.160058`."""
    return moment.astimezone(zone).replace(tzinfo=None).isoformat(timespec="microseconds")
