import logging
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from loguru import logger

from runtime import log
from runtime.cli import main
from runtime.errors import StartupError
from runtime.lifecycle import Running
from runtime.settings import Problem, SettingsError


@dataclass(frozen=True, slots=True, kw_only=True)
class Logging:
    directory: Path
    level: str = "INFO"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    logging: Logging
    console: bool = False


class Program:
    """What a service hands to the command line, and what became of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.loaded: list[Path] = []
        self.opened = 0
        self.problems: tuple[Problem, ...] = ()

    def load(self, path: Path, environ: Mapping[str, str]) -> tuple[Settings, tuple[Problem, ...]]:
        self.loaded.append(path)
        if self.problems:
            raise SettingsError(self.problems)
        return Settings(logging=Logging(directory=self.folder)), (Problem(path="a.b", message="is odd"),)

    @asynccontextmanager
    async def open_app(self, _settings: Settings) -> AsyncIterator[Running]:
        self.opened += 1
        await self._refuse()
        yield self

    async def _refuse(self) -> None:
        raise StartupError("services.test.listen: cannot listen")

    async def stop(self, grace_seconds: float) -> None:
        raise AssertionError("never started")

    def run(self, *argv: str, environ: Mapping[str, str] | None = None) -> int:
        return main("test", load=self.load, open_app=self.open_app, argv=argv, environ=environ or {})


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Program]:
    yield Program(tmp_path)
    logger.remove()
    logger.configure(patcher=lambda _record: None, extra={})
    logging.captureWarnings(capture=False)
    for handler in [one for one in logging.getLogger().handlers if isinstance(one, log._ToLoguru)]:
        logging.getLogger().removeHandler(handler)


@pytest.mark.parametrize(
    ("argv", "environ", "path"),
    [
        pytest.param(["--config", "a.yml"], {"OPITIOS_CONFIG": "b.yml"}, "a.yml", id="argument"),
        pytest.param([], {"OPITIOS_CONFIG": "b.yml"}, "b.yml", id="variable"),
        pytest.param([], {}, "secrets.yml", id="default"),
    ],
)
def test_the_configuration_is_found(
    program: Program, argv: list[str], environ: dict[str, str], path: str
) -> None:
    program.run(*argv, "--check", environ=environ)

    assert program.loaded == [Path(path)]


def test_check_prints_warnings_and_starts_nothing(
    program: Program, capsys: pytest.CaptureFixture[str]
) -> None:
    assert program.run("--check") == 0

    assert capsys.readouterr().err == "warning: a.b: is odd\nsecrets.yml: valid\n"
    assert program.opened == 0


@pytest.mark.parametrize("argv", [["--check"], []])
def test_every_problem_is_printed_and_the_exit_code_is_2(
    program: Program, capsys: pytest.CaptureFixture[str], argv: list[str]
) -> None:
    program.problems = (Problem(path="a", message="one"), Problem(path="b", message="two"))

    assert program.run(*argv) == 2

    assert capsys.readouterr().err == "error: a: one\nerror: b: two\n"
    assert program.opened == 0


def test_a_service_that_cannot_start_says_why_in_its_log_and_where_that_is(
    program: Program, capsys: pytest.CaptureFixture[str]
) -> None:
    assert program.run() == 1

    log = program.folder / "errors" / "test.log"
    assert capsys.readouterr().err == f"test failed; see {log}\n"
    assert "| ERROR | test cannot start: services.test.listen: cannot listen" in log.read_text()
    assert "| WARNING | Configuration: a.b: is odd" in (program.folder / "app" / "test.log").read_text()


def test_a_log_folder_that_cannot_be_written_is_said_on_stderr(
    program: Program, capsys: pytest.CaptureFixture[str]
) -> None:
    program.folder = program.folder / "file"
    program.folder.write_text("")

    assert program.run() == 1
    assert capsys.readouterr().err.startswith("test cannot start: logging.directory: cannot write")


def test_the_version_is_one_line(program: Program, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        program.run("--version")

    assert caught.value.code == 0
    assert capsys.readouterr().out.startswith("python -m test ")
