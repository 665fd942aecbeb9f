"""`make bench`: every benchmark in one run; prints their tables and writes bench/results.json.

Each measures against a named peer in its own run, and says which. The transcoder's needs wrk; without it the
others run, and the results say that it is missing.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from bench import monitor, orders, sandbox_orders, ways

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
RESULTS = ROOT / "bench"
PARTS: Mapping[str, Callable[[], Any]] = {
    "ways to place an order": ways.main,
    "orders": orders.main,
    "sell monitor": monitor.main,
    "sandbox exchange": sandbox_orders.main,
}


def main() -> None:
    """Run every part and write what each returned."""
    results: dict[str, Any] = {
        "python": platform.python_version(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the start",
    }
    for name, part in PARTS.items():
        print(f"\n== {name}", flush=True)
        results[name] = plain(part())
    print("\n== transcoder", flush=True)
    results["transcoder"] = transcoder()
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "results.json").write_text(json.dumps(results, indent=2, default=str) + "\n")


def plain(made: object) -> object:
    """Rows as JSON has them."""
    if is_dataclass(made) and not isinstance(made, type):
        return asdict(made)
    if isinstance(made, Sequence) and not isinstance(made, str):
        return [plain(one) for one in made]
    return made


def transcoder() -> object:
    """What tests/bench/transcoding.py wrote, or why it could not run."""
    if shutil.which("wrk") is None:
        print("not run: it needs wrk (Debian: apt-get install wrk)")
        return "not run: wrk is not installed"
    subprocess.run([sys.executable, str(HERE / "transcoding.py")], check=True)
    return json.loads((RESULTS / "transcoding.json").read_text())


if __name__ == "__main__":
    main()
