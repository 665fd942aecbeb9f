"""How OpenAPI names the token that callers from outside send."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from gateway.transcoding.json_value import JsonObject

SECURITY_SCHEMES: Final[Mapping[str, JsonObject]] = MappingProxyType(
    {"BearerAuth": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}}
)
