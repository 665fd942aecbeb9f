"""The base of every settings model, and what can be read from a model's fields."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import NoneType, UnionType
from typing import Annotated, ClassVar, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, SecretStr

__all__ = ["FieldType", "SecretStr", "Section", "UnknownKeys", "field_at", "secrets_of", "section_of"]


class UnknownKeys(StrEnum):
    """What a key that the model does not know means."""

    ERROR = "error"
    """A mistake: the section is ours, so nobody else's key belongs in it."""
    WARNING = "warning"
    """Somebody else's: the section is older than this program."""
    ERROR_IF_CLOSE = "error_if_close"
    """A mistake if it resembles a known key, else somebody else's."""


class Section(BaseModel):
    """One frozen section of the settings; unknown keys are errors unless a subclass says otherwise."""

    model_config = ConfigDict(frozen=True, extra="forbid", coerce_numbers_to_str=True, allow_inf_nan=False)
    unknown_keys: ClassVar[UnknownKeys] = UnknownKeys.ERROR


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldType:
    """What a field accepts."""

    leaf_types: tuple[object, ...]
    """The members of its union, `Annotated` and `None` taken off."""
    accepts_none: bool
    has_default: bool

    @property
    def section(self) -> type[Section] | None:
        """The model of a field that holds a section."""
        for one in self.leaf_types:
            if isinstance(one, type) and issubclass(one, Section):
                return one
        return None

    @property
    def item_section(self) -> type[Section] | None:
        """The model of the values of a field that maps names to sections."""
        for one in self.leaf_types:
            if get_origin(one) in {dict, Mapping} and (found := section_of(get_args(one)[1])) is not None:
                return found
        return None

    @property
    def is_text(self) -> bool:
        """Whether the field takes text as it stands."""
        return str in self.leaf_types or SecretStr in self.leaf_types


def section_of(annotation: object) -> type[Section] | None:
    """The section an annotation stands for, `None` where it stands for a value."""
    for one in _members(annotation):
        if isinstance(one, type) and issubclass(one, Section):
            return one
    return None


def fields_of(model: type[BaseModel]) -> dict[str, FieldType]:
    """The fields of a model by their key."""
    return {
        name: FieldType(
            leaf_types=tuple(one for one in _members(info.annotation) if one is not NoneType),
            accepts_none=NoneType in _members(info.annotation),
            has_default=not info.is_required(),
        )
        for name, info in model.model_fields.items()
    }


def field_at(model: type[BaseModel], path: Sequence[str]) -> FieldType | None:
    """The field a key path leads to, `None` where the model knows no such path."""
    fields = fields_of(model)
    if not path or path[0] not in fields:
        return None
    field, rest = fields[path[0]], path[1:]
    if not rest:
        return field
    if field.section is not None:
        return field_at(field.section, rest)
    if field.item_section is not None and len(rest) > 1:
        return field_at(field.item_section, rest[1:])
    return None


def secrets_of(settings: object) -> Iterator[str]:
    """Every secret inside settings, for the log's redaction."""
    if isinstance(settings, SecretStr):
        yield settings.get_secret_value()
    elif isinstance(settings, BaseModel):
        for name in type(settings).model_fields:
            yield from secrets_of(getattr(settings, name))
    elif isinstance(settings, Mapping):
        for value in settings.values():
            yield from secrets_of(value)
    elif isinstance(settings, tuple | list):
        for value in settings:
            yield from secrets_of(value)


def _members(annotation: object) -> tuple[object, ...]:
    origin = get_origin(annotation)
    if origin is Annotated:
        return _members(get_args(annotation)[0])
    if origin in {Union, UnionType}:
        return tuple(member for one in get_args(annotation) for member in _members(one))
    return (annotation,)
