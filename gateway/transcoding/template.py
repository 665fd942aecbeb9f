"""Path templates of google.api.http: grammar, parsing, and what a variable takes of a path.

Template  = "/" Segments [ ":" LITERAL ]
Segments  = Segment { "/" Segment }
Segment   = "*" | "**" | LITERAL | "{" FieldPath [ "=" Segments ] "}"
FieldPath = IDENT { "." IDENT }
"""

import enum
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn


class TemplateError(ValueError):
    """A path template breaks the grammar; the text says where."""


class Wildcard(enum.Enum):
    """The two segments of a template that match any text."""

    ONE = "*"
    MANY = "**"


Segment = str | Wildcard

_IDENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# RFC 3986 pchar without ":", which starts the verb.
_LITERAL = re.compile(r"(?:[A-Za-z0-9\-._~!$&'()+,;=@]|%[0-9A-Fa-f]{2})+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """One `{field.path=segments}`: the field it fills and the part of the path it takes."""

    field_path: tuple[str, ...]
    start: int
    """Index of its first path segment."""
    stop: int
    """Index after its last one; zero and below count from the end of the path."""
    several: bool
    """Whether it may take more than one segment, which keeps `%2F` as it is."""

    def take(self, parts: Sequence[str]) -> str:
        """The raw text of this variable in a path that matched its template."""
        stop = self.stop if self.stop > 0 else len(parts) + self.stop
        return "/".join(parts[self.start : stop])


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A parsed path template."""

    text: str
    segments: tuple[Segment, ...]
    variables: tuple[Variable, ...]
    verb: str

    @property
    def shape(self) -> tuple[tuple[Segment, ...], str]:
        """What decides which paths match: two templates of one shape match the same paths."""
        return self.segments, self.verb


@dataclass(slots=True, kw_only=True)
class _Piece:
    """A variable while its place from the end is not known yet."""

    field_path: tuple[str, ...]
    start: int
    size: int


class _Parser:
    """One pass over a template's text."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._segments: list[Segment] = []
        self._pieces: list[_Piece] = []

    def parse(self) -> Template:
        self._expect("/")
        if self._at < len(self._text):
            self._read_segments(inside_variable=False)
        verb = ""
        if self._peek() == ":":
            self._at += 1
            verb = self._read(_LITERAL, "a verb")
        if self._at != len(self._text):
            self._fail("unexpected text")
        self._check_after_many()
        self._check_repeated_variable()
        return Template(
            text=self._text,
            segments=tuple(self._segments),
            variables=tuple(self._place(piece) for piece in self._pieces),
            verb=verb,
        )

    def _read_segments(self, *, inside_variable: bool) -> None:
        while True:
            self._read_segment(inside_variable=inside_variable)
            if self._peek() != "/":
                return
            self._at += 1

    def _read_segment(self, *, inside_variable: bool) -> None:
        if self._peek() == "{":
            if inside_variable:
                self._fail("variables do not nest")
            self._read_variable()
        elif self._text.startswith("**", self._at):
            self._at += 2
            self._segments.append(Wildcard.MANY)
        elif self._peek() == "*":
            self._at += 1
            self._segments.append(Wildcard.ONE)
        else:
            self._segments.append(self._read(_LITERAL, "a segment"))

    def _read_variable(self) -> None:
        self._expect("{")
        path = [self._read(_IDENT, "a field name")]
        while self._peek() == ".":
            self._at += 1
            path.append(self._read(_IDENT, "a field name"))
        start = len(self._segments)
        if self._peek() == "=":
            self._at += 1
            self._read_segments(inside_variable=True)
        else:
            self._segments.append(Wildcard.ONE)
        self._expect("}")
        self._pieces.append(_Piece(field_path=tuple(path), start=start, size=len(self._segments) - start))

    def _check_after_many(self) -> None:
        if Wildcard.MANY not in self._segments:
            return
        many = self._segments.index(Wildcard.MANY)
        if any(isinstance(segment, Wildcard) for segment in self._segments[many + 1 :]):
            self._fail("only literals may follow **")
        if any(piece.start > many for piece in self._pieces):
            self._fail("no variable may follow **")

    def _check_repeated_variable(self) -> None:
        paths = [piece.field_path for piece in self._pieces]
        for path in paths:
            if paths.count(path) > 1:
                self._fail(f"the variable {'.'.join(path)} is bound twice")

    def _place(self, piece: _Piece) -> Variable:
        stop = piece.start + piece.size
        taken = self._segments[piece.start : stop]
        after_many = Wildcard.MANY in self._segments[:stop]
        return Variable(
            field_path=piece.field_path,
            start=piece.start,
            stop=stop - len(self._segments) if after_many else stop,
            several=piece.size > 1 or Wildcard.MANY in taken,
        )

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _expect(self, char: str) -> None:
        if self._peek() != char:
            self._fail(f"expected {char!r}")
        self._at += 1

    def _read(self, pattern: re.Pattern[str], what: str) -> str:
        match = pattern.match(self._text, self._at)
        if match is None:
            self._fail(f"expected {what}")
        self._at = match.end()
        return match.group()

    def _fail(self, why: str) -> NoReturn:
        raise TemplateError(f"path template {self._text!r}: {why} at offset {self._at}")


def parse(text: str) -> Template:
    """The template that `text` spells; TemplateError when it breaks the grammar."""
    return _Parser(text).parse()
