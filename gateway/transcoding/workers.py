"""Several processes that serve one port: the kernel spreads new connections over them."""

import multiprocessing
import os
import signal
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import wait
from types import FrameType

Work = Callable[[socket.socket], None]
"""Serves a listening socket until the process is told to stop."""


class WorkerDiedError(Exception):
    """A worker ended without being told to; the others have been stopped."""


def run_workers(work: Work, listening: Sequence[socket.socket]) -> None:
    """Run `work` in one process a socket until SIGTERM or SIGINT, which every one of them gets too.

    `work` is pickled, and the sockets are closed here once each has its process. When one ends by itself all are stopped and WorkerDiedError says so:
    who started this process knows better whether to start it again.
    """
    # Not fork: a forked child would inherit the threads and sockets of whatever is running already.
    context = multiprocessing.get_context("spawn")
    workers = [
        context.Process(target=work, args=(each,), name=f"worker {number}")
        for number, each in enumerate(listening)
    ]
    with _stopping() as (stop, stopped):
        for worker in workers:
            worker.start()
        for each in listening:
            each.close()
        wait([stop, *(worker.sentinel for worker in workers)])
        for worker in workers:
            if worker.is_alive():
                worker.terminate()
        for worker in workers:
            worker.join()
        if not stopped():
            codes = ", ".join(f"{worker.name}: {worker.exitcode}" for worker in workers)
            raise WorkerDiedError(f"a worker ended by itself ({codes})")


@contextmanager
def _stopping() -> Iterator[tuple[socket.socket, Callable[[], bool]]]:
    """A socket that is ready to read once a stop signal has come, and whether one has."""
    receiver, sender = socket.socketpair()
    told = False

    def tell(_number: int, _frame: FrameType | None) -> None:
        nonlocal told
        told = True
        os.write(sender.fileno(), b"s")

    earlier = {number: signal.signal(number, tell) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield receiver, lambda: told
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)
        receiver.close()
        sender.close()
