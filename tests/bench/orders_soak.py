"""Many random histories of orders on an exchange that loses answers; prints what broke, ends non-zero if anything.

`python tests/bench/orders_soak.py --histories 20000 --seed 1 --lost 0.5`
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from order_chaos import run
from order_history import story, violations


def main() -> int:
    """Runs many histories and prints what broke."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--histories", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--lost", type=float, default=0.5)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        left, resolved = asyncio.run(
            run(Path(folder), seed=given.seed, histories=given.histories, lost=given.lost)
        )
    broken = violations(left)
    figures = {
        "seed": given.seed,
        "histories": given.histories,
        "lost": given.lost,
        "intents": len(left.intents),
        "attempts": len(left.attempts),
        "orders": len(left.ledger),
        "resolved": len(resolved),
        "longest_ms": round(max(resolved, default=0)),
        "violations": broken,
    }
    print(json.dumps(figures, indent=1))
    if broken:
        print(story(left), file=sys.stderr)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
