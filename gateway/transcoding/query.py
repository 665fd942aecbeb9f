"""Query parameters into the request message.

Names are dotted paths in proto or JSON spelling; `m[key]=v` sets an entry of a map. What
the path or the body binds is dropped here: a query never overwrites either.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from gateway.transcoding import percent
from gateway.transcoding.decode import Decoder
from gateway.transcoding.failure import Malformed
from gateway.transcoding.message_types import is_map
from gateway.transcoding.scalar import ValueReject
from gateway.transcoding.text_field import FillText, appender, map_setter, setter

FieldPath = tuple[str, ...]


class UnknownParameterError(Exception):
    """No field has this name; whether that is an error is for the rule to say."""


@dataclass(slots=True)
class _Name:
    """One field as query parameters see it."""

    name: str
    oneof: str | None
    inner: "_Names | None"
    set: FillText | None
    append: FillText | None
    set_entry: Callable[[Message, str, str], None] | None

    @property
    def is_many(self) -> bool:
        return self.append is not None or self.set_entry is not None


_Names = dict[str, _Name]


class QueryNames:
    """The parameter names of every message type, compiled once a type and shared by all rules."""

    def __init__(self, decoder: Decoder) -> None:
        self._decoder = decoder
        self._names: dict[str, _Names] = {}

    def of(self, descriptor: Descriptor) -> _Names:
        """The fields of this type by both spellings."""
        names = self._names.get(descriptor.full_name)
        if names is not None:
            return names
        # Known before its fields are compiled: a message may hold itself.
        names = self._names[descriptor.full_name] = {}
        for member in descriptor.fields:
            names[member.json_name] = names[member.name] = self._name(member)
        return names

    def _name(self, member: FieldDescriptor) -> _Name:
        oneof = member.containing_oneof
        name = _Name(member.name, oneof.name if oneof is not None else None, None, None, None, None)
        if is_map(member):
            name.set_entry = map_setter(member, self._decoder)
        elif member.is_repeated:
            name.append = appender(member, self._decoder)
        else:
            name.set = setter(member, self._decoder)
            if member.message_type is not None:
                name.inner = self.of(member.message_type)
        return name


@dataclass(slots=True)
class _Assigned:
    """What the parameters before this one have set."""

    values: set[FieldPath] = field(default_factory=set)
    parents: set[FieldPath] = field(default_factory=set)
    entries: set[tuple[FieldPath, str]] = field(default_factory=set)


class QueryBinder:
    """Sets fields from the parameters of one rule's requests."""

    def __init__(
        self,
        names: QueryNames,
        descriptor: Descriptor,
        *,
        taken: Iterable[FieldPath] = (),
        ignored: Iterable[str] = (),
        ignore_unknown: bool = False,
    ) -> None:
        self._names = names.of(descriptor)
        self._type_name = descriptor.full_name
        self._taken = frozenset(taken)
        self._ignored = frozenset(ignored)
        self._ignore_unknown = ignore_unknown

    def bind(self, message: Message, pairs: Iterable[tuple[str, str]]) -> None:
        """Set the field of every (name, value); Malformed names the first parameter that does not fit."""
        assigned = _Assigned()
        for name, text in pairs:
            if name in self._ignored:
                continue
            try:
                self._bind_one(message, name, text, assigned)
            except UnknownParameterError:
                if not self._ignore_unknown:
                    raise Malformed(f"{self._type_name} has no such field", field=name[:200]) from None
            except ValueReject as e:
                raise Malformed(e.why, field=name[:200]) from None

    def _bind_one(self, message: Message, name: str, text: str, assigned: _Assigned) -> None:
        steps, key = self._resolve(name)
        path = tuple(step.name for step in steps)
        if any(_overlap(path, other) for other in self._taken):
            return
        _check_free(path, steps, key, assigned)
        holder = message
        for step in steps[:-1]:
            _check_oneof(holder, step)
            holder = getattr(holder, step.name)
        last = steps[-1]
        _check_oneof(holder, last)
        if key is not None:
            if last.set_entry is None:
                raise ValueReject("only a map of simple values takes [key]")
            last.set_entry(holder, key, text)
            return
        put = last.append or last.set
        if put is None:
            raise ValueReject("this field is a message; give its fields by dotted names")
        put(holder, text)

    def _resolve(self, dotted: str) -> tuple[list[_Name], str | None]:
        name, bracket, rest = dotted.partition("[")
        key = None
        if bracket:
            if not rest.endswith("]"):
                raise UnknownParameterError
            key = rest[:-1]
        steps: list[_Name] = []
        names: _Names | None = self._names
        for piece in name.split("."):
            if names is None:
                raise ValueReject("only a single message has fields to walk into")
            step = names.get(piece)
            if step is None:
                raise UnknownParameterError
            steps.append(step)
            names = step.inner
        return steps, key


def parse_pairs(query_string: str) -> list[tuple[str, str]]:
    """Decoded (name, value) pairs in order; a name without `=` has an empty value."""
    return list(_pairs(query_string))


def _pairs(query_string: str) -> Iterator[tuple[str, str]]:
    for piece in query_string.split("&"):
        if not piece:
            continue
        raw_name, _, raw_value = piece.partition("=")
        try:
            name = percent.decode_form(raw_name)
        except percent.PercentError as e:
            raise Malformed(f"a query parameter's name: {e}") from None
        try:
            yield name, percent.decode_form(raw_value)
        except percent.PercentError as e:
            raise Malformed(str(e), field=name[:200]) from None


def _overlap(path: FieldPath, other: FieldPath) -> bool:
    shorter = min(len(path), len(other))
    return path[:shorter] == other[:shorter]


def _check_oneof(holder: Message, step: _Name) -> None:
    if step.oneof is None:
        return
    present = holder.WhichOneof(step.oneof)
    if present is not None and present != step.name:
        raise ValueReject(f"{present}, of the same oneof, is given too")


def _check_free(path: FieldPath, steps: list[_Name], key: str | None, assigned: _Assigned) -> None:
    parents = [path[:depth] for depth in range(1, len(path))]
    for parent in parents:
        if parent in assigned.values:
            raise ValueReject(f"{'.'.join(parent)} is given as a whole too")
    assigned.parents.update(parents)
    if key is not None:
        if (path, key) in assigned.entries:
            raise ValueReject("given twice")
        assigned.entries.add((path, key))
    elif not steps[-1].is_many:
        if path in assigned.values:
            raise ValueReject("given twice")
        if path in assigned.parents:
            raise ValueReject("its fields are given one by one too")
        assigned.values.add(path)
