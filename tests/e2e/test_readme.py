"""README.md, word for word: what a newcomer types in a fresh copy without a secrets.yml works as it says."""

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
BLOCKS: list[str] = re.findall(r"^```sh\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
UP_SECONDS = 120

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]


def block(word: str) -> str:
    """The one block of README that holds `word`."""
    (found,) = [text for text in BLOCKS if word in text]
    return found


def copy_of_the_checkout(target: Path) -> None:
    """What a clone would hold, uncommitted work included; nothing ignored, so no secrets.yml."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).exists():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)
    # The environment is the one thing too slow to make anew; it was made from the same lock file.
    (target / ".venv").symlink_to(ROOT / ".venv")


def outside_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(("OPITIOS_", "MAKE"))}


class Running:
    """`make run` in a copy of the checkout."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.process = subprocess.Popen(
            ["make", "run"],
            cwd=folder,
            env=outside_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.output: list[str] = []

    def until(self, word: str) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.output.append(line)
            if word in line:
                return
        raise AssertionError(f"make run never said {word!r}:\n" + "".join(self.output[-80:]))

    def type(self, text: str) -> str:
        """Run commands in the second terminal; return what they print."""
        done = subprocess.run(
            ["bash", "-eu", "-c", text],
            cwd=self.folder,
            env=outside_environment(),
            capture_output=True,
            text=True,
            timeout=UP_SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def interrupt(self) -> str:
        """Ctrl-C; return what was said until the end."""
        os.killpg(self.process.pid, signal.SIGINT)
        rest, _ = self.process.communicate(timeout=60)
        return rest


@pytest.fixture(scope="module")
def first_terminal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("clone")
    copy_of_the_checkout(folder)
    terminal = Running(folder)
    try:
        terminal.until("Ctrl-C drains and stops everything")
        yield terminal
    finally:
        rest = terminal.interrupt()
    # Whatever order the tests ran in, Ctrl-C comes last.
    for name in ("sandbox", "account", "order", "sell", "gateway"):
        assert re.search(rf"{name} \| ended, status 0", rest), rest


def test_the_first_block_is_clone_and_make_run() -> None:
    assert BLOCKS[0].splitlines()[-1] == "make run"


def test_the_rest_lines_place_a_stock_and_an_option_order(first_terminal: Running) -> None:
    printed = first_terminal.type(block("/api/v1/stocks/order"))

    assert '"symbol":"AAPL","qty":1.0,"side":"buy"' in printed
    assert '"asset_class":"option"' in printed


def test_the_lines_of_the_new_surface_answer(first_terminal: Running) -> None:
    printed = first_terminal.type(block("/v1/accounts/paper-1/orders'"))

    assert '"state":"ORDER_STATE_WORKING"' in printed
    assert "ACCOUNT_TYPE_LIVE" in printed
    assert "BALANCE_VERDICT_ALLOWED" in printed


def test_the_grpcurl_lines_list_check_and_place(first_terminal: Running) -> None:
    printed = first_terminal.type(block("grpcurl"))

    assert "opitios.order.v1.OrderService" in printed
    assert "SERVING" in printed
    assert '"order_id"' in printed


def test_every_order_left_its_line(first_terminal: Running) -> None:
    first_terminal.type(block("/api/v1/stocks/order"))

    printed = first_terminal.type(block("grep"))

    pattern = (
        r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} \| INFO \| Order placed: BUY AAPL qty=\S+ "
        r"\| order_id=\S+ \| duration=\d+ms \| success=true \| "
    )
    assert re.search(pattern, printed, re.MULTILINE)


def test_the_demonstration_ends_well_against_the_running_system(first_terminal: Running) -> None:
    printed = first_terminal.type("make demo")

    assert "every step happened" in printed


def test_the_configuration_lines_check_the_example(first_terminal: Running) -> None:
    elsewhere = first_terminal.folder / "configured"
    elsewhere.mkdir()
    shutil.copy2(ROOT / "secrets.example.yml", elsewhere)
    (elsewhere / ".venv").symlink_to(ROOT / ".venv")

    first_terminal.type(f"cd {elsewhere}\n{block('cp secrets.example.yml')}\n{block('--check')}")
