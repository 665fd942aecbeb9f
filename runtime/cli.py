"""The command line every service has: --config, --check, --version."""

import argparse
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Final, Protocol, TypeVar

from loguru import logger

from runtime.errors import StartupError
from runtime.lifecycle import EXIT_FAILED, EXIT_OK, App, run
from runtime.log import LoggingSettings, configure_logging
from runtime.settings import CONFIG_VARIABLE, Problem, SettingsError

DEFAULT_CONFIG: Final = "secrets.yml"
EXIT_MISCONFIGURED: Final = 2


class ServiceSettings(Protocol):
    """What the command line itself needs of the settings."""

    @property
    def logging(self) -> LoggingSettings:
        """Where log files go."""
        ...

    @property
    def console(self) -> bool:
        """Whether log lines go to stderr too."""
        ...


Settings = TypeVar("Settings", bound=ServiceSettings)
Load = Callable[[Path, Mapping[str, str]], tuple[Settings, tuple[Problem, ...]]]


def main(
    service: str,
    *,
    load: Load[Settings],
    open_app: Callable[[Settings], App],
    argv: Sequence[str] | None = None,
    environ: Mapping[str, str] | None = None,
) -> int:
    """Runs the service the way its arguments say and returns the exit code.

    0 stopped or checked, 1 failed, 2 the configuration or the arguments are wrong.
    `--config` defaults to `$OPITIOS_CONFIG`, then `./secrets.yml`.
    """
    variables = os.environ if environ is None else environ
    arguments = _parser(service).parse_args(argv)
    path = Path(arguments.config or variables.get(CONFIG_VARIABLE) or DEFAULT_CONFIG)
    try:
        settings, warnings = load(path, variables)
    except SettingsError as error:
        _print("error", error.problems)
        return EXIT_MISCONFIGURED
    if arguments.check:
        _print("warning", warnings)
        sys.stderr.write(f"{path}: valid\n")
        return EXIT_OK
    return _serve(service, settings, warnings, open_app)


def _serve(
    service: str, settings: Settings, warnings: Sequence[Problem], open_app: Callable[[Settings], App]
) -> int:
    try:
        configure_logging(service, settings.logging, console=settings.console)
    except StartupError as error:
        sys.stderr.write(f"{service} cannot start: {error}\n")
        return EXIT_FAILED
    for warning in warnings:
        logger.warning(f"Configuration: {warning}")
    code = run(open_app(settings), service=service)
    if code == EXIT_FAILED and not settings.console:
        sys.stderr.write(f"{service} failed; see {settings.logging.directory / 'errors' / service}.log\n")
    return code


def _parser(service: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=f"python -m {service}")
    parser.add_argument(
        "--config",
        metavar="PATH",
        help=f"configuration file (default: ${CONFIG_VARIABLE}, then ./{DEFAULT_CONFIG})",
    )
    parser.add_argument(
        "--check", action="store_true", help="validate the configuration, print every problem, and exit"
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {version()}")
    return parser


def version() -> str:
    """The installed version, or a note that the package runs from its sources."""
    for distribution in metadata.packages_distributions().get(__package__ or "", ()):
        return metadata.version(distribution)
    return "(not installed)"


def _print(kind: str, problems: Sequence[Problem]) -> None:
    for problem in problems:
        sys.stderr.write(f"{kind}: {problem}\n")
