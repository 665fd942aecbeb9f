"""What a configuration allows that its owner should know about; nothing here stops a start."""

from collections.abc import Iterator

from config.schema import Configuration
from config.serving import MIN_HS512_SECRET_BYTES, JwtAlgorithm
from runtime.settings import Problem


def advise(configuration: Configuration) -> tuple[Problem, ...]:
    """Warnings, each with the key that ends it."""
    return (*_about_tokens(configuration), *_about_trust(configuration), *_about_transport(configuration))


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
