"""Cuts a stream of JSON text into its values: one value after another, or the elements of one array."""

import re

from gateway.transcoding.json_value import JsonError

_SPACE = b" \t\r\n"
# Outside strings only brackets, quotes, commas and white space matter; inside only quotes and backslashes.
_OUTSIDE = re.compile(rb'["{}\[\],\s]')
_INSIDE = re.compile(rb'["\\]')


class JsonSplitter:
    """Feed it pieces of text as they arrive; it hands out every value that is complete.

    The values themselves are not checked, only where they begin and end. `limit` bounds
    one value, so that the whole stream may be longer.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._buffer = bytearray()
        self._at = 0
        self._depth = 0
        self._in_string = False
        self._in_array: bool | None = None
        self._array_ended = False
        self._after_comma = False
        self._values: list[bytes] = []

    def feed(self, piece: bytes) -> list[bytes]:
        """The values that `piece` completes; JsonError where the text cannot be such a stream."""
        self._buffer += piece
        self._scan()
        if len(self._buffer) > self._limit:
            raise self._too_large()
        values, self._values = self._values, []
        return values

    def finish(self) -> list[bytes]:
        """The value that only the end completes, such as a bare number; JsonError when one is cut short."""
        if self._depth or self._in_string:
            raise JsonError("the body ends inside a value")
        if self._in_array and not self._array_ended:
            raise JsonError("the body ends inside the array")
        self._cut(len(self._buffer))
        values, self._values = self._values, []
        return values

    def _scan(self) -> None:
        if self._in_array is None:
            del self._buffer[: len(self._buffer) - len(self._buffer.lstrip(_SPACE))]
            if not self._buffer:
                return
            self._in_array = self._buffer[:1] == b"["
            if self._in_array:
                del self._buffer[:1]
        while True:
            found = (_INSIDE if self._in_string else _OUTSIDE).search(self._buffer, self._at)
            if found is None:
                self._at = len(self._buffer)
                return
            self._at = found.end()
            if self._in_string:
                if found.group() == b'"':
                    self._in_string = False
                elif self._at < len(self._buffer):
                    self._at += 1
                else:
                    self._at -= 1
                    return
            else:
                self._see(found.group())

    def _see(self, char: bytes) -> None:
        if char == b'"':
            self._in_string = True
        elif char in b"{[":
            if self._depth == 0 and char == b"{" and not self._in_array:
                self._cut(self._at - 1)
            self._depth += 1
        elif char in b"}]":
            self._close(char)
        elif self._depth == 0:
            self._separate(char)

    def _close(self, char: bytes) -> None:
        if self._depth:
            self._depth -= 1
            if self._depth == 0 and not self._in_array:
                self._cut(self._at)
        elif char == b"]" and self._in_array and not self._array_ended:
            ends_badly = self._after_comma and not self._buffer[: self._at - 1].strip(_SPACE)
            if ends_badly:
                raise JsonError("a comma without a value after it")
            self._cut(self._at - 1)
            self._drop(1)
            self._array_ended = True
        else:
            raise JsonError(f"an unexpected {char.decode('ascii')}")

    def _separate(self, char: bytes) -> None:
        if char == b",":
            if not self._in_array or not self._buffer[: self._at - 1].strip(_SPACE):
                raise JsonError("a comma without a value before it")
            self._cut(self._at - 1)
            self._drop(1)
            self._after_comma = True
        elif not self._in_array:
            self._cut(self._at)

    def _cut(self, end: int) -> None:
        value = bytes(self._buffer[:end]).strip(_SPACE)
        del self._buffer[:end]
        self._at -= end
        if not value:
            return
        if self._array_ended:
            raise JsonError("text after the array")
        if len(value) > self._limit:
            raise self._too_large()
        self._values.append(value)
        self._after_comma = False

    def _too_large(self) -> JsonError:
        return JsonError(f"one message is larger than {self._limit} bytes")

    def _drop(self, count: int) -> None:
        del self._buffer[:count]
        self._at -= count
