"""FR-003: what is shipped holds no demonstration, test or sandbox code, and runs without the checkout."""

import os
import re
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest
import yaml

from stack_process import free_ports

ROOT = Path(__file__).resolve().parents[2]
SERVICES = ("account_svc", "order_svc", "sell_svc", "gateway")
FORBIDDEN = re.compile(r"(^|[/_.])(demo|tests?|conftest|fakes?|mocks?|sandbox|bench)([/_.]|$)", re.IGNORECASE)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A python whose only copy of the services is the wheel's; the libraries are this environment's."""
    home = tmp_path_factory.mktemp("installed")
    venv.create(home, with_pip=False, symlinks=True)
    python = home / "bin" / "python"
    options = ["--quiet", "--disable-pip-version-check", "--no-deps", "--no-index"]
    subprocess.run(
        [sys.executable, "-m", "pip", "--python", str(python), "install", *options, str(wheel)], check=True
    )
    (packages,) = home.glob("lib/python*/site-packages")
    # A path that a .pth file adds is not searched for .pth files, so the checkout's own stays unseen.
    libraries = [path for path in sys.path if path.endswith("site-packages")]
    (packages / "libraries.pth").write_text("\n".join(libraries))
    return python


def clean_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


def test_the_wheel_holds_no_demonstration_test_or_sandbox_module(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()

    assert [name for name in names if FORBIDDEN.search(name)] == []
    assert {f"{service}/__main__.py" for service in SERVICES} <= set(names)


def test_the_wheel_brings_the_generated_code_and_its_descriptors(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())

    assert "opitios/order/v1/order_service_pb2_grpc.py" in names
    assert "opitios/descriptors.binpb" in names


@pytest.mark.parametrize("service", SERVICES)
def test_an_installed_service_checks_a_configuration_without_the_checkout(
    installed: Path, service: str, tmp_path: Path
) -> None:
    config = tmp_path / "secrets.yml"
    config.write_text(
        "accounts: {one: {api_key: PKMADEUP, secret_key: madeup, paper_trading: true, enabled: true}}\n"
    )
    config.chmod(0o600)

    done = subprocess.run(
        [str(installed), "-m", service, "--config", str(config), "--check"],
        cwd=tmp_path,
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("service", SERVICES)
def test_an_installed_service_starts_serves_and_drains_without_the_checkout(
    installed: Path, service: str, tmp_path: Path
) -> None:
    """No broker answers here: a service that cannot reach one starts all the same, and says so."""
    names = {"account": 0, "order": 1, "sell": 2, "gateway": 3}
    ports = free_ports(len(names))
    config = tmp_path / "secrets.yml"
    listen = {name: {"listen": f"127.0.0.1:{ports[place]}"} for name, place in names.items()}
    nowhere = f"http://127.0.0.1:{free_ports(1)[0]}"
    account = {"api_key": "PKMADEUP", "secret_key": "madeup-secret", "paper_trading": True, "enabled": True}
    settings = {
        "services": listen,
        "accounts": {"one": account},
        "alpaca": {"trading_url": nowhere, "data_url": nowhere},
    }
    config.write_text(yaml.safe_dump(settings))
    config.chmod(0o600)
    process = subprocess.Popen(
        [str(installed), "-m", service, "--config", str(config)],
        cwd=tmp_path,
        env=clean_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert process.stdout is not None
        said = []
        for line in process.stdout:
            said.append(line)
            if f"{service} serving" in line:
                break
        else:
            pytest.fail("".join(said))
        process.terminate()
        process.communicate(timeout=60)
    finally:
        if process.poll() is None:
            process.kill()

    assert process.returncode == 0
    assert (tmp_path / "logs" / "app" / f"{service}.log").exists()


def test_an_installed_service_is_the_wheels_own(installed: Path, tmp_path: Path) -> None:
    program = (
        "import order_svc, opitios, runtime; print(order_svc.__file__, opitios.__file__, runtime.__file__)"
    )

    done = subprocess.run(
        [str(installed), "-c", program],
        cwd=tmp_path,
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=True,
    )

    assert str(ROOT) not in done.stdout
