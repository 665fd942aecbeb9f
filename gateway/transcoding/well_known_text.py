"""The text forms of Timestamp, Duration and FieldMask in ProtoJSON, without touching a message."""

import re
from datetime import UTC, date, datetime, timedelta, timezone
from functools import lru_cache

_TIMESTAMP = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:Z|([+-])(\d\d):(\d\d))", re.ASCII
)
_DURATION = re.compile(r"(-?)(\d{1,12})(?:\.(\d{1,9}))?s", re.ASCII)
_GO_DURATION = re.compile(r"([+-]?)((?:\d{1,12}(?:\.\d{1,9})?(?:h|ms|m|s|us|µs|μs|ns))+)", re.ASCII)
_GO_PART = re.compile(r"(\d+)(?:\.(\d+))?(h|ms|m|s|us|µs|μs|ns)", re.ASCII)
_GO_UNIT_NANOS = {
    "h": 3_600_000_000_000,
    "m": 60_000_000_000,
    "s": 1_000_000_000,
    "ms": 1_000_000,
    "us": 1_000,
    "µs": 1_000,
    "μs": 1_000,
    "ns": 1,
}
_NANOS = 1_000_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MIN_SECONDS = -62_135_596_800
_MAX_SECONDS = 253_402_300_799
_MAX_DURATION_SECONDS = 315_576_000_000


class TextFormError(ValueError):
    """The text is not of the form its type wants, or the value has no text form."""


def parse_timestamp(text: str) -> tuple[int, int]:
    """Seconds and nanoseconds since the epoch of an RFC 3339 time with `Z` or an offset."""
    match = _TIMESTAMP.fullmatch(text)
    if match is None:
        raise TextFormError("expected a time like 2025-01-15T14:30:25.123Z")
    year, month, day, hour, minute, second, fraction, sign, off_hours, off_minutes = match.groups()
    zone = UTC
    try:
        if sign is not None:
            offset = timedelta(hours=int(off_hours), minutes=int(off_minutes))
            zone = timezone(offset if sign == "+" else -offset)
        local = datetime(int(year), int(month), int(day), int(hour), int(minute), int(second), tzinfo=zone)
    except ValueError as e:
        raise TextFormError(f"not a time: {e}") from None
    since = local - _EPOCH
    seconds = since.days * 86_400 + since.seconds
    if not _MIN_SECONDS <= seconds <= _MAX_SECONDS:
        raise TextFormError("a time must lie in the years 0001 to 9999")
    return seconds, _fraction_nanos(fraction)


def format_timestamp(seconds: int, nanos: int) -> str:
    """RFC 3339 in UTC with 0, 3, 6 or 9 digits."""
    if not 0 <= nanos < _NANOS:
        raise TextFormError(f"a Timestamp of {nanos} ns has no text form")
    minutes, second = divmod(seconds, 60)
    return f"{_minute_text(minutes)}:{second:02d}{_fraction_text(nanos)}Z"


@lru_cache(maxsize=1024)
def _minute_text(since_epoch: int) -> str:
    # Times in one answer lie close together, and a calendar costs more than all the rest.
    if not _MIN_SECONDS <= since_epoch * 60 <= _MAX_SECONDS:
        raise TextFormError("a Timestamp beyond the years 0001 to 9999 has no text form")
    days, minutes = divmod(since_epoch, 24 * 60)
    hour, minute = divmod(minutes, 60)
    return f"{date.fromordinal(_EPOCH.toordinal() + days).isoformat()}T{hour:02d}:{minute:02d}"


def parse_duration(text: str) -> tuple[int, int]:
    """Seconds and nanoseconds, of one sign, of a text like `3.5s`."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise TextFormError("expected a duration like 3.5s")
    sign, whole, fraction = match.groups()
    return _signed(negative=sign == "-", total_nanos=int(whole) * _NANOS + _fraction_nanos(fraction))


def parse_go_duration(text: str) -> tuple[int, int]:
    """As `parse_duration`, and also Go's spelling, like `1m30s`."""
    match = _GO_DURATION.fullmatch(text)
    if match is None:
        return parse_duration(text)
    total = 0
    for whole, fraction, unit in _GO_PART.findall(match.group(2)):
        scale = _GO_UNIT_NANOS[unit]
        total += int(whole) * scale + _fraction_nanos(fraction) * scale // _NANOS
    return _signed(negative=match.group(1) == "-", total_nanos=total)


def format_duration(seconds: int, nanos: int) -> str:
    """Seconds with 0, 3, 6 or 9 digits and an `s`."""
    mixed_signs = (seconds < 0 < nanos) or (nanos < 0 < seconds)
    if abs(seconds) > _MAX_DURATION_SECONDS or abs(nanos) >= _NANOS or mixed_signs:
        raise TextFormError(f"a Duration of {seconds} s and {nanos} ns has no text form")
    sign = "-" if seconds < 0 or nanos < 0 else ""
    return f"{sign}{abs(seconds)}{_fraction_text(abs(nanos))}s"


def parse_mask_strict(text: str) -> list[str]:
    """The proto paths of a FieldMask in ProtoJSON: lowerCamelCase, separated by commas."""
    if "_" in text:
        raise TextFormError("the paths of a field mask are in lowerCamelCase")
    return parse_mask(text)


def parse_mask(text: str) -> list[str]:
    """As `parse_mask_strict`, and snake_case paths are taken as they are."""
    if not text:
        return []
    paths = text.split(",")
    if not all(paths):
        raise TextFormError("a field mask holds an empty path")
    return [re.sub(r"[A-Z]", lambda upper: "_" + upper.group().lower(), path) for path in paths]


def format_mask(paths: list[str]) -> str:
    """The paths in lowerCamelCase; one that would not read back is printed as it is."""
    return ",".join(_camel(path) for path in paths)


def _camel(path: str) -> str:
    camel = re.sub(r"_([a-z])", lambda match: match.group(1).upper(), path)
    reads_back = "_" not in camel and path == path.lower()
    return camel if reads_back else path


def _signed(*, negative: bool, total_nanos: int) -> tuple[int, int]:
    seconds, nanos = divmod(total_nanos, _NANOS)
    if seconds > _MAX_DURATION_SECONDS or (seconds == _MAX_DURATION_SECONDS and nanos):
        raise TextFormError("a duration is at most 315576000000s")
    return (-seconds, -nanos) if negative else (seconds, nanos)


def _fraction_nanos(fraction: str | None) -> int:
    return int(fraction.ljust(9, "0")) if fraction else 0


def _fraction_text(nanos: int) -> str:
    if not nanos:
        return ""
    millis, rest = divmod(nanos, 1_000_000)
    if not rest:
        return f".{millis:03d}"
    digits = f"{nanos:09d}"
    return "." + (digits[:6] if digits.endswith("000") else digits)
