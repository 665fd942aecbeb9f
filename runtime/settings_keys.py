"""Unknown and empty keys: found, named with the nearest known key, and taken out before validation."""

import difflib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from runtime.settings_problems import Problem
from runtime.settings_section import FieldType, Section, UnknownKeys, fields_of

_CLOSE: Final = 0.7


@dataclass(slots=True)
class _Findings:
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)


def strip_unknown(
    model: type[Section], data: Mapping[str, object]
) -> tuple[dict[str, object], tuple[Problem, ...], tuple[Problem, ...]]:
    """The data the model knows, the problems and the warnings about the rest."""
    findings = _Findings()
    known = _section(model, data, (), findings)
    return known, tuple(findings.problems), tuple(findings.warnings)


def nearest(key: str, known: Collection[str]) -> str | None:
    """The known key this one was probably meant to be."""
    found = difflib.get_close_matches(key.lower(), known, n=1, cutoff=_CLOSE)
    return found[0] if found else None


def unknown_key_message(key: str, known: Collection[str]) -> str:
    """Says that the key is unknown and which one is near."""
    close = nearest(key, known)
    return "unknown key" + (f"; did you mean {close}?" if close else f"; known are {', '.join(known)}")


def _section(
    model: type[Section], data: Mapping[str, object], path: tuple[str, ...], findings: _Findings
) -> dict[str, object]:
    fields = fields_of(model)
    known: dict[str, object] = {}
    for raw_key, value in data.items():
        key = str(raw_key)
        here = (*path, key)
        if key not in fields:
            _report_unknown(model, key, here, fields, findings)
        elif value is not None or fields[key].accepts_none:
            known[key] = _value(fields[key], value, here, findings)
        else:
            _report_empty(fields[key], here, findings)
    return known


def _value(field_type: FieldType, value: object, path: tuple[str, ...], findings: _Findings) -> object:
    if not isinstance(value, Mapping):
        return value
    if field_type.section is not None:
        return _section(field_type.section, value, path, findings)
    if field_type.item_section is not None:
        item = field_type.item_section
        return {
            str(name): _section(item, one, (*path, str(name)), findings) if isinstance(one, Mapping) else one
            for name, one in value.items()
        }
    return value


def _report_unknown(
    model: type[Section], key: str, path: tuple[str, ...], fields: Iterable[str], findings: _Findings
) -> None:
    known = tuple(fields)
    close = nearest(key, known)
    is_error = model.unknown_keys is UnknownKeys.ERROR or (
        model.unknown_keys is UnknownKeys.ERROR_IF_CLOSE and close is not None
    )
    if is_error:
        findings.problems.append(Problem(path=".".join(path), message=unknown_key_message(key, known)))
    else:
        hint = f"; did you mean {close}?" if close else ""
        findings.warnings.append(Problem(path=".".join(path), message=f"unknown key, ignored{hint}"))


def _report_empty(field_type: FieldType, path: tuple[str, ...], findings: _Findings) -> None:
    is_value = field_type.section is None and field_type.item_section is None
    if is_value and field_type.has_default:
        findings.warnings.append(Problem(path=".".join(path), message="is empty, so its default is used"))
    # Without a default, validation reports the key as required; an empty section has nothing to report.
