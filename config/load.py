"""secrets.yml and the environment, checked and with its secrets known to the log."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from config.advice import advise
from config.schema import Configuration
from runtime.redaction import register_secrets
from runtime.settings import Problem, load, secrets_of


def load_configuration(path: Path, environ: Mapping[str, str]) -> tuple[Configuration, tuple[Problem, ...]]:
    """The configuration and its warnings; from then on no log line shows a secret of it.

    Raises SettingsError with every problem at once.
    """
    configuration, warnings = load(Configuration, path=path, environ=environ)
    register_secrets(secrets_of(configuration))
    register_secrets(_passwords(configuration))
    return configuration, (*warnings, *advise(configuration))


def _passwords(configuration: Configuration) -> Iterator[str]:
    database = configuration.database.url
    for url in (configuration.storage.url, database.get_secret_value() if database else None):
        if url is None:
            continue
        try:
            password = make_url(url).password
        except ArgumentError:
            continue
        if password:
            yield password
