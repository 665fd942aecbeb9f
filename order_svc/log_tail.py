"""Which attempts have their line in the log files already."""

import gzip
import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final

from runtime.log_files import rotated_files

_ATTEMPT: Final = re.compile(
    r" \| (?:Order placed|Order failed|Order cancelled|Cancel failed): .* \| attempt=(\S+)"
)


def logged_attempts(log: Path) -> frozenset[str]:
    """The ids in the log and in the file rotated away last; blocking, bounded by the size at rotation.

    Older files are not read: an attempt is completed and its line written within moments, and only the
    last moments before a crash are in doubt.
    """
    found = (line_attempt for path in _newest_two(log) for line_attempt in _attempts_in(path))
    return frozenset(found)


def _newest_two(log: Path) -> tuple[Path, ...]:
    rotated = sorted(rotated_files(log), key=lambda path: path.stat().st_mtime)
    current = (log,) if log.exists() else ()
    return (*rotated[-1:], *current)


def _attempts_in(path: Path) -> Iterator[str]:
    with _open(path) as lines:
        for line in lines:
            found = _ATTEMPT.search(line)
            if found is not None:
                yield found[1]


def _open(path: Path) -> IO[str]:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8", errors="replace")
    return path.open(encoding="utf-8", errors="replace")
