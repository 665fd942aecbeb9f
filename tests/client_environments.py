"""Environments for clients whose dependencies are not ours: made once, kept in build/, found again by their pins.

The first one asked for starts them all, side by side: each waits for its packages more than it computes.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from hashlib import sha256
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PINS = ROOT / "tests" / "clients"
_CACHE = ROOT / "build" / "clients"
_PYTHON_CLIENTS = ("alpaca-mcp-server", "alpaca-trade-api")
_NODE = "node"
_INSTALL_SECONDS = 300
# Nothing is compiled that is not imported, and no version is looked up: the pins are complete.
_PIP = ("-m", "pip", "install", "--quiet", "--no-deps", "--no-compile", "--no-input", "--disable-pip-version-check")  # fmt: skip
_NPM = ("ci", "--no-audit", "--no-fund", "--prefer-offline", "--ignore-scripts")


def packages_of(name: str) -> Path:
    """A folder for PYTHONPATH that holds what tests/clients/<name>.txt pins, with all it depends on.

    Raises:
        subprocess.CalledProcessError: the packages cannot be installed; its output tells why.
    """
    return _installations()[name].result() / "lib"


def node_modules() -> Path:
    """The node_modules folder that tests/clients/package-lock.json describes.

    Raises:
        subprocess.CalledProcessError: npm cannot install it.
    """
    return _installations()[_NODE].result() / "node_modules"


@cache
def _installations() -> dict[str, Future[Path]]:
    with_node = shutil.which("node") is not None
    pool = ThreadPoolExecutor()
    started = {name: pool.submit(_python_client, name) for name in _PYTHON_CLIENTS}
    if with_node:
        started[_NODE] = pool.submit(_node_client)
    pool.shutdown(wait=False)
    return started


def _python_client(name: str) -> Path:
    pins = PINS / f"{name}.txt"
    return _made(_CACHE / f"{name}-{_digest(pins)}", lambda new: _install_python(new, pins))


def _node_client() -> Path:
    return _made(_CACHE / f"{_NODE}-{_digest(PINS / 'package-lock.json')}", _install_node)


def _digest(path: Path) -> str:
    return sha256(path.read_bytes() + sys.version.encode()).hexdigest()[:16]


def _made(folder: Path, fill: Callable[[Path], None]) -> Path:
    """The folder, whole: what an interrupted run left is thrown away, and of two runs the second waits."""
    if folder.exists():
        return folder
    _CACHE.mkdir(parents=True, exist_ok=True)
    with _alone(folder.with_name(f"{folder.name}.lock")):
        if not folder.exists():
            part = folder.with_name(f"{folder.name}.part")
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir()
            fill(part)
            part.rename(folder)
    return folder


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Hold the lock of a file; the system lets go of it however the process ends."""
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _install_python(folder: Path, pins: Path) -> None:
    """Into a plain folder, not a virtual environment: that could not be renamed."""
    _run([sys.executable, *_PIP, "--target", str(folder / "lib"), "--requirement", str(pins)], folder)


def _install_node(folder: Path) -> None:
    for name in ("package.json", "package-lock.json"):
        shutil.copy(PINS / name, folder / name)
    npm = shutil.which("npm")
    assert npm is not None, "node is here, but npm is not"
    _run([npm, *_NPM], folder)


def _run(command: list[str], folder: Path) -> None:
    subprocess.run(command, cwd=folder, env={**os.environ}, check=True, timeout=_INSTALL_SECONDS)
