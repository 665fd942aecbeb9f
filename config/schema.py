"""The whole of secrets.yml."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, ClassVar

from pydantic import AfterValidator, BeforeValidator, Field

from config.fields import Networks
from config.legacy import (
    AppSettings,
    DatabaseSettings,
    DiscordSettings,
    MarketSettings,
    RateLimitSettings,
    RedisSettings,
)
from config.notifications import NotificationSettings
from config.selling import SellModuleSettings
from config.serving import AuthSettings, JwtSettings, LoggingSettings, ServicesSettings, StorageSettings
from config.trading import AccountSettings, AlpacaSettings, TradingSettings
from runtime.settings import Section, UnknownKeys


def _without_null(value: object) -> object:
    # The old service skipped an account whose entry is empty.
    if isinstance(value, Mapping):
        return {key: one for key, one in value.items() if one is not None}
    return value


class Configuration(Section):
    """Every section; hand each consumer its own, not the whole."""

    unknown_keys: ClassVar[UnknownKeys] = UnknownKeys.ERROR_IF_CLOSE

    trading: TradingSettings = TradingSettings()
    alpaca: AlpacaSettings = AlpacaSettings()
    accounts: Annotated[
        Mapping[str, AccountSettings], BeforeValidator(_without_null), AfterValidator(MappingProxyType)
    ] = Field(default_factory=lambda: MappingProxyType({}))
    # Made anew: a mapping that cannot be changed cannot be copied either.
    sell_module: SellModuleSettings = Field(default_factory=SellModuleSettings)
    services: ServicesSettings = ServicesSettings()
    storage: StorageSettings = StorageSettings()
    logging: LoggingSettings = LoggingSettings()
    auth: AuthSettings = AuthSettings()
    jwt: JwtSettings = JwtSettings()
    database: DatabaseSettings = DatabaseSettings()
    redis: RedisSettings = RedisSettings()
    app: AppSettings = AppSettings()
    allowed_external_ips: Networks = ()
    """Callers treated as internal on the legacy surface."""
    market: MarketSettings = MarketSettings()
    rate_limit: RateLimitSettings = RateLimitSettings()
    discord: DiscordSettings = DiscordSettings()
    notifications: NotificationSettings = NotificationSettings()

    @property
    def console(self) -> bool:
        """Whether log lines go to stderr too."""
        return self.app.debug if self.logging.console is None else self.logging.console
