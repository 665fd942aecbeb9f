"""`python -m sandbox`: starts the exchange and serves until it is told to end."""

import argparse
import asyncio
import sys
from collections.abc import Coroutine
from pathlib import Path

from sandbox.scenario import ScenarioError
from sandbox.scenario_reader import DEFAULT_SCENARIO, load_scenario
from sandbox.server import serve_until_signal
from sandbox.state import build_sandbox, present

_DEFAULT_PORT = 8099
_LAST_PORT = 65_535
_BAD_SCENARIO = 2


def main() -> int:
    """Run the command and give its exit status: 0 after a signal, 2 for a bad scenario, 1 for a taken port."""
    arguments = _parser().parse_args()
    try:
        today = present()
        scenario = load_scenario(arguments.scenario, today)
    except ScenarioError as error:
        for problem in error.problems:
            print(f"scenario: {problem}", file=sys.stderr)
        return _BAD_SCENARIO
    try:
        _run(
            serve_until_signal(
                build_sandbox(scenario, today.calendar), host=arguments.host, port=arguments.port
            )
        )
    except OSError as error:
        print(f"cannot listen on {arguments.host}:{arguments.port}: {error}", file=sys.stderr)
        return 1
    return 0


def command() -> None:
    """The installed command: the same as `python -m sandbox`."""
    sys.exit(main())


def _run(served: Coroutine[None, None, None]) -> None:
    try:
        import uvloop  # absent on Windows
    except ImportError:
        asyncio.run(served)
    else:
        uvloop.run(served)


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text[:6]) <= _LAST_PORT):
        raise argparse.ArgumentTypeError(f"must be 0 to {_LAST_PORT}, got {text!r}")
    return int(text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m sandbox", description="An exchange that speaks Alpaca's protocol."
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=_port, default=_DEFAULT_PORT, help="0 takes a free port and prints it")
    parser.add_argument("--scenario", type=Path, default=DEFAULT_SCENARIO, help="YAML file to start from")
    return parser


if __name__ == "__main__":
    sys.exit(main())
