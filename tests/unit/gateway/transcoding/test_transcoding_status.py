import logging
from typing import Any

import pytest

from gateway.transcoding.code import Code, http_status_of
from gateway.transcoding.json_options import JsonOptions, Unset
from gateway.transcoding.local_backend import LocalBackend
from gateway.transcoding.profile import Profile
from unit.gateway.transcoding.everything_api import AsgiClient
from unit.gateway.transcoding.servicer import transcoder

STATUS_OF_CODE = {
    0: 200, 1: 499, 2: 500, 3: 400, 4: 504, 5: 404, 6: 409, 7: 403, 8: 429,
    9: 400, 10: 409, 11: 400, 12: 501, 13: 500, 14: 503, 15: 500, 16: 401,
}  # fmt: skip


@pytest.mark.parametrize(
    ("code", "status"), STATUS_OF_CODE.items(), ids=[Code(code).name for code in STATUS_OF_CODE]
)
def test_every_code_has_the_status_of_grpc_gateway_and_envoy(code: int, status: int) -> None:
    assert http_status_of(Code(code)) == status


def test_the_table_of_codes_is_complete() -> None:
    assert set(STATUS_OF_CODE) == set(Code)


@pytest.mark.parametrize("code", [code for code in Code if code is not Code.OK], ids=lambda code: code.name)
async def test_a_failed_call_answers_its_status_with_message_and_details(
    client: AsgiClient, code: Code
) -> None:
    answer = await client.get(f"/v1/fail/{code.value}?message=no+ink+%E2%9C%92")

    assert answer.status == STATUS_OF_CODE[code]
    assert answer.header("content-type") == "application/json"
    assert answer.json() == {
        "code": code.value,
        "message": "no ink ✒",
        "details": [
            {
                "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                "reason": "OUT_OF_INK",
                "domain": "everything",
                "metadata": {"ink": "0"},
            },
            {"@type": "type.googleapis.com/no.such.Type", "value": "AQI="},
        ],
    }


async def test_a_401_says_how_to_authenticate(client: AsgiClient) -> None:
    assert (await client.get("/v1/fail/16")).header("www-authenticate") == "Bearer"


@pytest.mark.parametrize(
    ("unset", "expected"),
    [
        pytest.param(Unset.OMIT, {"code", "message"}, id="omit"),
        pytest.param(Unset.ZERO, {"code", "message", "details"}, id="zero"),
        pytest.param(Unset.NULL, {"code", "message", "details"}, id="null"),
    ],
)
async def test_empty_details_follow_the_option_for_unset_fields(unset: Unset, expected: set[str]) -> None:
    app = AsgiClient(transcoder(profile=Profile(json=JsonOptions(unset=unset))))

    answer = await app.request("POST", "/v1/items", "{", {})
    assert answer.json().keys() == expected | {"details"}
    refused = await app.request("POST", "/v1/items", "x" * 10, {"content-type": "application/xml"})
    assert (refused.status, refused.json().keys()) == (415, expected)


async def test_a_bug_is_500_with_the_request_id_and_its_text_stays_inside(
    client: AsgiClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        answer = await client.get("/v1/fail/0", {"x-request-id": "req-7"})

    assert answer.status == 500
    assert answer.json() == {"code": 13, "message": "internal error; request id req-7"}
    logged = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert len(logged) == 1
    assert "req-7" in logged[0].getMessage()
    assert logged[0].exc_info is not None
    assert isinstance(logged[0].exc_info[1], ZeroDivisionError)


async def test_an_answer_without_a_json_form_is_500_that_names_the_method() -> None:
    class Late:
        def __getattr__(self, name: str) -> Any:
            async def answer(request: Any, context: Any) -> Any:
                request.at.seconds = 253402300800
                return request

            return answer

    answer = await AsgiClient(transcoder(LocalBackend(Late()))).get("/v1/items")

    assert (answer.status, answer.json()["code"]) == (500, 13)
    assert "EverythingService.Get" in answer.json()["message"]
