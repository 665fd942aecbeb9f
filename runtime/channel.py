"""Channels to other services: bounded messages, quick reconnection, retries for named reads only."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import grpc

from runtime.client_interceptors import client_interceptors
from runtime.clock import SYSTEM_CLOCK, Clock
from runtime.tls import TlsFiles

MAX_MESSAGE_BYTES: Final = 4 * 1024 * 1024
MAX_METADATA_BYTES: Final = 16 * 1024
MIN_BACKOFF_MS: Final = 10
"""A delay that jitter brings under 1 ms makes grpcio 1.85 wait until the deadline instead of retrying."""

_LIMITS: Final = (
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_metadata_size", MAX_METADATA_BYTES),
    ("grpc.absolute_max_metadata_size", MAX_METADATA_BYTES),
)
_CONNECTION: Final = (
    # A proxy variable of the environment must not reroute calls between our own services.
    ("grpc.enable_http_proxy", 0),
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.max_pings_without_data", 0),
    # gRPC's own two minutes would keep a restarted service unreachable long after it answers.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """Which methods of one service may be sent again, and how."""

    service: str
    """Full name, `package.Service`."""
    methods: tuple[str, ...]
    attempts: int
    """In all, the first included."""
    initial_backoff_ms: int
    max_backoff_ms: int
    codes: tuple[grpc.StatusCode, ...]


def retry_policy(
    service: str,
    methods: Iterable[str],
    *,
    attempts: int = 3,
    initial_backoff_ms: int = 50,
    max_backoff_ms: int = 400,
    codes: Sequence[grpc.StatusCode] = (grpc.StatusCode.UNAVAILABLE,),
) -> RetryPolicy:
    """Retries, jittered, of these methods and no other.

    List reads and writes that carry their own key; never one that a repeat would do twice
    (reliability.md, section 6).
    """
    listed = tuple(methods)
    if not listed:
        # An empty list would mean every method of the service, writes too.
        raise ValueError(f"name the methods of {service} that may be retried")
    if initial_backoff_ms < MIN_BACKOFF_MS:
        raise ValueError(f"initial_backoff_ms must be >= {MIN_BACKOFF_MS}, got {initial_backoff_ms}")
    return RetryPolicy(
        service=service,
        methods=listed,
        attempts=attempts,
        initial_backoff_ms=initial_backoff_ms,
        max_backoff_ms=max_backoff_ms,
        codes=tuple(codes),
    )


def open_channel(
    target: str,
    *,
    tls: TlsFiles | None = None,
    retries: Sequence[RetryPolicy] = (),
    clock: Clock = SYSTEM_CLOCK,
) -> grpc.aio.Channel:
    """A channel to `host:port`, to be closed by its owner (`async with`); connects on first use.

    Calls carry the current request id and end with the caller's deadline less 50 ms; a call
    with one answer and no timeout of its own ends after 10 s. Raises StartupError for TLS
    files that cannot be read.
    """
    options = [*_LIMITS, *_CONNECTION, ("grpc.service_config", service_config(retries))]
    interceptors = client_interceptors(clock)
    if tls is None:
        return grpc.aio.insecure_channel(target, options, interceptors=interceptors)
    return grpc.aio.secure_channel(target, tls.channel_credentials(), options, interceptors=interceptors)


def service_config(retries: Sequence[RetryPolicy]) -> str:
    """GRPC's service config as JSON: round robin, these retries, and a budget that stops retry storms."""
    return json.dumps(
        {
            "loadBalancingConfig": [{"round_robin": {}}],
            "methodConfig": [_method_config(policy) for policy in retries],
            "retryThrottling": {"maxTokens": 10, "tokenRatio": 0.1},
        }
    )


def _method_config(policy: RetryPolicy) -> dict[str, object]:
    return {
        "name": [{"service": policy.service, "method": method} for method in policy.methods],
        "retryPolicy": {
            "maxAttempts": policy.attempts,
            "initialBackoff": _seconds(policy.initial_backoff_ms),
            "maxBackoff": _seconds(policy.max_backoff_ms),
            "backoffMultiplier": 2,
            "retryableStatusCodes": [code.name for code in policy.codes],
        },
    }


def _seconds(milliseconds: int) -> str:
    return f"{milliseconds / 1000:.3f}s"
