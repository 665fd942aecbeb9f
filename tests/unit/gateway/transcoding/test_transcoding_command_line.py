"""What the command line of the standalone gateway says, and what it refuses."""

from pathlib import Path
from typing import Any

import pytest

from gateway.transcoding.command_line import parse
from gateway.transcoding.failure import ConfigurationError
from gateway.transcoding.json_options import Unset
from gateway.transcoding.serving import main
from gateway.transcoding.standalone import Standalone, read_descriptors, services_of
from unit.gateway.transcoding.everything_api import SERVICE, compile_protos, descriptor_set

BASE = ["--descriptors", "a.binpb", "--target", "localhost:1", "--listen", "127.0.0.1:0"]


def test_the_defaults_are_those_of_the_package() -> None:
    command = parse(BASE)

    assert (command.target, command.targets) == ("localhost:1", {})
    assert (command.host, command.port, command.workers) == ("127.0.0.1", 0, 1)
    assert command.profile.json.unset is Unset.ZERO
    assert not command.profile.strict_body


def test_services_may_have_targets_of_their_own() -> None:
    command = parse([*BASE, "--target", "a.B=other:2", "--target", "a.C=unix:/run/c.sock"])

    assert command.target == "localhost:1"
    assert command.targets == {"a.B": "other:2", "a.C": "unix:/run/c.sock"}


def test_options_reach_the_profile_and_the_limits() -> None:
    command = parse(
        [*BASE, "--proto-names", "--int64-as-number", "--enum-as-number", "--unset", "omit",
         "--unknown-fields", "refuse", "--unknown-parameters", "ignore", "--max-body-bytes", "10", "--timeout", "2.5",
         "--head-timeout", "1", "--body-timeout", "2", "--idle-timeout", "3", "--workers", "2"]
    )  # fmt: skip

    json = command.profile.json
    assert (json.proto_names, json.int64_as_number, json.enum_as_number, json.unset) == (
        True,
        True,
        True,
        Unset.OMIT,
    )
    assert (command.profile.strict_body, command.profile.ignore_unknown_query) == (True, True)
    assert (command.options.limits.max_body_bytes, command.options.timeouts.default_s) == (10, 2.5)
    assert (command.timers.head_s, command.timers.body_s, command.timers.idle_s) == (1, 2, 3)
    assert command.workers == 2


def test_an_address_may_be_of_version_six() -> None:
    assert parse([*BASE[:4], "--listen", "[::1]:8080"]).host == "::1"


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        pytest.param(BASE[2:], "--descriptors", id="no-descriptors"),
        pytest.param([*BASE, "--target", "other:2"], "only one --target", id="two-default-targets"),
        pytest.param([*BASE, "--target", "nowhere"], "expected HOST:PORT", id="target-without-port"),
        pytest.param([*BASE, "--listen", "host:99999"], "expected HOST:PORT", id="port-out-of-range"),
        pytest.param([*BASE, "--workers", "0"], "above zero", id="no-workers"),
        pytest.param([*BASE, "--timeout", "nan"], "above zero", id="not-a-number"),
        pytest.param([*BASE, "--unset", "maybe"], "--unset", id="unknown-choice"),
    ],
)
def test_wrong_arguments_are_named(arguments: list[str], why: str, capsys: Any) -> None:
    with pytest.raises(SystemExit, match="2"):
        parse(arguments)

    assert why in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "targets", "why"),
    [
        pytest.param(None, {}, "No such file", id="no-file"),
        pytest.param(b"\xff\xff", {}, "is not a FileDescriptorSet", id="not-descriptors"),
        pytest.param(b"", {}, "no service of the descriptors", id="no-services"),
        pytest.param("everything", {"no.Such": "a:1"}, "no such service in the descriptors: no.Such", id="unknown-service"),
    ],
)  # fmt: skip
def test_what_cannot_be_served_is_said_before_anything_listens(
    content: bytes | str | None, targets: dict[str, str], why: str, tmp_path: Path, capsys: Any
) -> None:
    path = tmp_path / "a.binpb"
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else descriptor_set().SerializeToString())
    named = [part for service, target in targets.items() for part in ("--target", f"{service}={target}")]

    code = main(["--descriptors", str(path), "--target", "a:1", "--listen", "127.0.0.1:0", *named])

    printed = capsys.readouterr()
    assert code == 1
    assert why in printed.err
    assert printed.out == ""


def test_only_services_with_rules_and_targets_are_served(tmp_path: Path) -> None:
    path = tmp_path / "a.binpb"
    files = descriptor_set()
    other = compile_protos(
        {"other.proto": 'syntax = "proto3"; package other; message M {} service S { rpc R(M) returns (M); }'}
    )
    path.write_bytes(files.SerializeToString() + other.SerializeToString())
    read = read_descriptors(path)

    assert services_of(Standalone(files=read, target="a:1")) == {SERVICE: "a:1"}
    assert services_of(Standalone(files=read, targets={SERVICE: "b:2"})) == {SERVICE: "b:2"}
    with pytest.raises(ConfigurationError, match="both an http rule and a target"):
        services_of(Standalone(files=read))
