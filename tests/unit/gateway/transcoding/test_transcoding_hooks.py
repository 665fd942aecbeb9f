from typing import Any

import pytest

from gateway.transcoding.app import Service, Transcoder
from gateway.transcoding.failure import ConfigurationError, Failure, HttpProblem
from gateway.transcoding.http_message import HttpResponse, Request
from gateway.transcoding.http_rule import Route
from gateway.transcoding.json_value import JsonObject, dumps
from gateway.transcoding.local_backend import LocalBackend
from gateway.transcoding.message_types import pool_of
from gateway.transcoding.profile import Match, Profile
from unit.gateway.transcoding.everything_api import SERVICE, AsgiClient, compile_protos
from unit.gateway.transcoding.servicer import transcoder


def legacy_error(failure: Failure, request: Request, route: Route | None) -> HttpResponse:
    where = route.rpc.name if route is not None else "nowhere"
    return HttpResponse(
        status=failure.http_status,
        headers=failure.headers,
        body=dumps({"detail": failure.message, "at": where}),
    )


async def test_a_profile_chooses_the_form_of_its_errors() -> None:
    app = AsgiClient(transcoder(profile=Profile(error_response=legacy_error), error_response=legacy_error))

    failed, unmatched = await app.get("/v1/fail/5?message=gone"), await app.get("/nope")

    assert (failed.status, failed.json()) == (404, {"detail": "gone", "at": "Fail"})
    assert (unmatched.status, unmatched.json()) == (404, {"detail": "no such path", "at": "nowhere"})
    wrong_method = await app.request("DELETE", "/v1/items/x")
    assert wrong_method.header("allow") == "GET, HEAD, OPTIONS, PATCH, PUT"


async def test_a_profile_may_read_bodies_itself() -> None:
    def read_body(request: Request, match: Match, body: bytes) -> JsonObject:
        if not body:
            raise HttpProblem(422, {"detail": [{"type": "missing", "loc": ["body"]}]}, {"X-Why": "missing"})
        return {"text": f"{match.route.rpc.name} {body.decode()}", "unknown": 1}

    app = AsgiClient(transcoder(profile=Profile(read_body=read_body)))

    read = await app.request("POST", "/v1/items", b"anything", {"content-type": "application/xml"})
    refused = await app.request("POST", "/v1/items", b"")

    assert read.json()["text"] == "Post anything"
    assert (refused.status, refused.header("x-why")) == (422, "missing")
    assert refused.json() == {"detail": [{"type": "missing", "loc": ["body"]}]}
    assert refused.header("x-request-id")


async def test_a_profile_may_read_queries_itself() -> None:
    def read_query(request: Request, match: Match, pairs: list[tuple[str, str]]) -> JsonObject:
        if ("bad", "1") in pairs:
            raise HttpProblem(422, {"detail": "bad"})
        return {"penNames": [f"{name}:{value}" for name, value in pairs]}

    app = AsgiClient(transcoder(profile=Profile(read_query=read_query)))

    assert (await app.get("/v1/items/x?a=1&a=2")).json()["penNames"] == ["a:1", "a:2"]
    assert (await app.request("POST", "/v1/items?a=1", '{"text":"t"}')).json()["penNames"] == ["a:1"]
    assert (await app.get("/v1/items/x?bad=1")).status == 422


async def test_a_profile_may_add_headers_to_every_answer_of_its_routes() -> None:
    def headers(request: Request, route: Route) -> list[tuple[str, str]]:
        return [("x-route", route.template.text)]

    app = AsgiClient(transcoder(profile=Profile(response_headers=headers)))

    assert (await app.get("/v1/items/x")).header("x-route") == "/v1/items/{text}"
    assert (await app.get("/v1/fail/5")).header("x-route") == "/v1/fail/{code}"
    assert (await app.get("/v1/watch")).header("x-route") == "/v1/watch"
    assert (await app.get("/nope")).header("x-route") is None


async def test_authorisation_comes_after_routing_and_before_the_body() -> None:
    seen: list[tuple[str, str | None, dict[str, str]]] = []

    async def authorize(request: Request, match: Match | None) -> dict[str, str]:
        variables = dict(match.variables) if match is not None else {}
        seen.append((request.method, match.route.rpc.name if match is not None else None, variables))
        if request.header("authorization") is None:
            raise HttpProblem(401, {"detail": "who are you"})
        return {}

    app = AsgiClient(transcoder(authorize=authorize))
    known = {"authorization": "Bearer x"}

    assert (await app.request("PATCH", "/v1/items/a%2Fb", "not json")).status == 401
    assert (await app.request("PATCH", "/v1/items/a%2Fb", "not json", known)).status == 400
    assert (await app.get("/nope")).status == 401
    assert (await app.get("/nope", known)).status == 404
    assert (await app.request("DELETE", "/v1/items/x")).status == 401
    assert (await app.request("DELETE", "/v1/items/x", headers=known)).status == 405
    assert seen[0] == ("PATCH", "PostField", {"text": "a/b"})
    assert seen[2] == ("GET", None, {})


