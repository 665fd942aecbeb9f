"""Whether the generated gRPC code belongs to the protos beside it.

The stubs are built, never committed, so a checkout can hold protos newer than
its stubs. Every service asks here before it imports them.
"""

from __future__ import annotations

import hashlib
import importlib
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
REMEDY = "run `make stubs`"


class StubsNotUsable(RuntimeError):
    """The generated package `opitios` is missing, or older than protos/."""


def fingerprint(protos: Path) -> str:
    """Return a digest of every .proto below `protos`, names and contents."""
    digest = hashlib.sha256()
    for path in sorted(protos.rglob("*.proto")):
        digest.update(path.relative_to(protos).as_posix().encode())
        digest.update(b"\0")
        digest.update(path.read_bytes())
        digest.update(b"\0")
    return digest.hexdigest()


def require_stubs(checkout: Path = CHECKOUT) -> None:
    """Return when `opitios` can be used; raise StubsNotUsable with the remedy otherwise.

    An installed wheel has no protos/ folder: its stubs were built with it.
    """
    protos = checkout / "protos"
    if not protos.is_dir():
        return
    try:
        built = importlib.import_module("opitios").FINGERPRINT
    except (ImportError, AttributeError):
        raise StubsNotUsable(f"the generated gRPC code is missing: {REMEDY}") from None
    if built != fingerprint(protos):
        raise StubsNotUsable(f"the generated gRPC code is older than protos/: {REMEDY}")
