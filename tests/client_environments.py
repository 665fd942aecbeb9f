"""Environments for clients whose dependencies are not ours: made once, kept in build/, found again by their pins."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PINS = ROOT / "tests" / "clients"
_CACHE = ROOT / "build" / "clients"
_INSTALL_SECONDS = 300


def packages_of(name: str) -> Path:
    """A folder for PYTHONPATH that holds what tests/clients/<name>.txt pins, with all it depends on.

    Raises:
        subprocess.CalledProcessError: the packages cannot be installed; its output tells why.
    """
    pins = PINS / f"{name}.txt"
    folder = _CACHE / f"{name}-{_digest(pins)}"
    if not folder.exists():
        _make(folder, lambda new: _install_python(new, pins))
    return folder / "lib"


def node_modules() -> Path:
    """The node_modules folder that tests/clients/package-lock.json describes.

    Raises:
        subprocess.CalledProcessError: npm cannot install it.
    """
    lock = PINS / "package-lock.json"
    folder = _CACHE / f"node-{_digest(lock)}"
    if not folder.exists():
        _make(folder, _install_node)
    return folder / "node_modules"


def _digest(path: Path) -> str:
    return sha256(path.read_bytes() + sys.version.encode()).hexdigest()[:16]


def _make(folder: Path, fill: Callable[[Path], None]) -> None:
    """Make a folder whole or not at all: two test processes may do so at the same time."""
    _CACHE.mkdir(parents=True, exist_ok=True)
    new = Path(tempfile.mkdtemp(dir=_CACHE))
    try:
        fill(new)
        new.rename(folder)
    except OSError:
        if not folder.exists():
            raise
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _install_python(folder: Path, pins: Path) -> None:
    """Into a plain folder, not a virtual environment: that could not be renamed."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--disable-pip-version-check"]
    _run([*command, "--target", str(folder / "lib"), "--requirement", str(pins)], folder)


def _install_node(folder: Path) -> None:
    for name in ("package.json", "package-lock.json"):
        shutil.copy(PINS / name, folder / name)
    npm = shutil.which("npm")
    assert npm is not None, "node is here, but npm is not"
    _run([npm, "ci", "--no-audit", "--no-fund"], folder)


def _run(command: list[str], folder: Path) -> None:
    subprocess.run(command, cwd=folder, env={**os.environ}, check=True, timeout=_INSTALL_SECONDS)
