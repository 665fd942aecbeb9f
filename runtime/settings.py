"""Settings from one YAML file and the environment into frozen models, every problem reported at once."""

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final, TypeVar

from pydantic import ValidationError

from runtime.settings_environment import overlay
from runtime.settings_keys import strip_unknown
from runtime.settings_problems import Problem, SettingsError, problems_of
from runtime.settings_section import SecretStr, Section, UnknownKeys, secrets_of
from runtime.settings_yaml import YamlProblem, parse_yaml

__all__ = ["Problem", "SecretStr", "Section", "SettingsError", "UnknownKeys", "load", "secrets_of"]

Settings = TypeVar("Settings", bound=Section)

CONFIG_VARIABLE: Final = "OPITIOS_CONFIG"


def load(
    model: type[Settings], *, path: Path, environ: Mapping[str, str]
) -> tuple[Settings, tuple[Problem, ...]]:
    """The settings in `path` under the `OPITIOS_<SECTION>__<KEY>` variables, and warnings worth a log line.

    Raises SettingsError with every problem found, each with its key path; no secret's value is in any of them.
    """
    raw, file_warnings = _read(path)
    overlaid = overlay(model, raw, environ)
    cleaned, key_problems, warnings = strip_unknown(model, overlaid.data)
    problems = (*overlaid.problems, *key_problems)
    try:
        settings = model.model_validate(cleaned)
    except ValidationError as error:
        found = problems_of(error, model)
        raise SettingsError((*problems, *(_with_origin(one, overlaid.origins) for one in found))) from None
    if problems:
        raise SettingsError(problems)
    return settings, (*file_warnings, *warnings)


def _with_origin(problem: Problem, origins: Mapping[str, str]) -> Problem:
    """Names the variable where the value did not come from the file."""
    variable = origins.get(problem.path)
    if variable is None:
        return problem
    return Problem(path=problem.path, message=f"{problem.message} (from {variable})")


def _read(path: Path) -> tuple[dict[str, object], tuple[Problem, ...]]:
    try:
        text = path.read_text(encoding="utf-8")
        mode = stat.S_IMODE(path.stat().st_mode)
    except FileNotFoundError:
        raise SettingsError((_missing(path),)) from None
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise SettingsError((Problem(path=str(path), message=f"cannot be read: {reason}"),)) from None
    return _parse(text, path), _permission_warnings(path, mode)


def _parse(text: str, path: Path) -> dict[str, object]:
    try:
        content = parse_yaml(text)
    except YamlProblem as error:
        raise SettingsError((Problem(path=str(path), message=str(error)),)) from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise SettingsError(
            (Problem(path=str(path), message="must hold sections with keys at its top level"),)
        )
    return {str(key): value for key, value in content.items()}


def _permission_warnings(path: Path, mode: int) -> tuple[Problem, ...]:
    if os.name != "posix" or not mode & (stat.S_IRWXG | stat.S_IRWXO):
        return ()
    return (Problem(path=str(path), message=f"is open to others (mode {mode:04o}); run: chmod 600 {path}"),)


def _missing(path: Path) -> Problem:
    return Problem(
        path=str(path),
        message=f"no such file; give one by --config PATH, by {CONFIG_VARIABLE}=PATH, or copy secrets.example.yml to ./secrets.yml",
    )
