"""The transcoder as an ASGI application."""

import logging
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from google.protobuf.descriptor_pool import Default, DescriptorPool

from gateway.transcoding import body as bodies
from gateway.transcoding import health
from gateway.transcoding.asgi import AsgiApp, Receive, Scope, Send
from gateway.transcoding.code import Code
from gateway.transcoding.disconnect import ON_DISCONNECT, Watch
from gateway.transcoding.endpoint import Endpoint, Options, ServiceTools
from gateway.transcoding.exchange import Exchange
from gateway.transcoding.failure import (
    ClientGoneError,
    ConfigurationError,
    Failure,
    HttpProblem,
    Refused,
)
from gateway.transcoding.http_message import HttpResponse, Request
from gateway.transcoding.http_rule import Route, routes_of
from gateway.transcoding.json_value import dumps
from gateway.transcoding.limits import LIFT_BODY_TIMER, check_head
from gateway.transcoding.message_types import Types
from gateway.transcoding.metadata import REQUEST_ID, request_id_of
from gateway.transcoding.profile import Authorize, ErrorResponse, Profile
from gateway.transcoding.router import ANY_METHOD, Found, RouteConflictError, Router
from gateway.transcoding.rpc import Backend
from gateway.transcoding.status import JSON_TYPE

_NO_WATCH: Mapping[str, None] = {"watch": None}
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One service to serve: its full name, where its methods are carried out, and how it looks."""

    name: str
    backend: Backend
    profile: Profile = field(default_factory=Profile)


class Transcoder:
    """An ASGI application that serves the google.api.http rules of some services.

    ConfigurationError lists every rule that cannot be served. `mounts` are other ASGI
    applications by exact path; they are asked first and see no authorisation.
    """

    def __init__(
        self,
        services: Iterable[Service],
        *,
        pool: DescriptorPool | None = None,
        options: Options | None = None,
        authorize: Authorize | None = None,
        error_response: ErrorResponse | None = None,
        mounts: Mapping[str, AsgiApp] | None = None,
        check_health: health.CheckHealth | None = None,
    ) -> None:
        self._types = Types(pool or Default())
        self._options = options or Options()
        self._authorize = authorize
        self._error_response = error_response
        self._mounts = dict(mounts or {})
        self._check_health = check_health
        self._plain = ServiceTools(self._types, Profile())
        endpoints = self._build(services)
        self.routes: tuple[Route, ...] = tuple(endpoint.route for endpoint in endpoints)
        """Every route served, in the order of the services and their methods."""
        try:
            self._router = Router(
                (endpoint.route.http_method, endpoint.route.template, endpoint) for endpoint in endpoints
            )
        except RouteConflictError as e:
            raise ConfigurationError(str(e)) from None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one HTTP request, or the server's start and end."""
        if scope["type"] == "lifespan":
            await _serve_lifespan(receive, send)
        elif scope["type"] == "http":
            await self._serve_http(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1000})

    def _build(self, services: Iterable[Service]) -> list[Endpoint]:
        endpoints: list[Endpoint] = []
        problems: list[str] = []
        for service in services:
            try:
                descriptor = self._types.pool.FindServiceByName(service.name)
            except KeyError:
                problems.append(f"{service.name}: no such service in the descriptors")
                continue
            tools = ServiceTools(self._types, service.profile)
            for method in descriptor.methods:
                try:
                    endpoints.extend(
                        Endpoint(route, service.backend, tools, self._options) for route in routes_of(method)
                    )
                except ConfigurationError as e:
                    problems.append(str(e))
        if problems:
            raise ConfigurationError("\n".join(problems))
        return endpoints

    async def _serve_http(self, scope: Scope, receive: Receive, send: Send) -> None:
        # A copy: some servers append what follows the body to the list that they handed out.
        request = _request_of(scope)
        exchange = Exchange(send, is_head=request.method == "HEAD")
        endpoint: Endpoint | None = None
        try:
            check_head(request, scope, self._options.limits)
            mounted = self._mounts.get(request.raw_path)
            if mounted is not None:
                await mounted(scope, receive, send)
                return
            response = await health.answer(request, self._check_health)
            if response is None:
                found = self._find(request)
                endpoint = found.target if found is not None else None
                extensions = scope.get("extensions") or {}
                if endpoint is not None and endpoint.route.rpc.client_streaming:
                    _lift_body_timer(extensions)
                watch = extensions.get(ON_DISCONNECT, _NO_WATCH)["watch"]
                response = await self._answer(request, found, receive, exchange, watch)
        except ClientGoneError:
            return
        except HttpProblem as problem:
            response = _problem_response(problem)
        except Failure as failure:
            response = self._failure_response(failure, request, endpoint)
        except Exception:
            # The top of a request: a bug is logged once, and its text stays here.
            _log.exception("request %s: %s %s failed", request.request_id, request.method, request.raw_path)
            if exchange.started:
                raise
            internal = Failure(Code.INTERNAL, f"internal error; request id {request.request_id}")
            response = self._failure_response(internal, request, endpoint)
        if response is not None:
            await exchange.respond(response.with_headers(((REQUEST_ID, request.request_id),)))

    def _find(self, request: Request) -> Found[Endpoint] | None:
        found = self._router.find(request.method, request.raw_path)
        if found is None and request.method == "HEAD":
            return self._router.find("GET", request.raw_path)
        return found

    async def _answer(
        self,
        request: Request,
        found: Found[Endpoint] | None,
        receive: Receive,
        exchange: Exchange,
        watch: Watch | None,
    ) -> HttpResponse | None:
        if found is None:
            return await self._answer_unmatched(request)
        endpoint = found.target
        match = endpoint.match(found.parts)
        caller = await self._authorize(request, match) if self._authorize is not None else {}
        bodies.check_declared_length(request, self._options.limits.max_body_bytes)
        return await endpoint.serve(request, match, dict(caller), receive, exchange, watch)

    async def _answer_unmatched(self, request: Request) -> HttpResponse:
        methods = self._router.methods_of(request.raw_path)
        allow = ", ".join(sorted(_with_implied(methods)))
        if methods and request.method == "OPTIONS":
            return HttpResponse(status=204, headers=(("allow", allow),))
        if self._authorize is not None:
            await self._authorize(request, None)
        if methods:
            raise Refused(
                405, f"{request.method[:50]} is not served on this path", headers=(("allow", allow),)
            )
        raise Refused(404, "no such path")

    def _failure_response(
        self, failure: Failure, request: Request, endpoint: Endpoint | None
    ) -> HttpResponse:
        if endpoint is not None:
            return endpoint.respond_failure(failure, request)
        if self._error_response is not None:
            return self._error_response(failure, request, None)
        return self._plain.status.respond(failure)


