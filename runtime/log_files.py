"""Log files: written at once, rotated by size, compressed and expired off the event loop."""

import gzip
import os
import shutil
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

MODE: Final = 0o640
"""Log lines name customers' trades: the owner writes, the group reads, nobody else."""


class LogFile:
    """A loguru sink: every line is the kernel's when `write` returns, so `kill -9` cannot take it back.

    Beside loguru's own file sink because that compresses 50 MB inside the log call, which would
    stop the event loop for a second, and because its report of a full disk shows the exception
    being logged as it is, secrets included. Here such a line goes to stderr.
    """

    def __init__(self, path: Path, *, max_bytes: int, keep: timedelta) -> None:
        """Opens the file and tidies what an earlier process left; raises OSError where it cannot be opened."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._max_bytes = max_bytes
        self._torn = False
        self._descriptor = _open(path)
        self._housekeeper = Housekeeper(path, keep=keep)
        self._housekeeper.sweep()

    def write(self, line: str) -> None:
        """Appends the line, after rotating a file that would grow over its limit."""
        content = line.encode("utf-8", "backslashreplace")
        try:
            if os.fstat(self._descriptor).st_size + len(content) > self._max_bytes:
                self._rotate()
            self._append(content)
        except OSError as error:
            self._torn = True
            sys.stderr.write(f"cannot write {self._path} ({error.strerror}), so here: {line}")

    def stop(self) -> None:
        """Closes the file and returns when rotated ones are compressed."""
        os.close(self._descriptor)
        self._housekeeper.close()

    def _append(self, content: bytes) -> None:
        # A line cut by a full disk is ended first, so that the next one begins a line.
        rest = b"\n" + content if self._torn else content
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]
        self._torn = False

    def _rotate(self) -> None:
        rotated = self._path.with_name(f"{self._path.stem}.{_now()}{self._path.suffix}")
        self._path.rename(rotated)
        fresh = _open(self._path)
        os.close(self._descriptor)
        self._descriptor = fresh
        self._housekeeper.compress(rotated)
        self._housekeeper.expire()


class Housekeeper:
    """Compresses and expires the rotated files of one log, in one background thread."""

    def __init__(self, log: Path, *, keep: timedelta) -> None:
        self._log = log
        self._keep = keep
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="log-files")

    def compress(self, rotated: Path) -> None:
        """Compresses a file; returns at once."""
        self._thread.submit(compress, rotated)

    def expire(self) -> None:
        """Deletes what is past its time; returns at once."""
        self._thread.submit(expire, self._log, self._keep)

    def sweep(self) -> None:
        """Finishes what an earlier process left: compresses and expires; returns at once."""
        for path in rotated_files(self._log):
            if path.suffix != ".gz":
                self.compress(path)
        self.expire()

    def close(self) -> None:
        """Returns when all work is done."""
        self._thread.shutdown()


def rotated_files(log: Path) -> list[Path]:
    """The files once written as `log`, `x.log` giving `x.<time>.log` and `x.<time>.log.gz`."""
    names = (f"{log.stem}.*{log.suffix}", f"{log.stem}.*{log.suffix}.gz")
    return sorted(path for name in names for path in log.parent.glob(name) if path != log)


def compress(path: Path) -> None:
    """Replaces a file by its gzip of the same time; a crash between leaves the original."""
    target = path.with_name(f"{path.name}.gz")
    partial = path.with_name(f"{path.name}.gz.partial")
    try:
        with path.open("rb") as source, gzip.open(partial, "wb") as packed:
            shutil.copyfileobj(source, packed)
    except FileNotFoundError:
        # Expired or compressed by a sweep in the meantime.
        return
    shutil.copystat(path, partial)
    partial.replace(target)
    path.unlink(missing_ok=True)


def expire(log: Path, keep: timedelta) -> None:
    """Deletes rotated files last written longer ago than `keep`."""
    # Compared with the file system's own stamps, which are wall time.
    oldest = time.time() - keep.total_seconds()
    for path in rotated_files(log):
        if path.stat().st_mtime < oldest:
            path.unlink(missing_ok=True)


def _open(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, MODE)


def _now() -> str:
    # Named by the wall clock, so that files sort by age; the nanoseconds keep two rotations apart.
    return f"{datetime.now(UTC):%Y-%m-%d_%H-%M-%S}_{time.time_ns() % 1_000_000_000:09d}"
