"""The two surfaces that share one port, told apart by the path as it was sent."""

from typing import Final

V1_PREFIX: Final = "/v1/"


def is_v1(raw_path: str) -> bool:
    """Whether a path belongs to /v1; every other one is the legacy surface's."""
    return raw_path.startswith(V1_PREFIX) or raw_path == V1_PREFIX[:-1]
