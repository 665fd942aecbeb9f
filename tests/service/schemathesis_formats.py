"""Formats of OpenAPI that schemathesis does not know: what it draws for them."""

import importlib

from hypothesis import strategies as st

openapi = importlib.import_module("schemathesis").openapi  # of a package that need not be installed
openapi.format("int64", st.integers(-(2**63), 2**63 - 1).map(str))
openapi.format("uint64", st.integers(0, 2**64 - 1).map(str))
