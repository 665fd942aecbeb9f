"""The sandbox as a distribution of its own: its code, its scenario, nothing of the checkout, and it starts anywhere."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import aiohttp
import pytest

ROOT = Path(__file__).resolve().parents[2]
SANDBOX = ROOT / "sandbox"
GREETING = "sandbox listening on "
PAPER = {
    "APCA-API-KEY-ID": "PKSANDBOXPAPER000001",
    "APCA-API-SECRET-KEY": "sandbox-paper-secret-not-a-real-key-0001",
}
WITHIN_S = 60.0


def run(*arguments: str, cwd: Path, environment: dict[str, str] | None = None) -> str:
    """What a Python command prints; its errors are shown when it fails."""
    command = [sys.executable, *arguments]
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    run("-m", "hatchling", "build", "-t", "wheel", "-d", str(folder), cwd=SANDBOX)
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_holds_every_module_and_the_scenario_and_nothing_else(wheel: Path) -> None:
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}

    modules = {f"sandbox/{path.name}" for path in SANDBOX.glob("*.py")}
    assert names == modules | {"sandbox/py.typed", "sandbox/default_scenario.yml"}
    assert not any(path.is_dir() and [*path.glob("*.py")] for path in SANDBOX.iterdir())


async def test_the_installed_sandbox_starts_elsewhere_with_its_own_scenario(
    wheel: Path, tmp_path: Path
) -> None:
    packages, elsewhere = tmp_path / "packages", tmp_path / "elsewhere"
    elsewhere.mkdir()
    options = ("--quiet", "--disable-pip-version-check", "--no-deps", "--no-index", "--no-compile")
    run("-m", "pip", "install", *options, "--target", str(packages), str(wheel), cwd=elsewhere)
    environment = {**os.environ, "PYTHONPATH": str(packages)}
    found = run("-c", "import sandbox; print(sandbox.__file__)", cwd=elsewhere, environment=environment)

    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "sandbox", "--port", "0"),
        cwd=elsewhere,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(WITHIN_S):
            assert process.stdout is not None
            line = (await process.stdout.readline()).decode().strip()
            url = line.removeprefix(GREETING)
            async with (
                aiohttp.ClientSession(headers=PAPER) as http,
                http.get(f"{url}/v2/account") as answer,
            ):
                account = await answer.json()
            os.kill(process.pid, signal.SIGTERM)
            status = await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()

    assert Path(found.strip()).is_relative_to(packages)
    assert (account["status"], status) == ("ACTIVE", 0)
