"""What `python -m gateway.transcoding` does: one process, or several on one port."""

import socket
import sys
from collections.abc import Sequence
from functools import partial

from gateway.transcoding.command_line import Command, parse
from gateway.transcoding.failure import ConfigurationError
from gateway.transcoding.http_server import listen, run_server
from gateway.transcoding.standalone import Standalone, open_standalone, read_descriptors, services_of
from gateway.transcoding.workers import WorkerDiedError, run_workers


def main(arguments: Sequence[str]) -> int:
    """Serve until told to stop; 0 for that, 1 where it could not be done, 2 for wrong arguments."""
    command = parse(arguments)
    try:
        services_of(_standalone(command))  # before anything listens
        sockets = listen(command.host, command.port, count=command.workers)
    except ConfigurationError as e:
        return _fail(str(e))
    except OSError as e:
        return _fail(f"cannot listen on {command.host}:{command.port}: {e.strerror}")
    print(f"serving on {command.host}:{sockets[0].getsockname()[1]}", flush=True)  # noqa: T201  # the tool's one answer
    try:
        if len(sockets) == 1:
            _serve(command, sockets[0])
        else:
            run_workers(partial(_serve, command), sockets)
    except WorkerDiedError as e:
        return _fail(str(e))
    return 0


def _serve(command: Command, listening: socket.socket) -> None:
    open_app = partial(open_standalone, _standalone(command))
    run_server(open_app, listening, command.timers, drain_s=command.drain_s)


def _standalone(command: Command) -> Standalone:
    return Standalone(
        files=read_descriptors(command.descriptors),
        target=command.target,
        targets=command.targets,
        profile=command.profile,
        options=command.options,
        title=command.title,
    )


def _fail(why: str) -> int:
    print(why, file=sys.stderr)  # noqa: T201  # of a command-line tool
    return 1
