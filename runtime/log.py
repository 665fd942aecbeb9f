"""Logging as FR-004 wants it: two files a service, the console in development, everything through loguru.

Lines are written synchronously: when a log call returns, the kernel has the line and `kill -9`
cannot take it back. A queue between (loguru's `enqueue`) would lose its content exactly when the
log is needed; what is slow, compressing a rotated file, has its own thread.
"""

import logging
import sys
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from loguru import logger

from runtime.context import current_request_id
from runtime.errors import StartupError
from runtime.log_files import LogFile
from runtime.log_line import render
from runtime.redaction import redact, register_secret, register_secrets

if TYPE_CHECKING:
    from loguru import Record

__all__ = [
    "LoggingSettings",
    "configure_logging",
    "redact",
    "register_secret",
    "register_secrets",
    "write_line",
]

MAX_FILE_BYTES: Final = 50 * 1000 * 1000
KEEP_APP: Final = timedelta(days=14)
KEEP_ERRORS: Final = timedelta(days=60)

_LINE: Final = "line"
_PLAIN: Final = "_plain"
_AT: Final = "_at"
_CAPTURED: Final = ("grpc", "uvicorn", "uvicorn.error", "uvicorn.access", "sqlalchemy", "aiohttp", "asyncio")


class LoggingSettings(Protocol):
    """Where log files go and how much is written."""

    @property
    def directory(self) -> Path:
        """Holds `app/` and `errors/`; made when absent."""
        ...

    @property
    def level(self) -> str:
        """The lowest level of the app file, INFO for example."""
        ...


def configure_logging(service: str, settings: LoggingSettings, *, console: bool) -> None:
    """Sends every log line of this process to `app/<service>.log`, errors also to `errors/<service>.log`.

    Safe to repeat: the last call wins. Raises StartupError where the folder cannot be written.
    """
    logger.remove()
    logger.configure(patcher=_prepare, extra={})
    if console:
        logger.add(sys.stderr, level="DEBUG", format=_format, backtrace=False, diagnose=False)
    # A finished line is a record that compliance counts on; no level may keep it out of the file.
    threshold = logger.level(settings.level).no
    level = min(threshold, logger.level("INFO").no)
    _add_file(settings.directory / "app" / f"{service}.log", level, KEEP_APP, threshold=threshold)
    _add_file(settings.directory / "errors" / f"{service}.log", logger.level("ERROR").no, KEEP_ERRORS)
    _capture_standard_logging(settings.level)


def write_line(level: str, line: str) -> None:
    """Writes a finished line, such as FR-005's, with nothing added but the stamp, the level and the request id.

    The line is in the file when this returns.
    """
    logger.bind(**{_PLAIN: True}).opt(depth=1).log(level, "{}", line)


def _add_file(path: Path, level: int, keep: timedelta, *, threshold: int = 0) -> None:
    def wanted(record: "Record") -> bool:
        return bool(record["extra"][_PLAIN]) or record["level"].no >= threshold

    try:
        file = LogFile(path, max_bytes=MAX_FILE_BYTES, keep=keep)
    except OSError as error:
        raise StartupError(f"logging.directory: cannot write {path}: {error.strerror}") from error
    logger.add(
        file, level=level, filter=wanted, format=_format, colorize=False, backtrace=False, diagnose=False
    )


def _format(_record: "Record") -> str:
    return f"{{extra[{_LINE}]}}\n"


def _prepare(record: "Record") -> None:
    """Replaces the record's content by what may be written, so that no sink can show more."""
    extra: Mapping[str, object] = record["extra"]
    error = record["exception"].value if record["exception"] is not None else None
    line = render(
        time=record["time"],
        level=record["level"].name,
        message=record["message"],
        fields=_fields(record, extra),
        error=error,
    )
    record["message"] = line
    record["exception"] = None
    record["extra"] = {_LINE: line, _PLAIN: _PLAIN in extra}


def _fields(record: "Record", extra: Mapping[str, object]) -> dict[str, object]:
    fields = {key: value for key, value in extra.items() if key not in {_PLAIN, _AT}}
    request_id = current_request_id()
    if request_id is not None and "request_id" not in fields and "request_id=" not in record["message"]:
        fields["request_id"] = request_id
    if record["level"].name != "INFO" and _PLAIN not in extra:
        fields["at"] = extra.get(_AT, f"{record['name']}:{record['line']}")
    return fields


class _ToLoguru(logging.Handler):
    """Passes standard library records on, with the place they came from."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            level: str | int = logger.level(record.levelname).name
        except ValueError:
            level = record.levelno
        bound = logger.bind(**{_AT: f"{record.name}:{record.lineno}"})
        bound.opt(exception=record.exc_info).log(level, "{}", _message_of(record))


def _message_of(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except (TypeError, ValueError, KeyError):
        # A library's message that does not fit its own arguments; logging would print both to stderr as they are.
        return f"{record.msg} {record.args}"


def _capture_standard_logging(level: str) -> None:
    logging.basicConfig(handlers=[_ToLoguru()], level=level, force=True)
    for name in _CAPTURED:
        one = logging.getLogger(name)
        one.handlers.clear()
        one.propagate = True
    logging.captureWarnings(capture=True)