def _lift_body_timer(extensions: Mapping[str, Any]) -> None:
    """Let the body of a client stream take its time; its call's deadline bounds it."""
    extension = extensions.get(LIFT_BODY_TIMER)
    if extension is not None:
        extension["lift"]()


async def _serve_lifespan(receive: Receive, send: Send) -> None:
    while True:
        event = await receive()
        if event["type"] == "lifespan.startup":
            await send({"type": "lifespan.startup.complete"})
        elif event["type"] == "lifespan.shutdown":
            await send({"type": "lifespan.shutdown.complete"})
            return


def _request_of(scope: Scope) -> Request:
    headers = tuple((bytes(name), bytes(value)) for name, value in scope["headers"])
    raw_path = scope.get("raw_path")
    client = scope.get("client")
    return Request(
        method=scope["method"],
        raw_path=raw_path.decode("latin-1") if raw_path is not None else quote(scope["path"]),
        query_string=scope["query_string"].decode("latin-1"),
        headers=headers,
        client=(client[0], client[1]) if client else None,
        scheme=scope.get("scheme", "http"),
        request_id=request_id_of(headers, _new_request_id),
    )


def _new_request_id() -> str:
    return os.urandom(16).hex()


def _problem_response(problem: HttpProblem) -> HttpResponse:
    headers = (("content-type", JSON_TYPE), *problem.headers.items())
    return HttpResponse(status=problem.status, headers=headers, body=dumps(problem.body))


def _with_implied(methods: frozenset[str]) -> frozenset[str]:
    if ANY_METHOD in methods:
        return frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
    return methods | {"OPTIONS"} | ({"HEAD"} if "GET" in methods else frozenset())
