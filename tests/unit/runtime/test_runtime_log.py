import asyncio
import gzip
import logging
import os
import re
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from loguru import logger

from runtime import log
from runtime.context import use_request_id
from runtime.errors import StartupError
from runtime.log import configure_logging, register_secret, write_line
from runtime.log_files import Housekeeper, LogFile, compress, expire, rotated_files
from runtime.log_line import escape, render, stamp
from runtime.redaction import Redactor

SECRET = "seeded-made-up/secret+1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    directory: Path
    level: str = "INFO"


@pytest.fixture(autouse=True)
def _restored_logging() -> Iterator[None]:
    yield
    logger.remove()
    logger.configure(patcher=lambda _record: None, extra={})
    logger.add(sys.stderr)
    logging.captureWarnings(capture=False)
    for handler in [one for one in logging.getLogger().handlers if isinstance(one, log._ToLoguru)]:
        logging.getLogger().removeHandler(handler)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    configure_logging("test", Settings(directory=tmp_path), console=False)
    return tmp_path


def raise_error(error: Exception) -> None:
    raise error


def app(directory: Path) -> str:
    return (directory / "app" / "test.log").read_text(encoding="utf-8")


def errors(directory: Path) -> str:
    return (directory / "errors" / "test.log").read_text(encoding="utf-8")


PINNED = re.compile(
    r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} \| INFO \| Order placed: BUY AAPL qty=\S+ \| order_id=\S+ \| duration=\d+ms \| success=true \| ",
    re.MULTILINE,
)


def test_a_finished_line_has_the_pinned_form_and_is_in_the_file_at_once(directory: Path) -> None:
    line = "Order placed: BUY AAPL qty=100 | order_id=abc123 | duration=245ms | success=true | account=a1"

    write_line("INFO", line)

    assert PINNED.search(app(directory))
    assert app(directory).endswith(f" | INFO | {line}\n")


def test_a_finished_error_line_has_no_place_added_and_stands_in_both_files(directory: Path) -> None:
    write_line("ERROR", "Order failed: SELL TSLA qty=50 | duration=1200ms | error=insufficient_balance")

    for text in (app(directory), errors(directory)):
        assert text.endswith(
            " | ERROR | Order failed: SELL TSLA qty=50 | duration=1200ms | error=insufficient_balance\n"
        )


def test_the_request_id_is_added_once(directory: Path) -> None:
    with use_request_id("r-1"):
        logger.info("one")
        write_line("INFO", "two")
        write_line("INFO", "three | request_id=r-1")

    assert [line.partition(" | INFO | ")[2] for line in app(directory).splitlines()] == [
        "one | request_id=r-1",
        "two | request_id=r-1",
        "three | request_id=r-1",
    ]


def test_fields_follow_the_message_and_cannot_pretend_to_be_others(directory: Path) -> None:
    logger.bind(account="a1", note="x | success=true").info("done")

    assert app(directory).endswith('| INFO | done | account=a1 | note="x | success=true"\n')


def test_the_level_decides_which_file(directory: Path) -> None:
    logger.debug("d")
    logger.info("i")
    logger.warning("w")
    logger.error("e")

    assert re.findall(r"\| (\w) ", app(directory).replace("\n", " ")) == ["i", "w", "e"]
    assert re.findall(r"\| (\w) ", errors(directory).replace("\n", " ")) == ["e"]


def test_a_finished_line_is_written_whatever_the_level(tmp_path: Path) -> None:
    configure_logging("test", Settings(directory=tmp_path, level="ERROR"), console=False)

    write_line("INFO", "Order placed: BUY AAPL qty=1")
    logger.info("not asked for")

    assert [line.split(" | ", 1)[1] for line in app(tmp_path).splitlines()] == [
        "INFO | Order placed: BUY AAPL qty=1"
    ]


def test_warnings_and_errors_say_where_they_came_from(directory: Path) -> None:
    logger.warning("careful")
    logging.getLogger("grpc").warning("from the library")

    first, second = app(directory).splitlines()
    assert re.search(r"WARNING \| careful \| at=\S*test_runtime_log:\d+$", first)
    assert re.search(r"WARNING \| from the library \| at=grpc:\d+$", second)


@pytest.mark.parametrize(
    "name", ["grpc", "uvicorn.error", "uvicorn.access", "sqlalchemy.engine", "aiohttp.client", "asyncio", "x"]
)
def test_standard_library_logs_reach_the_same_files(directory: Path, name: str) -> None:
    logging.getLogger(name).error("from %s {braces}", name)

    for text in (app(directory), errors(directory)):
        assert f"ERROR | from {name} {{braces}}" in text


