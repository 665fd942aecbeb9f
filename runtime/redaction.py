"""Keeps secrets out of everything that is written (I15)."""

from collections.abc import Iterable
from typing import Final
from urllib.parse import quote, quote_plus

MASK: Final = "***"
MIN_SECRET_CHARACTERS: Final = 6
"""A shorter value would also be an ordinary word or number, and masking it would shred the log."""


class Redactor:
    """Masks registered secrets wherever they occur, also URL-encoded or inside a `repr`.

    Secrets are found by their first characters in a table, so that a line costs the same
    with two secrets and with thousands.
    """

    def __init__(self) -> None:
        self._by_start: dict[str, tuple[str, ...]] = {}

    def register(self, value: str) -> None:
        """Masks this value from now on; safe to repeat."""
        if len(value) < MIN_SECRET_CHARACTERS:
            return
        for form in _forms(value):
            start = form[:MIN_SECRET_CHARACTERS]
            known = {*self._by_start.get(start, ()), form}
            # The longest first: a secret that holds another must vanish whole.
            self._by_start[start] = tuple(sorted(known, key=len, reverse=True))

    def redact(self, text: str) -> str:
        """The text with every registered secret masked."""
        starts, size = self._by_start, MIN_SECRET_CHARACTERS
        found = [at for at in range(len(text) - size + 1) if text[at : at + size] in starts] if starts else []
        # Nearly every line ends here.
        if not found:
            return text
        pieces: list[str] = []
        written = 0
        for at in found:
            length = self._length_at(text, at) if at >= written else 0
            if length:
                pieces += (text[written:at], MASK)
                written = at + length
        return "".join((*pieces, text[written:]))

    def _length_at(self, text: str, position: int) -> int:
        candidates = self._by_start[text[position : position + MIN_SECRET_CHARACTERS]]
        return next((len(one) for one in candidates if text.startswith(one, position)), 0)


_PROCESS = Redactor()


def register_secret(value: str) -> None:
    """Masks this value in every log line and traceback of the process from now on."""
    _PROCESS.register(value)


def register_secrets(values: Iterable[str]) -> None:
    """Masks all of these, see `register_secret`."""
    for value in values:
        _PROCESS.register(value)


def redact(text: str) -> str:
    """The text as it may be shown: every secret of the process masked."""
    return _PROCESS.redact(text)


def _forms(value: str) -> frozenset[str]:
    return frozenset({value, quote(value, safe=""), quote_plus(value), repr(value)[1:-1]})
