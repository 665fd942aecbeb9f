"""schemathesis against the echo server by its own OpenAPI document: what it allows is taken, what comes back fits."""

import asyncio
import importlib.util
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gateway.transcoding.docs import Documented, docs_mounts
from gateway.transcoding.http_rule import Route
from gateway.transcoding.json_value import JsonObject
from gateway.transcoding.openapi import DocumentOptions, document
from gateway.transcoding.proto_comments import comments_of
from unit.gateway.transcoding.everything_api import descriptor_set
from unit.gateway.transcoding.servers import http_server
from unit.gateway.transcoding.servicer import transcoder

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("schemathesis") is None, reason="schemathesis is not installed"
)

# One of each kind; the others differ in a path variable only. Not among them: streams, whose lines no JSON
# parser takes whole, and methods that hang or fail because they are asked to.
ASKED = frozenset(
    {
        "/v1/items/{text}", "/v1/items", "/v1/choice/{choice_text}",
        "/v1/names/{text=shelves/*/books/*}", "/v1/fields/tags", "/v1/fields/number", "/v1/fields/labels", "/v1/fields/at",
        "/v1/part/child", "/v1/part/penNames", "/v1/part/int64", "/v1/part/at", "/v1/upload/{name}", "/v1/report",
    }
)  # fmt: skip
# Two members of one oneof exclude each other, which OpenAPI can say of bodies but not of parameters;
# an Any holds only types that are known, which it cannot say at all.
NOT_TOGETHER = frozenset({"choiceInt", "choiceNull", "choiceText", "packed.typeUrl"})


def sayable(route: Route, operation: JsonObject) -> JsonObject:
    parameters: Any = operation.get("parameters", [])
    kept = [each for each in parameters if each["in"] == "path" or each["name"] not in NOT_TOGETHER]
    return {**operation, "parameters": kept}


@pytest.fixture
async def url() -> AsyncIterator[str]:
    routes = [route for route in transcoder().routes if route.template.text in ASKED]
    options = DocumentOptions(title="Everything", version="1", amend=sayable)
    made: Any = document(routes, comments_of(descriptor_set()), options)
    del made["components"]["schemas"]["everything.v1.Everything"]["properties"]["packed"]
    documented = Documented(name="everything", path="/openapi.json", document=made)
    async with http_server(transcoder(mounts=docs_mounts("Everything", (documented,)))) as port:
        yield f"http://127.0.0.1:{port}/openapi.json"


@pytest.mark.timeout(300)  # it draws for each operation in a process of its own
async def test_every_check_holds_for_what_the_document_allows(url: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "schemathesis.cli", "run", url, "--mode", "positive", "--checks", "all"]
    command += ["--phases", "fuzzing", "--max-examples", "1", "--seed", "1", "--no-color"]
    command += ["--suppress-health-check", "all", "--max-failures", "20"]
    path = os.pathsep.join((str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")))
    environment = {**os.environ, "SCHEMATHESIS_HOOKS": "schemathesis_formats", "PYTHONPATH": path}
    process = await asyncio.create_subprocess_exec(
        *command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    output, _ = await process.communicate()

    assert process.returncode == 0, output.decode()[-8000:]