def test_a_librarys_message_that_does_not_fit_its_arguments_is_kept(directory: Path) -> None:
    # Handed over directly: pytest's own handler raises for such a message.
    log._ToLoguru().emit(logging.LogRecord("grpc", logging.ERROR, "x.py", 1, "%d of %s", ("one",), None))

    assert "ERROR | %d of %s ('one',) | at=grpc:" in app(directory)


def test_python_warnings_reach_the_file(directory: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        # pytest puts its own catcher in place of the one that the fixture asked for.
        logging.captureWarnings(capture=False)
        logging.captureWarnings(capture=True)
        warnings.warn("old thing", UserWarning, stacklevel=1)

    assert "old thing" in app(directory)


def test_a_message_cannot_forge_a_line(directory: Path) -> None:
    logger.info("a\n2025-01-15 14:30:25.123 | INFO | Order placed\r\x1b[2J\u2028\u202e")

    assert len(app(directory).splitlines()) == 1
    assert r"a\n2025-01-15" in app(directory)
    assert r"\r\x1b[2J\u2028\u202e" in app(directory)


def test_an_exception_follows_its_line_without_values_and_cannot_forge_one(directory: Path) -> None:
    def fail() -> None:
        local = "a-value-of-a-variable"
        raise ValueError("first\n2025-01-15 14:30:25.123 | INFO | forged" + local[:0])

    try:
        fail()
    except ValueError:
        logger.exception("it failed")

    for text in (app(directory), errors(directory)):
        lines = text.splitlines()
        assert " | ERROR | it failed | at=" in lines[0]
        assert lines[1] == "    Traceback (most recent call last):"
        assert all(line.startswith("    ") for line in lines[1:])
        assert "a-value-of-a-variable" not in text
        assert "ValueError: first" in text


def test_a_seeded_secret_appears_nowhere(directory: Path, capfd: pytest.CaptureFixture[str]) -> None:
    register_secret(SECRET)
    configure_logging("test", Settings(directory=directory), console=True)

    logger.error(f"message {SECRET}")
    logger.bind(field=SECRET, nested={"key": SECRET}).error("fields")
    logger.error("url {}", "https://h/?key=seeded-made-up%2Fsecret%2B1")
    logging.getLogger("aiohttp").error("standard %s", SECRET)
    write_line("ERROR", f"line {SECRET}")
    try:
        try:
            raise_error(KeyError(SECRET))
        except KeyError as inner:
            raise RuntimeError(f"outer {SECRET}") from inner
    except RuntimeError:
        logger.exception("exception")
        logging.getLogger("asyncio").exception("standard exception")

    for text in (app(directory), errors(directory), "".join(capfd.readouterr())):
        assert "standard exception" in text
        assert "seeded-made-up" not in text
        assert text.count("***") >= 8


def test_no_sink_of_anybody_gets_more_than_the_line(directory: Path) -> None:
    records: list[str] = []
    register_secret(SECRET)
    logger.add(lambda message: records.append(str(message.record)))
    try:
        raise_error(RuntimeError(SECRET))
    except RuntimeError:
        logger.bind(field=SECRET).exception(f"text {SECRET}")

    assert len(records) == 1
    assert "text ***" in records[0]
    assert SECRET not in records[0]
    assert "'exception': None" in records[0]


def test_a_full_disk_loses_no_line_and_shows_no_secret(
    directory: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    register_secret(SECRET)
    # The device that is always full.
    logger.remove()
    full = LogFile(directory / "app" / "test.log", max_bytes=1000, keep=timedelta(days=1))
    os.close(full._descriptor)
    full._descriptor = os.open("/dev/full", os.O_WRONLY)
    logger.add(full, format=log._format)
    try:
        raise_error(RuntimeError(SECRET))
    except RuntimeError:
        logger.bind(field=SECRET).exception(f"text {SECRET}")

    shown = "".join(capfd.readouterr())
    assert "(No space left on device), so here: " in shown
    assert "ERROR | text ***" in shown
    assert SECRET not in shown


def test_the_line_after_one_cut_by_a_full_disk_begins_a_line(tmp_path: Path) -> None:
    file = LogFile(tmp_path / "x.log", max_bytes=1000, keep=timedelta(days=1))
    file.write("first ha")
    file._torn = True

    file.write("second\n")
    file.stop()

    assert (tmp_path / "x.log").read_text() == "first ha\nsecond\n"


async def test_a_failed_task_nobody_waits_for_is_in_the_file(directory: Path) -> None:
    asyncio.get_running_loop().call_exception_handler({"message": "Task exception was never retrieved"})

    assert "ERROR | Task exception was never retrieved" in errors(directory)


def test_the_console_is_silent_unless_asked(directory: Path, capfd: pytest.CaptureFixture[str]) -> None:
    logger.info("quiet")

    assert "quiet" not in "".join(capfd.readouterr())


def test_a_folder_that_cannot_be_written_names_its_key(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(StartupError, match=r"logging\.directory: cannot write"):
        configure_logging("test", Settings(directory=tmp_path / "file"), console=False)


def test_log_files_are_not_open_to_everybody(directory: Path) -> None:
    logger.error("x")

    for name in ("app", "errors"):
        assert (directory / name / "test.log").stat().st_mode & 0o007 == 0


def test_a_full_file_is_rotated_compressed_and_loses_no_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log, "MAX_FILE_BYTES", 2000)
    configure_logging("test", Settings(directory=tmp_path), console=False)
    for number in range(200):
        write_line("INFO", f"line {number:03d}")
    logger.remove()

    files = sorted((tmp_path / "app").iterdir())
    assert len(files) > 3
    assert [path.name for path in files if path.suffix != ".gz"] == ["test.log"]
    texts = [gzip.decompress(path.read_bytes()).decode() for path in files if path.suffix == ".gz"]
    found = re.findall(r"line (\d{3})", "".join(texts) + app(tmp_path))
    assert sorted(map(int, found)) == list(range(200))


def test_a_crash_between_rotation_and_compression_is_made_good_by_the_next_start(tmp_path: Path) -> None:
    left = tmp_path / "x.2025-01-15_14-30-25_123456.log"
    left.write_text("left behind")
    old = tmp_path / "x.2020-01-15_14-30-25_123456.log.gz"
    old.write_bytes(b"")
    os.utime(old, (0, 0))
    other = tmp_path / "y.2020-01-15_14-30-25_123456.log.gz"
    other.write_bytes(b"")
    os.utime(other, (0, 0))
    keeper = Housekeeper(tmp_path / "x.log", keep=timedelta(days=14))

    keeper.sweep()
    keeper.close()

    assert gzip.decompress(left.with_name(f"{left.name}.gz").read_bytes()) == b"left behind"
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"{left.name}.gz", other.name]


def test_compression_keeps_the_time_so_that_retention_counts_from_the_last_line(tmp_path: Path) -> None:
    path = tmp_path / "x.1.log"
    path.write_text("x")
    before = path.stat().st_mtime_ns

    compress(path)
    compress(path)

    assert (tmp_path / "x.1.log.gz").stat().st_mtime_ns == before
    assert rotated_files(tmp_path / "x.log") == [tmp_path / "x.1.log.gz"]
    expire(tmp_path / "x.log", timedelta(seconds=-10))
    assert rotated_files(tmp_path / "x.log") == []


def test_times_are_utc_and_cut_to_the_millisecond() -> None:
    east = timezone(timedelta(hours=8))

    assert stamp(datetime(2025, 1, 15, 22, 30, 25, 123999, tzinfo=east)) == "2025-01-15 14:30:25.123"


@given(st.text())
def test_escaped_text_is_one_printable_line(text: str) -> None:
    written = escape(text)

    assert len(written.splitlines()) <= 1
    assert "\x1b" not in written
    written.encode("utf-8")


@given(message=st.text(), value=st.text())
def test_a_record_is_one_line_whatever_is_in_it(message: str, value: str) -> None:
    line = render(
        time=datetime(2025, 1, 15, tzinfo=UTC), level="INFO", message=message, fields={"key": value}
    )

    assert len(line.splitlines()) == 1
    assert line.startswith("2025-01-15 00:00:00.000 | INFO | ")


@given(secret=st.text(min_size=6), before=st.text(), after=st.text())
def test_a_registered_secret_never_survives(secret: str, before: str, after: str) -> None:
    redactor = Redactor()
    redactor.register(secret)

    assert secret not in redactor.redact(f"{before}{secret}{after}").replace("***", "")


def test_a_secret_inside_a_longer_secret_vanishes_with_it() -> None:
    redactor = Redactor()
    redactor.register("made-up")
    redactor.register("made-up-and-longer")

    assert redactor.redact("<made-up-and-longer>") == "<***>"


def test_a_short_word_is_not_taken_for_a_secret() -> None:
    redactor = Redactor()
    redactor.register("INFO")

    assert redactor.redact("INFO") == "INFO"
