"""The control API's own manners: loopback only, JSON in and out, every problem of a request at once."""

import ipaddress
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from aiohttp import web

from sandbox.instant import Instant
from sandbox.reading import Problems, Section
from sandbox.state import Sandbox

Json = dict[str, object]


class ControlError(Exception):
    """A control request that cannot be carried out, and why."""

    def __init__(self, problems: list[str], *, status: int = 400) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlCall:
    """One control request; `body` is an empty section where none was sent."""

    sandbox: Sandbox
    now: Instant
    parts: Mapping[str, str]
    query: Section
    body: Section
    problems: Problems

    def check(self) -> None:
        """Refuse what has problems; to be called after reading and before changing anything.

        Raises:
            ControlError: with every problem noted so far.
        """
        if self.problems.found:
            raise ControlError(self.problems.found)


ControlHandler = Callable[[ControlCall], Awaitable[Json]]


def control_endpoint(
    sandbox: Sandbox, handler: ControlHandler
) -> Callable[[web.Request], Awaitable[web.Response]]:
    """The aiohttp handler of one control path."""

    async def answer(request: web.Request) -> web.Response:
        try:
            _check_peer(request)
            answered = web.json_response(await handler(await _call_of(sandbox, request)))
            sandbox.streams.stir()
            return answered
        except ControlError as error:
            return web.json_response({"problems": error.problems}, status=error.status)

    return answer


def _check_peer(request: web.Request) -> None:
    # The socket's peer, never a forwarded header: this API moves money about without a key.
    peer = request.transport.get_extra_info("peername") if request.transport else None
    host = peer[0] if isinstance(peer, tuple) else ""
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise ControlError(["the control API answers loopback peers only"], status=403)


async def _call_of(sandbox: Sandbox, request: web.Request) -> ControlCall:
    problems = Problems()
    body: object = None
    if request.body_exists:
        try:
            body = json.loads(await request.read() or b"null")
        except ValueError as error:
            raise ControlError([f"body: is no JSON: {error}"]) from error
    return ControlCall(
        sandbox=sandbox,
        now=sandbox.now(),
        parts=request.match_info,
        query=Section(dict(request.query), "", problems),
        body=Section(body, "", problems),
        problems=problems,
    )
