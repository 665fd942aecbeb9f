"""A place to listen or to connect, as `host:port`."""

from dataclasses import dataclass
from typing import Self

from runtime.network import LOOPBACK, is_inside, parse_address

MAX_PORT = 65535


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Host and port; `str()` gives the text back, with brackets around IPv6."""

    host: str
    port: int
    """0 lets the system choose."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """The address in `127.0.0.1:8090`, `localhost:8090` or `[::1]:8090`; raises ValueError saying why not."""
        host, colon, port = text.strip().rpartition(":")
        host = host.removeprefix("[").removesuffix("]") if host.startswith("[") else host
        if not colon or not host or (":" in host and "[" not in text):
            raise ValueError(f"must be host:port, such as 127.0.0.1:8090, got {text!r}")
        if not (port.isascii() and port.isdigit()) or int(port) > MAX_PORT:
            raise ValueError(f"must end in a port from 0 to {MAX_PORT}, got {text!r}")
        return cls(host=host, port=int(port))

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine reaches it."""
        address = parse_address(self.host)
        return self.host == "localhost" or (address is not None and is_inside(address, LOOPBACK))

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"
