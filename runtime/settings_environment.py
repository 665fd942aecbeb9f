"""Environment variables over the file: `OPITIOS_<SECTION>__<KEY>=value`."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from runtime.settings_keys import unknown_key_message
from runtime.settings_problems import Problem
from runtime.settings_section import FieldType, Section, field_at, fields_of
from runtime.settings_yaml import YamlProblem, parse_yaml

PREFIX: Final = "OPITIOS_"
SEPARATOR: Final = "__"
RESERVED: Final = frozenset({"OPITIOS_CONFIG"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlaid:
    """Data with the variables applied."""

    data: dict[str, object]
    problems: tuple[Problem, ...]
    """One for each variable that fits no key."""
    origins: Mapping[str, str]
    """Key path to the variable that set it."""


def overlay(model: type[Section], data: Mapping[str, object], environ: Mapping[str, str]) -> Overlaid:
    """A copy of the data with every variable applied.

    Values are YAML (`5000`, `true`, `[a, b]`, `null`), but the value of a text key is taken as it stands.
    """
    result = copy.deepcopy(dict(data))
    problems: list[Problem] = []
    origins: dict[str, str] = {}
    for name in sorted(environ):
        if name.startswith(PREFIX) and name not in RESERVED:
            try:
                path = _apply(model, result, name, environ[name])
            except _Misfit as error:
                problems.append(Problem(path=name, message=str(error)))
            else:
                origins[".".join(path)] = name
    return Overlaid(data=result, problems=tuple(problems), origins=origins)


class _Misfit(Exception):
    """A variable that cannot be applied; says why."""


def _apply(model: type[Section], data: dict[str, object], name: str, text: str) -> tuple[str, ...]:
    path = _resolve(model, data, name.removeprefix(PREFIX).split(SEPARATOR))
    found = field_at(model, path)
    if found is None or found.section is not None or found.item_section is not None:
        raise _Misfit("names a section; add __ and a key")
    _put(data, path, _parse(found, text))
    return path


def _resolve(model: type[Section], data: Mapping[str, object], written: list[str]) -> tuple[str, ...]:
    """The key path a variable means; names under a free mapping match existing ones whatever their case."""
    path: list[str] = []
    section: type[Section] | None = model
    content: object = data
    parts = list(written)
    while parts:
        part = parts.pop(0).lower()
        fields = fields_of(section) if section is not None else {}
        if part not in fields:
            raise _Misfit(unknown_key_message(part, tuple(fields)) if fields else "goes deeper than any key")
        path.append(part)
        content = content.get(part) if isinstance(content, Mapping) else None
        section = fields[part].section
        if fields[part].item_section is not None and parts:
            entry = _existing(content, parts.pop(0))
            path.append(entry)
            content = content.get(entry) if isinstance(content, Mapping) else None
            section = fields[part].item_section
    return tuple(path)


def _existing(content: object, written: str) -> str:
    names = [str(name) for name in content] if isinstance(content, Mapping) else []
    return next((name for name in names if name.lower() == written.lower()), written.lower())


def _parse(field: FieldType, text: str) -> object:
    if field.is_text and text:
        return text
    try:
        return parse_yaml(text)
    except YamlProblem:
        # An address such as [::1]:50051; what is not meant for the key, validation reports.
        return text


def _put(data: dict[str, object], path: tuple[str, ...], value: object) -> None:
    target: dict[str, object] = data
    for part in path[:-1]:
        if target.get(part) is None:
            target[part] = {}
        inner = target[part]
        if not isinstance(inner, dict):
            raise _Misfit(f"{part} is not a section in the file")
        target = inner
    target[path[-1]] = value
