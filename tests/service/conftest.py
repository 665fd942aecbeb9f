"""Real database servers, one of each for all tests of a worker; a test that stops one starts it again."""

from collections.abc import Iterator

import pytest

from fakes.databases import MariaDb, Postgres, run_mariadb, run_postgres


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    yield from run_postgres()


@pytest.fixture(scope="session")
def mariadb() -> Iterator[MariaDb]:
    yield from run_mariadb()