async def test_authorisation_sees_what_identifies_the_caller() -> None:
    seen: list[Request] = []

    async def authorize(request: Request, match: Match | None) -> dict[str, str]:
        seen.append(request)
        return {"x-caller": "alice"}

    app = AsgiClient(transcoder(authorize=authorize))
    headers = [("x-forwarded-for", "1.1.1.1"), ("X-Forwarded-For", "2.2.2.2")]
    answer = await app.request("GET", "/v1/report?a=%20", headers=headers, client=("10.0.0.1", 99))
    assert answer.status == 400  # an unknown parameter; the caller was seen before that

    (request,) = seen
    assert request.client == ("10.0.0.1", 99)
    assert request.header_values("x-forwarded-for") == ["1.1.1.1", "2.2.2.2"]
    assert (request.method, request.raw_path, request.query_string) == ("GET", "/v1/report", "a=%20")


async def test_other_applications_may_be_mounted_by_exact_path() -> None:
    async def other(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": scope["path"].encode()})

    async def authorize(request: Request, match: Match | None) -> dict[str, str]:
        raise HttpProblem(401, {})

    app = AsgiClient(transcoder(mounts={"/health": other}, authorize=authorize))

    assert (await app.get("/health")).body == b"/health"
    assert (await app.get("/health/")).status == 401


async def test_the_lifespan_of_a_server_is_answered() -> None:
    events = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]
    sent: list[str] = []

    async def receive() -> Any:
        return events.pop(0)

    async def send(event: Any) -> None:
        sent.append(event["type"])

    await transcoder()({"type": "lifespan"}, receive, send)

    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


async def test_a_web_socket_is_closed() -> None:
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(event: Any) -> None:
        sent.append(event)

    await transcoder()({"type": "websocket"}, receive, send)

    assert sent == [{"type": "websocket.close", "code": 1000}]


PROTO = """
syntax = "proto3";
package bad.v1;
import "google/api/annotations.proto";
message M {{ string a = 1; M child = 2; repeated string many = 3; map<string, string> labels = 4; string b = 5; }}
service S {{
  rpc One(M) returns (M) {{ option (google.api.http) = {{ {rule} }}; }}
  rpc Two(M) returns (M) {{ option (google.api.http) = {{ get: "/two/{{a}}" }}; }}
}}
"""


@pytest.mark.parametrize(
    ("rule", "problem"),
    [
        pytest.param('get: "/one/{nope}"', "bad.v1.M has no field 'nope'", id="unknown-field"),
        pytest.param('get: "/one/{child.nope}"', "bad.v1.M has no field 'nope'", id="unknown-nested-field"),
        pytest.param('get: "/one/{a.b}"', "bad.v1.M.a is not a message", id="into-a-scalar"),
        pytest.param('get: "/one/{many}"', "bad.v1.M.many is repeated", id="repeated-field"),
        pytest.param('get: "/one/{labels}"', "bad.v1.M.labels is repeated", id="map-field"),
        pytest.param('get: "/one/{child}"', "bad.v1.M.child is a message", id="message-field"),
        pytest.param('get: "/one/{a"', "expected '}'", id="bad-template"),
        pytest.param('get: "/one/{a}/{a}"', "bound twice", id="repeated-variable"),
        pytest.param('get: "one"', "expected '/'", id="no-slash"),
        pytest.param('post: "/one" body: "nope"', "has no field 'nope' for a body", id="unknown-body-field"),
        pytest.param('get: "/one" response_body: "nope"', "has no field 'nope' for a body", id="unknown-response-field"),
        pytest.param('post: "/one/{a}" body: "a"', "bound by the path and by the body", id="body-field-in-the-path"),
        pytest.param('body: "*"', "has no path", id="no-path"),
        pytest.param('get: "/two/{b}"', "match the same paths", id="conflict"),
        pytest.param(
            'get: "/one" additional_bindings { get: "/x" additional_bindings { get: "/y" } }', "do not nest", id="nested-bindings"
        ),
    ],
)  # fmt: skip
def test_a_wrong_rule_is_refused_at_start_and_named(rule: str, problem: str) -> None:
    bad = pool_of(compile_protos({"bad.proto": PROTO.format(rule=rule)}))

    with pytest.raises(ConfigurationError) as caught:
        Transcoder([Service(name="bad.v1.S", backend=AnyBackend())], pool=bad)

    assert problem in str(caught.value)


class AnyBackend(LocalBackend):
    """A backend that has every method."""

    def __init__(self) -> None:
        super().__init__(object())

    def prepare(self, method: object) -> None:
        return None


def test_all_wrong_rules_are_listed_at_once() -> None:
    source = PROTO.format(rule='get: "/one/{nope}"').replace("/two/{a}", "/two/{nothing}")

    with pytest.raises(ConfigurationError) as caught:
        Transcoder(
            [
                Service(name="bad.v1.S", backend=AnyBackend()),
                Service(name="no.such.Service", backend=AnyBackend()),
            ],
            pool=pool_of(compile_protos({"bad.proto": source})),
        )

    assert [text in str(caught.value) for text in ("'nope'", "'nothing'", "no.such.Service")] == [True] * 3


def test_a_servicer_without_a_method_is_refused_at_start() -> None:
    with pytest.raises(ConfigurationError, match="has no method"):
        transcoder(LocalBackend(object()))


def test_the_routes_served_are_listed() -> None:
    routes = transcoder().routes

    assert str(routes[0]) == f"GET /v1/items/{{text}} ({SERVICE}.Get)"
    assert not any(route.rpc.name == "Unbound" for route in routes)
