"""order_svc as a process that kills itself at a checkpoint, for tests only; it resolves lost answers quickly.

`ARMED_CHECKPOINT` names the checkpoint; without it the process lives.
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


def die_at(wanted: str | None, reached: Checkpoint) -> None:
    if reached.value == wanted:
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    checkpoint = partial(die_at, os.environ.get("ARMED_CHECKPOINT"))
    sys.exit(
        main(
            SERVICE, load=load_configuration, open_app=partial(open_app, checkpoint=checkpoint, policy=QUICK)
        )
    )
