"""HTTP requests and answers, free of any server's interface."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

Headers = tuple[tuple[str, str], ...]

_UNSAFE_IN_VALUE = re.compile(r"[^\x20-\x7e\x80-\xff\t]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One HTTP request without its body."""

    method: str
    raw_path: str
    """The path as it came, still percent-encoded."""
    query_string: str
    """What came after `?`, still percent-encoded."""
    headers: tuple[tuple[bytes, bytes], ...]
    """Lower-case names and raw values, in order, repeats kept."""
    client: tuple[str, int] | None
    """Address and port of the socket's peer."""
    scheme: str = "http"
    request_id: str = ""

    def header(self, name: str) -> str | None:
        """The first value of a header, by lower-case name."""
        wanted = name.encode("ascii")
        for key, value in self.headers:
            if key == wanted:
                return value.decode("latin-1")
        return None

    def header_values(self, name: str) -> list[str]:
        """Every value of a header, in order, by lower-case name."""
        wanted = name.encode("ascii")
        return [value.decode("latin-1") for key, value in self.headers if key == wanted]


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpResponse:
    """One complete HTTP answer."""

    status: int
    headers: Headers = ()
    body: bytes = b""

    def with_headers(self, more: Iterable[tuple[str, str]]) -> "HttpResponse":
        """The same answer with further headers."""
        return HttpResponse(status=self.status, headers=(*self.headers, *more), body=self.body)


def encode_headers(headers: Iterable[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    """Headers as a server wants them; a character that could end a header is replaced."""
    return [
        (name.lower().encode("latin-1"), _UNSAFE_IN_VALUE.sub("?", value).encode("latin-1"))
        for name, value in headers
    ]
