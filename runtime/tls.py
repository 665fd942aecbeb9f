"""TLS between services: both sides present a certificate of the same authority."""

from dataclasses import dataclass
from pathlib import Path

import grpc

from runtime.errors import StartupError


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsFiles:
    """Three PEM files; each side proves itself by `certificate` and trusts what `ca` signed."""

    ca: Path
    certificate: Path
    key: Path

    def server_credentials(self) -> grpc.ServerCredentials:
        """Credentials of a server that admits only clients with a certificate of `ca`.

        Raises StartupError naming the file that cannot be read.
        """
        pair = (_read(self.key, "key"), _read(self.certificate, "certificate"))
        return grpc.ssl_server_credentials([pair], _read(self.ca, "ca"), require_client_auth=True)

    def channel_credentials(self) -> grpc.ChannelCredentials:
        """Credentials of a client; raises StartupError naming the file that cannot be read."""
        return grpc.ssl_channel_credentials(
            root_certificates=_read(self.ca, "ca"),
            private_key=_read(self.key, "key"),
            certificate_chain=_read(self.certificate, "certificate"),
        )


def _read(path: Path, name: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise StartupError(f"services.tls.{name}: cannot read {path}: {error.strerror}") from error
