"""A real PostgreSQL for the whole system, beside the SQLite that it uses by default."""

from collections.abc import Iterator

import pytest

from fakes.databases import Postgres, run_postgres


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    yield from run_postgres()
