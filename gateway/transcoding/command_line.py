"""The options of `python -m gateway.transcoding`."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gateway.transcoding.deadline import TimeoutOptions
from gateway.transcoding.endpoint import Options
from gateway.transcoding.http_protocol import HttpTimers
from gateway.transcoding.json_options import JsonOptions, Unset
from gateway.transcoding.limits import Limits
from gateway.transcoding.profile import Profile


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What the command line asks for; can be pickled, to be handed to workers."""

    descriptors: Path
    target: str
    targets: dict[str, str]
    host: str
    port: int
    workers: int
    title: str
    profile: Profile
    options: Options
    timers: HttpTimers
    drain_s: float


def parse(arguments: Sequence[str]) -> Command:
    """What the arguments say; exits with a usage message where they are wrong."""
    parser = _parser()
    given = parser.parse_args(arguments)
    default = [target for service, target in given.target if not service]
    if len(default) > 1:
        parser.error("only one --target without SERVICE= can be the one for all others")
    host, port = given.listen
    return Command(
        descriptors=given.descriptors,
        target=default[0] if default else "",
        targets={service: target for service, target in given.target if service},
        host=host,
        port=port,
        workers=given.workers,
        title=given.title,
        profile=_profile(given),
        options=Options(
            limits=Limits(max_body_bytes=given.max_body_bytes),
            timeouts=TimeoutOptions(default_s=given.timeout),
        ),
        timers=HttpTimers(head_s=given.head_timeout, body_s=given.body_timeout, idle_s=given.idle_timeout),
        drain_s=given.drain_timeout,
    )


def _profile(given: argparse.Namespace) -> Profile:
    return Profile(
        json=JsonOptions(
            proto_names=given.proto_names,
            int64_as_number=given.int64_as_number,
            enum_as_number=given.enum_as_number,
            unset=given.unset,
        ),
        strict_body=given.unknown_fields == "refuse",
        ignore_unknown_query=given.unknown_parameters == "ignore",
        pretty_parameter="pretty",
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m gateway.transcoding",
        description="Serves the google.api.http rules of any gRPC services over HTTP/1.1.",
    )
    add = parser.add_argument
    add("--descriptors", type=Path, required=True, metavar="FILE", help="FileDescriptorSet, as protoc --descriptor_set_out --include_imports writes it (with --include_source_info the OpenAPI document has the comments)")  # fmt: skip
    add("--target", type=_target, action="append", required=True, metavar="[SERVICE=]HOST:PORT", help="where a service is, or all that no other --target names")  # fmt: skip
    add("--listen", type=_address, required=True, metavar="HOST:PORT", help="where to serve; port 0 takes a free one and prints it")  # fmt: skip
    add("--workers", type=_count, default=1, help="processes on the one port (default %(default)s)")
    add("--title", default="API", help="of the OpenAPI document and of /docs")
    json = parser.add_argument_group("JSON")
    json.add_argument("--proto-names", action="store_true", help="field names as in the proto files instead of lowerCamelCase")  # fmt: skip
    json.add_argument("--unset", type=Unset, choices=list(Unset), default=Unset.ZERO, metavar="|".join(each.value for each in Unset), help="what is printed for a field that holds nothing (default zero)")  # fmt: skip
    json.add_argument("--int64-as-number", action="store_true", help="64-bit integers as numbers instead of strings")  # fmt: skip
    json.add_argument("--enum-as-number", action="store_true", help="enum values as numbers instead of names")
    json.add_argument("--unknown-fields", choices=("ignore", "refuse"), default="ignore", help="of bodies (default %(default)s)")  # fmt: skip
    json.add_argument("--unknown-parameters", choices=("ignore", "refuse"), default="refuse", help="of queries (default %(default)s)")  # fmt: skip
    limits = parser.add_argument_group("limits (sizes in bytes, times in seconds)")
    limits.add_argument("--max-body-bytes", type=_count, default=Limits().max_body_bytes)
    limits.add_argument("--timeout", type=_seconds, default=TimeoutOptions().default_s, help="of a call whose request has no Grpc-Timeout (default %(default)s)")  # fmt: skip
    timers = HttpTimers()
    limits.add_argument("--head-timeout", type=_seconds, default=timers.head_s)
    limits.add_argument("--body-timeout", type=_seconds, default=timers.body_s)
    limits.add_argument("--idle-timeout", type=_seconds, default=timers.idle_s)
    limits.add_argument("--drain-timeout", type=_seconds, default=10.0, help="for what is under way after SIGTERM (default %(default)s)")  # fmt: skip
    return parser


def _address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not (colon and host and port.isascii() and port.isdecimal() and int(port) < 2**16):
        raise argparse.ArgumentTypeError(f"expected HOST:PORT, got {text!r}")
    return host.removeprefix("[").removesuffix("]"), int(port)


def _target(text: str) -> tuple[str, str]:
    service, _, address = text.rpartition("=")
    if not address.startswith("unix:"):
        _address(address)
    return service, address


def _count(text: str) -> int:
    return int(_above_zero(int(text), text))


def _seconds(text: str) -> float:
    return _above_zero(float(text), text)


def _above_zero(value: float, text: str) -> float:
    if not value > 0:
        raise argparse.ArgumentTypeError(f"expected a number above zero, got {text!r}")
    return value
