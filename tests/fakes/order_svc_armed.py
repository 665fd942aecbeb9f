"""order_svc as a process that kills or stops itself at a checkpoint, for tests only.

`ARMED_CHECKPOINT` names the checkpoint, or is `every`; without it the process lives. `ARMED_SIGNAL` is
what it sends itself there, SIGKILL unless said. It resolves lost answers quickly.
"""

from __future__ import annotations

import os
import signal
import sys
from functools import partial

from config.load import load_configuration
from order_svc.app import SERVICE, open_app
from order_svc.checkpoints import Checkpoint
from order_svc.resolve import ResolutionPolicy
from runtime.cli import main

QUICK = ResolutionPolicy(quarantine_seconds=0.5, first_pause_seconds=0.05, longest_pause_seconds=0.2)


def interrupt_at(wanted: str | None, number: signal.Signals, reached: Checkpoint) -> None:
    if wanted in {reached.value, "every"}:
        os.kill(os.getpid(), number)


if __name__ == "__main__":
    number = signal.Signals[os.environ.get("ARMED_SIGNAL", "SIGKILL")]
    checkpoint = partial(interrupt_at, os.environ.get("ARMED_CHECKPOINT"), number)
    sys.exit(
        main(
            SERVICE, load=load_configuration, open_app=partial(open_app, checkpoint=checkpoint, policy=QUICK)
        )
    )
