"""`make run`: the four services in one terminal, with the sandbox exchange where there is no secrets.yml."""

from __future__ import annotations

import asyncio
import os
import shlex
import shutil
import signal
import sys
from pathlib import Path

from deploy.terminal import Program, Terminal, python_environment

ROOT = Path(__file__).resolve().parent.parent
SANDBOX_CONFIG = ROOT / "sandbox" / "config.yml"
# The sandbox forgets everything when it ends; what the services remember of it must go with it.
SANDBOX_DATA = ROOT / "data" / "sandbox"
SANDBOX_PORT = 8099


def services(config: str | None = None) -> list[Program]:
    """Return the programs that Procfile lists; `config` is what they are told by OPITIOS_CONFIG."""
    setting = "" if config is None else f"OPITIOS_CONFIG={shown(Path(config))} "
    programs = []
    for line in (ROOT / "Procfile").read_text().splitlines():
        name, _, command = line.partition(":")
        words = shlex.split(command)
        again = f"{setting}{shown(Path(sys.executable).parent / words[0])} {shlex.join(words[1:])}"
        programs.append(Program(name=name.strip(), command=words, again=again))
    return programs


def prepare_sandbox() -> str:
    """Forget the last run; return the path of a configuration that only its owner can read."""
    shutil.rmtree(SANDBOX_DATA, ignore_errors=True)
    SANDBOX_DATA.mkdir(parents=True)
    config = SANDBOX_DATA / "secrets.yml"
    config.touch(mode=0o600)
    config.write_bytes(SANDBOX_CONFIG.read_bytes())
    return str(config)


def wants_sandbox(environment: dict[str, str]) -> bool:
    """Whether nothing says which accounts to trade."""
    return "OPITIOS_CONFIG" not in environment and not (ROOT / "secrets.yml").exists()


async def main() -> int:
    """Run until everything has ended."""
    environment = python_environment()
    sandboxed = wants_sandbox(environment)
    if sandboxed:
        environment["OPITIOS_CONFIG"] = prepare_sandbox()
    terminal = Terminal(folder=ROOT, environment=environment)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, terminal.asked_to_stop)
    tasks = []
    if sandboxed:
        exchange = ["python", "-m", "sandbox", "--port", str(SANDBOX_PORT)]
        tasks.append(await terminal.start(Program(name="sandbox", command=exchange)))
        await terminal.line("sandbox", "listening")
    programs = services(environment.get("OPITIOS_CONFIG"))
    tasks += [await terminal.start(program) for program in programs]
    announcer = asyncio.create_task(announce(terminal, programs, sandboxed=sandboxed))
    await terminal.run(tasks)
    announcer.cancel()
    return 0


async def announce(terminal: Terminal, programs: list[Program], *, sandboxed: bool) -> None:
    """Say what can be tried, once every service can be tried."""
    for program in programs:
        await terminal.line(program.name, "serving")
    if not sandboxed:
        terminal.say("run", "all services are up; see README.md for calls to try")
        return
    text = (ROOT / "deploy" / "welcome.txt").read_text()
    for line in text.format(grpcurl=shown(Path(sys.executable).parent / "grpcurl")).splitlines():
        print(line, flush=True)  # noqa: T201 - printing is its work


def shown(path: Path) -> str:
    """Return a path as a newcomer in the checkout would type it."""
    return os.path.relpath(path, Path.cwd())


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
