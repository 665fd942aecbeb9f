"""What a configuration allows that its owner should know about; nothing here stops a start."""

from collections.abc import Iterator
from ipaddress import ip_address
from typing import Final

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from config.schema import Configuration
from config.serving import MIN_HS512_SECRET_BYTES, JwtAlgorithm
from runtime.settings import Problem

_ENCRYPTED: Final = frozenset({"require", "verify-ca", "verify-full"})
"""PostgreSQL's `sslmode`s that never fall back to plain text."""


def advise(configuration: Configuration) -> tuple[Problem, ...]:
    """Warnings, each with the key that ends it."""
    return (
        *_about_tokens(configuration),
        *_about_trust(configuration),
        *_about_transport(configuration),
        *_about_databases(configuration),
    )


def _about_tokens(configuration: Configuration) -> Iterator[Problem]:
    jwt = configuration.jwt
    if jwt.secret_key is None or not jwt.secret_key.get_secret_value():
        yield Problem(path="jwt.secret_key", message="is absent, so only internal callers are served")
    elif (
        jwt.algorithm is JwtAlgorithm.HS512
        and len(jwt.secret_key.get_secret_value().encode()) < MIN_HS512_SECRET_BYTES
    ):
        yield Problem(
            path="jwt.secret_key", message=f"should have at least {MIN_HS512_SECRET_BYTES} bytes for HS512"
        )


def _about_transport(configuration: Configuration) -> Iterator[Problem]:
    services = configuration.services
    if services.tls is not None:
        return
    for name, one in (("account", services.account), ("order", services.order), ("sell", services.sell)):
        if not one.listen.is_loopback:
            yield Problem(
                path="services.tls",
                message=f"is absent and {name} listens on {one.listen}: calls are readable on the way",
            )


def _about_databases(configuration: Configuration) -> Iterator[Problem]:
    legacy = configuration.database.url
    urls = {"storage.url": configuration.storage.url}
    if legacy is not None:
        urls["database.url"] = legacy.get_secret_value()
    for path, url in urls.items():
        try:
            parsed = make_url(url)
        except ArgumentError:
            # Whoever opens it says so.
            continue
        if _is_remote(parsed) and not _is_encrypted(parsed):
            yield Problem(
                path=path,
                message=f"reaches {parsed.host} without TLS, so keys and passwords are readable on the way: "
                "add sslmode=verify-full (PostgreSQL) or ssl_ca=… (MySQL)",
            )


def _is_remote(url: URL) -> bool:
    if not url.host or url.host == "localhost":
        return False
    try:
        return not ip_address(url.host).is_loopback
    except ValueError:
        return True


def _is_encrypted(url: URL) -> bool:
    if url.get_backend_name() == "postgresql":
        return url.query.get("sslmode") in _ENCRYPTED
    return any(name.startswith("ssl") for name in url.query)


def _about_trust(configuration: Configuration) -> Iterator[Problem]:
    if configuration.auth.legacy_any_account:
        yield Problem(
            path="auth.legacy_any_account",
            message="is true: a valid token reaches every account under /api/v1; set false to bind it to its own",
        )
    gateway = configuration.services.gateway.listen
    if not gateway.is_loopback and configuration.auth.internal_networks is None:
        yield Problem(
            path="auth.internal_networks",
            message=f"is absent and the gateway listens on {gateway}: "
            "callers in private networks need no token under /api/v1",
        )
