"""Mutual TLS between services: a certificate of our authority lets a caller in, whatever its address."""

import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest

from runtime.channel import open_channel
from runtime.errors import StartupError
from runtime.server import GrpcServer, Registration
from runtime.tls import TlsFiles

SERVICE = "test.v1.Secure"

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificates")


def openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)


def authority(folder: Path, name: str) -> TlsFiles:
    """An authority and one certificate that it signed for 127.0.0.1."""
    ca, ca_key = folder / f"{name}-ca.pem", folder / f"{name}-ca.key"
    certificate, key, request = folder / f"{name}.pem", folder / f"{name}.key", folder / f"{name}.csr"
    extensions = folder / f"{name}.ext"
    extensions.write_text("subjectAltName=IP:127.0.0.1")
    new_key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    openssl(
        "req", "-x509", *new_key, "-keyout", str(ca_key), "-out", str(ca), "-subj", f"/CN={name} authority"
    )
    openssl("req", *new_key, "-keyout", str(key), "-out", str(request), "-subj", f"/CN={name}")
    signing = ("-CA", str(ca), "-CAkey", str(ca_key), "-CAcreateserial", "-extfile", str(extensions))
    openssl("x509", "-req", "-in", str(request), *signing, "-out", str(certificate))
    return TlsFiles(ca=ca, certificate=certificate, key=key)


@asynccontextmanager
async def secure_server(tls: TlsFiles) -> AsyncIterator[GrpcServer]:
    async def answer(request: bytes, _context: object) -> bytes:
        return request

    handler = grpc.method_handlers_generic_handler(
        SERVICE, {"Get": grpc.unary_unary_rpc_method_handler(answer)}
    )
    registration = Registration(
        service=SERVICE, add=lambda server: server.add_generic_rpc_handlers((handler,))
    )
    server = GrpcServer(
        listen="127.0.0.1:0",
        listen_key="services.test.listen",
        services=[registration],
        internal_networks=(),
        tls=tls,
    )
    async with server:
        yield server


async def get(channel: grpc.aio.Channel) -> bytes:
    stub: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(f"/{SERVICE}/Get")
    async with channel:
        return await stub(b"x", timeout=5)


async def test_a_caller_with_a_certificate_of_our_authority_is_let_in(tmp_path: Path) -> None:
    ours = authority(tmp_path, "ours")
    async with secure_server(ours) as server:
        assert await get(open_channel(f"127.0.0.1:{server.port}", tls=ours)) == b"x"


async def test_a_caller_without_one_or_with_a_foreign_one_is_kept_out(tmp_path: Path) -> None:
    ours, theirs = authority(tmp_path, "ours"), authority(tmp_path, "theirs")
    impostor = TlsFiles(ca=ours.ca, certificate=theirs.certificate, key=theirs.key)
    async with secure_server(ours) as server:
        target = f"127.0.0.1:{server.port}"
        for channel in (open_channel(target), open_channel(target, tls=impostor)):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await get(channel)
            assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


def test_a_file_that_cannot_be_read_is_named_by_its_key(tmp_path: Path) -> None:
    missing = TlsFiles(ca=tmp_path / "ca", certificate=tmp_path / "c", key=tmp_path / "k")

    with pytest.raises(StartupError, match=r"services\.tls\.key: cannot read"):
        missing.server_credentials()
    with pytest.raises(StartupError, match=r"services\.tls\.ca: cannot read"):
        missing.channel_credentials()
