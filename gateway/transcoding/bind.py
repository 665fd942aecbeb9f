"""Path variables into the request message, compiled once a rule."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from gateway.transcoding import percent
from gateway.transcoding.decode import Decoder
from gateway.transcoding.failure import ConfigurationError, Malformed
from gateway.transcoding.json_value import JsonValue
from gateway.transcoding.message_types import class_of
from gateway.transcoding.scalar import ValueReject
from gateway.transcoding.template import Template, Variable
from gateway.transcoding.text_field import FillText, setter


@dataclass(frozen=True, slots=True)
class _Step:
    """One field on the way to the bound one."""

    name: str
    spellings: tuple[str, ...]
    oneof: str | None


@dataclass(frozen=True, slots=True)
class _BoundField:
    """One variable, and the field it fills."""

    variable: Variable
    parents: tuple[_Step, ...]
    step: _Step
    put: FillText
    new_holder: Callable[[], Message]

    @property
    def dotted(self) -> str:
        return ".".join(self.variable.field_path)

    def text(self, parts: Sequence[str]) -> str:
        raw = self.variable.take(parts)
        try:
            return percent.decode_keeping_slashes(raw) if self.variable.several else percent.decode(raw)
        except percent.PercentError as e:
            raise Malformed(str(e), field=self.dotted) from None


class PathBinder:
    """Sets the fields that the variables of one template name."""

    def __init__(self, template: Template, descriptor: Descriptor, decoder: Decoder) -> None:
        self._fields = tuple(
            _bound_field(template, variable, descriptor, decoder) for variable in template.variables
        )
        self.field_paths = frozenset(field.variable.field_path for field in self._fields)

    def texts(self, parts: Sequence[str]) -> dict[str, str]:
        """The decoded text of every variable by its dotted field path; Malformed for a broken escape."""
        return {field.dotted: field.text(parts) for field in self._fields}

    def bind(self, message: Message, texts: Mapping[str, str], given: JsonValue = None) -> None:
        """Set every bound field.

        `given` is the JSON that already filled `message`: a field it holds must say the
        same as the path.
        """
        for field in self._fields:
            self._bind_field(field, message, texts[field.dotted], given)

    @staticmethod
    def _bind_field(field: _BoundField, message: Message, text: str, given: JsonValue) -> None:
        holder = message
        for step in field.parents:
            _check_oneof(holder, step, field.dotted)
            holder = getattr(holder, step.name)
        _check_oneof(holder, field.step, field.dotted)
        try:
            if _is_given(given, (*field.parents, field.step)):
                _check_same(field, holder, text)
            field.put(holder, text)
        except ValueReject as e:
            raise Malformed(e.why, field=field.dotted) from None


def _bound_field(
    template: Template, variable: Variable, descriptor: Descriptor, decoder: Decoder
) -> _BoundField:
    where = f"path template {template.text!r}"
    steps: list[_Step] = []
    holder, field = descriptor, None
    for position, name in enumerate(variable.field_path):
        field = holder.fields_by_name.get(name)
        if field is None:
            raise ConfigurationError(f"{where}: {holder.full_name} has no field {name!r}")
        if field.is_repeated:
            raise ConfigurationError(f"{where}: {field.full_name} is repeated and cannot be bound by a path")
        steps.append(_step(field))
        if position < len(variable.field_path) - 1:
            if field.message_type is None:
                raise ConfigurationError(f"{where}: {field.full_name} is not a message")
            holder = field.message_type
    if field is None:
        raise AssertionError("a variable names at least one field")
    put = setter(field, decoder)
    if put is None:
        raise ConfigurationError(f"{where}: {field.full_name} is a message and cannot be bound by a path")
    return _BoundField(variable, tuple(steps[:-1]), steps[-1], put, class_of(holder))


def _step(field: FieldDescriptor) -> _Step:
    oneof = field.containing_oneof
    return _Step(field.name, (field.name, field.json_name), oneof.name if oneof is not None else None)


def _check_oneof(holder: Message, step: _Step, dotted: str) -> None:
    if step.oneof is None:
        return
    present = holder.WhichOneof(step.oneof)
    if present is not None and present != step.name:
        raise Malformed(f"{present}, of the same oneof, is given too", field=dotted)


def _is_given(given: JsonValue, steps: Sequence[_Step]) -> bool:
    for step in steps:
        if not isinstance(given, dict):
            return False
        given = next((given[name] for name in step.spellings if given.get(name) is not None), None)
    return given is not None


def _check_same(field: _BoundField, holder: Message, text: str) -> None:
    from_path = field.new_holder()
    field.put(from_path, text)
    if getattr(from_path, field.step.name) != getattr(holder, field.step.name):
        raise ValueReject("the body and the path give different values")
