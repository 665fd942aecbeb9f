"""The Grpc-Timeout header, and how long a call may take."""

import re
from dataclasses import dataclass

from gateway.transcoding.failure import Malformed
from gateway.transcoding.http_message import Request

_TIMEOUT = re.compile(r"([0-9]{1,8})([HMSmun])")
_UNIT_SECONDS = {"H": 3600.0, "M": 60.0, "S": 1.0, "m": 1e-3, "u": 1e-6, "n": 1e-9}


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeoutOptions:
    """How long calls may take, in seconds; None for without end."""

    default_s: float | None = 30.0
    """For a request that does not say."""
    maximum_s: float | None = 300.0
    """The most that a request gets, whatever it says."""
    stream_default_s: float | None = None
    """For a server stream whose request does not say; the maximum does not apply to this one."""


def timeout_of(request: Request, options: TimeoutOptions, *, server_streaming: bool) -> float | None:
    """The seconds a call may take; Malformed for a Grpc-Timeout that is none."""
    text = request.header("grpc-timeout")
    if text is None:
        return options.stream_default_s if server_streaming else options.default_s
    match = _TIMEOUT.fullmatch(text)
    if match is None:
        raise Malformed("expected up to 8 digits and one of H M S m u n", field="grpc-timeout")
    asked = int(match.group(1)) * _UNIT_SECONDS[match.group(2)]
    return asked if options.maximum_s is None else min(asked, options.maximum_s)
