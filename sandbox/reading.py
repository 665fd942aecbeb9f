"""Reads untyped YAML or JSON values, noting every problem with its path instead of stopping at the first."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from sandbox.decimal_text import find_decimal


@dataclass(slots=True)
class Problems:
    """What is wrong, one line each: the path of the value, then the fault and the remedy."""

    found: list[str] = field(default_factory=list)

    def note(self, path: str, problem: str) -> None:
        """Add a problem."""
        self.found.append(f"{path}: {problem}")


class Section:
    """A mapping being read. What is never asked for counts as an unknown key when `finish` is called."""

    def __init__(self, value: object, path: str, problems: Problems) -> None:
        self.path = path
        self.problems = problems
        self._values: Mapping[str, object] = {}
        self._known: set[str] = set()
        if isinstance(value, Mapping):
            self._values = {str(key): item for key, item in value.items()}
        elif value is not None:
            problems.note(path or "scenario", f"must be a mapping, got {_shown(value)}")

    def at(self, key: str) -> str:
        """The path of a key."""
        return f"{self.path}.{key}" if self.path else key

    def has(self, key: str) -> bool:
        """Whether the key is given at all, even as null."""
        return key in self._values

    def raw(self, key: str) -> object:
        """The value as it is, None when absent."""
        self._known.add(key)
        return self._values.get(key)

    def section(self, key: str) -> "Section":
        """A mapping below this one, empty when absent."""
        return Section(self.raw(key), self.at(key), self.problems)

    def sections(self, key: str) -> list["Section"]:
        """The mappings of a list, none when absent."""
        value = self.raw(key)
        if value is None:
            return []
        if not isinstance(value, Sequence) or isinstance(value, str):
            self.problems.note(self.at(key), f"must be a list, got {_shown(value)}")
            return []
        return [Section(item, f"{self.at(key)}[{index}]", self.problems) for index, item in enumerate(value)]

    def names(self) -> list[str]:
        """The keys given, for mappings whose keys are names."""
        return list(self._values)

    def text(self, key: str, default: str | None = None) -> str:
        """A text; without a default it is required."""
        value = self.raw(key)
        if value is None and default is not None:
            return default
        if isinstance(value, int) and not isinstance(value, bool):
            value = str(value)
        if isinstance(value, str) and value:
            return value
        self.problems.note(self.at(key), f"must be a text, got {_shown(value)}")
        return ""

    def choice(self, key: str, words: Sequence[str], default: str) -> str:
        """One of a few words."""
        value = self.text(key, default)
        if value not in words:
            self.problems.note(self.at(key), f"must be one of {', '.join(words)}, got {_shown(value)}")
        return value

    def flag(self, key: str, *, default: bool) -> bool:
        """True or false."""
        value = self.raw(key)
        if value is None:
            return default
        if isinstance(value, bool):
            return value
        self.problems.note(self.at(key), f"must be true or false, got {_shown(value)}")
        return default

    def number(self, key: str, default: Decimal | None = None, *, least: Decimal | None = None) -> Decimal:
        """A finite number; without a default it is required."""
        number = self.find_number(key, least=least)
        if number is not None:
            return number
        if default is None:
            if self._values.get(key) is None:
                self.problems.note(self.at(key), "is required")
            return Decimal(0)
        return default

    def find_number(self, key: str, *, least: Decimal | None = None) -> Decimal | None:
        """A finite number, or None when absent or wrong (then noted)."""
        value = self.raw(key)
        if value is None:
            return None
        number = _as_decimal(value)
        if number is None:
            self.problems.note(self.at(key), f"must be a number, got {_shown(value)}")
        elif least is not None and number < least:
            self.problems.note(self.at(key), f"must be at least {least}, got {number}")
        return number

    def find_whole(self, key: str, *, least: int = 0) -> int | None:
        """A whole number, or None when absent or wrong (then noted)."""
        number = self.find_number(key, least=Decimal(least))
        if number is None:
            return None
        if number % 1:
            self.problems.note(self.at(key), f"must be a whole number, got {number}")
        return int(number)

    def finish(self) -> None:
        """Note every key that nobody asked for."""
        for key in self._values:
            if key not in self._known:
                known = ", ".join(sorted(self._known))
                self.problems.note(self.at(key), f"is unknown; known here: {known}")


def _as_decimal(value: object) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        return None
    return find_decimal(str(value))


def _shown(value: object) -> str:
    return "nothing" if value is None else repr(value)[:80]
