"""Coverage-guided fuzzing of the transcoder with atheris: any request gets an answer, and never a 5xx.

Run it where atheris is installed, from the root of the repository, for as long as wanted:

    mkdir -p build/corpus && PYTHONPATH=. python tests/fuzz/transcoding.py -max_total_time=600 build/corpus

The folder keeps what reached new code, for the next run. A failure prints its input as
`crash-…`; give that file as the argument to see it again.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

atheris: Any = importlib.import_module("atheris")  # of a package that need not be installed
with atheris.instrument_imports(include=["gateway.transcoding"]):
    from gateway.transcoding import template
    from gateway.transcoding.json_stream import JsonSplitter
    from gateway.transcoding.json_value import JsonError
    from unit.gateway.transcoding.everything_api import AsgiClient, message_class
    from unit.gateway.transcoding.servicer import transcoder

NAMES = sorted({name for each in message_class().DESCRIPTOR.fields for name in (each.name, each.json_name)})
PATHS = (
    "items", "nested", "files", "names/shelves", "int32", "int64", "uint64", "double", "flag", "data", "color", "at",
    "lasting", "wrapped", "maybe", "choice", "part/child", "watch",
)  # fmt: skip
BODIES = (
    ("POST", "/v1/items"), ("PUT", "/v1/items/x"), ("PUT", "/v1/at/2020-01-01T00:00:00Z"), ("PATCH", "/v1/nested/x"),
    ("POST", "/v1/fields/tags"), ("POST", "/v1/fields/labels"), ("POST", "/v1/fields/anything"), ("POST", "/v1/collect"),
    ("POST", "/v1/chat"), ("POST", "/v1/upload"),
)  # fmt: skip
HEADERS = (
    "grpc-timeout", "grpc-metadata-a", "grpc-metadata-b-bin", "content-type", "accept", "te", "x-request-id",
    "x-forwarded-for", "traceparent", "content-length", "host", "expect", "accept-encoding",
)  # fmt: skip

client = AsgiClient(transcoder())
loop = asyncio.new_event_loop()


def check(status: int, body: bytes) -> None:
    """Fail on an answer that is the server's fault; a deadline of nothing is the caller's."""
    if not (200 <= status < 500 or status == 504):
        raise AssertionError(f"{status}: {body[:500]!r}")
    if status >= 400 and status != 417:
        json.loads(body)


def text(data: Any, length: int) -> str:
    """Return characters that fit into a request's head."""
    raw: bytes = data.ConsumeBytes(length)
    return "".join(chr(byte) for byte in raw if byte > 0x20 and byte != 0x7F)


def one_path(data: Any) -> None:
    """Ask for any path and query."""
    target = f"/v1/{PATHS[data.ConsumeIntInRange(0, len(PATHS) - 1)]}/{text(data, 30).replace('?', '')}?"
    while data.remaining_bytes():
        target += f"{NAMES[data.ConsumeIntInRange(0, len(NAMES) - 1)]}{text(data, 12)}&"
    ask("GET", target)


def one_body(data: Any) -> None:
    """Send any body."""
    method, path = BODIES[data.ConsumeIntInRange(0, len(BODIES) - 1)]
    ask(method, path, data.ConsumeBytes(data.remaining_bytes()))


def one_head(data: Any) -> None:
    """Send any headers."""
    headers = []
    while data.remaining_bytes():
        headers.append((HEADERS[data.ConsumeIntInRange(0, len(HEADERS) - 1)], text(data, 20)))
    ask("GET", "/v1/report", headers=headers)


def one_template(data: Any) -> None:
    """Parse any path template."""
    try:
        template.parse("/" + text(data, data.remaining_bytes()))
    except template.TemplateError:
        return


def one_stream(data: Any) -> None:
    """Cut any bytes into values."""
    splitter = JsonSplitter(1000)
    try:
        while data.remaining_bytes():
            splitter.feed(data.ConsumeBytes(data.ConsumeIntInRange(1, 20)))
        splitter.finish()
    except JsonError:
        return


def ask(method: str, target: str, body: bytes = b"", headers: Any = ()) -> None:
    """Send one request through the whole application."""
    answer = loop.run_until_complete(
        asyncio.wait_for(client.request(method, target, body, headers), timeout=5)
    )
    check(answer.status, answer.body)


KINDS = (one_path, one_body, one_head, one_template, one_stream)


def test_one_input(raw: bytes) -> None:
    """Run one input of the fuzzer."""
    data = atheris.FuzzedDataProvider(raw)
    KINDS[data.ConsumeIntInRange(0, len(KINDS) - 1)](data)


def main() -> None:
    """Fuzz until told to stop."""
    atheris.Setup(sys.argv, test_one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
