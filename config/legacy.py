"""Sections kept from the old secrets.yml; their unknown keys are warnings, since nobody owns them any more."""

from typing import Annotated, ClassVar

from pydantic import Field

from config.fields import Count, Seconds
from runtime.settings import SecretStr, Section, UnknownKeys

Hour = Annotated[int, Field(ge=0, le=23)]
Minute = Annotated[int, Field(ge=0, le=59)]
Weekday = Annotated[int, Field(ge=0, le=6)]
"""Monday is 0."""


class LegacySection(Section):
    """A section older than this program."""

    unknown_keys: ClassVar[UnknownKeys] = UnknownKeys.WARNING


class DatabaseSettings(LegacySection):
    """`database`: the legacy database with accounts and tracked buys; absent: `accounts` and our own storage."""

    url: SecretStr | None = None
    """`mysql+pymysql://`, `mariadb+pymysql://`, `postgresql://` or `sqlite:///`."""
    refresh_seconds: Seconds = 60.0
    """How often added, switched and disabled accounts are looked for."""


class RedisSettings(LegacySection):
    """`redis`: kept so that old files load; rate limits live in the gateway."""

    host: str = "localhost"
    port: Annotated[int, Field(ge=1, le=65535)] = 6379
    db: Annotated[int, Field(ge=0)] = 0
    password: SecretStr | None = None


class AppSettings(LegacySection):
    """`app`: console logging and the origins browsers may call from."""

    debug: bool = True
    log_level: str = "INFO"
    allowed_origins: tuple[str, ...] = ("*",)


class MarketSettings(LegacySection):
    """`market`: display only; sessions come from the broker's clock."""

    open_hour: Hour = 8
    open_minute: Minute = 50
    close_hour: Hour = 17
    close_minute: Minute = 0
    timezone: str = "US/Eastern"
    trading_days: tuple[Weekday, ...] = (0, 1, 2, 3, 4)


class RateLimitSettings(LegacySection):
    """`rate_limit`: requests of one caller in a window, where a route has no limit of its own."""

    default_limit: Count = 120
    window_seconds: Count = 60


class DiscordSettings(LegacySection):
    """`discord`: a webhook for notices; whoever knows it can post, so it is a secret."""

    transaction_channel: SecretStr | None = None
