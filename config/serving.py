"""How the processes are reached, what they write, and whom they trust."""

from enum import StrEnum
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Final

from pydantic import BeforeValidator, Field

from config.fields import LOOPBACK, Count, Listen, Networks
from runtime.address import Address
from runtime.network import Network
from runtime.settings import SecretStr, Section, UnknownKeys
from runtime.tls import TlsFiles

MIN_HS512_SECRET_BYTES: Final = 64

_ANY_HOST: Final = frozenset({"0.0.0.0", "::"})  # noqa: S104 - recognised, not bound


class TlsSettings(Section):
    """`services.tls`: PEM files; with them services talk mutual TLS."""

    ca: Path
    certificate: Path
    key: Path

    @property
    def files(self) -> TlsFiles:
        """The same for servers and channels."""
        return TlsFiles(ca=self.ca, certificate=self.certificate, key=self.key)


class ServiceSettings(Section):
    """`services.<name>`: where one service listens and, if that differs, where the others find it."""

    listen: Listen
    target: str | None = None
    """A gRPC target such as `dns:///orders.internal:50052`; absent: the listen address."""

    @property
    def dial(self) -> str:
        """What a client connects to."""
        if self.target is not None:
            return self.target
        host = "127.0.0.1" if self.listen.host in _ANY_HOST else self.listen.host
        return str(Address(host=host, port=self.listen.port))


def _service(port: int) -> ServiceSettings:
    return ServiceSettings(listen=Address(host="127.0.0.1", port=port))


class AccountServiceSettings(ServiceSettings):
    """`services.account`."""

    listen: Listen = Address(host="127.0.0.1", port=50051)


class OrderServiceSettings(ServiceSettings):
    """`services.order`."""

    listen: Listen = Address(host="127.0.0.1", port=50052)


class SellServiceSettings(ServiceSettings):
    """`services.sell`."""

    listen: Listen = Address(host="127.0.0.1", port=50053)


class GatewaySettings(ServiceSettings):
    """`services.gateway`."""

    listen: Listen = Address(host="127.0.0.1", port=8090)


class ServicesSettings(Section):
    """`services`: the four processes."""

    account: AccountServiceSettings = AccountServiceSettings()
    order: OrderServiceSettings = OrderServiceSettings()
    sell: SellServiceSettings = SellServiceSettings()
    gateway: GatewaySettings = GatewaySettings()
    tls: TlsSettings | None = None

    @property
    def tls_files(self) -> TlsFiles | None:
        """The TLS files, `None` for plain text."""
        return None if self.tls is None else self.tls.files


class StorageSettings(Section):
    """`storage`: one SQLite file a service beside this path, or a PostgreSQL schema a service."""

    url: Annotated[str, Field(pattern=r"^(sqlite|postgresql(\+psycopg)?)://")] = "sqlite:///data/opitios.db"


class LogLevel(StrEnum):
    """The lowest level that is written."""

    DEBUG = "DEBUG"
    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"


def _upper(value: object) -> object:
    return value.upper() if isinstance(value, str) else value


class LoggingSettings(Section):
    """`logging`: `<directory>/app/<service>.log` and `<directory>/errors/<service>.log`."""

    directory: Path = Path("logs")
    level: Annotated[LogLevel, BeforeValidator(_upper)] = LogLevel.INFO
    console: bool | None = None
    """Lines on stderr too; absent: as `app.debug` says."""


class AuthSettings(Section):
    """`auth`: whom the servers believe."""

    trusted_proxies: Networks = (ip_network("127.0.0.1"),)
    """Whose X-Forwarded-For counts."""
    internal_networks: Networks | None = None
    """Ranges that need no token; absent: loopback, and the private ranges on the legacy surface."""
    legacy_any_account: bool = True
    """Whether a valid token reaches every account on the legacy surface, as it used to."""

    @property
    def networks(self) -> tuple[Network, ...]:
        """The ranges that need no token, outside the legacy surface."""
        return LOOPBACK if self.internal_networks is None else self.internal_networks


class JwtAlgorithm(StrEnum):
    """How tokens are signed; one is accepted at a time."""

    HS256 = "HS256"
    HS384 = "HS384"
    HS512 = "HS512"


class JwtSettings(Section):
    """`jwt`: without a key no token is valid, and only internal callers are served."""

    unknown_keys = UnknownKeys.WARNING

    secret_key: SecretStr | None = None
    algorithm: JwtAlgorithm = JwtAlgorithm.HS512
    expiration_hours: Count = 24
