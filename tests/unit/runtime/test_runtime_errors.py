from collections.abc import Iterator
from datetime import timedelta
from typing import ClassVar

import grpc
import pytest
from google.rpc.status_pb2 import Status
from hypothesis import given
from hypothesis import strategies as st

from runtime.errors import (
    Aborted,
    FieldViolation,
    Internal,
    MalformedRequest,
    NotFound,
    Resource,
    ServiceError,
    Unavailable,
    base_of,
)
from runtime.status import MAX_MESSAGE_BYTES, STATUS_DETAILS_KEY, from_rpc_error, to_status

BASES = [one for one in ServiceError.__subclasses__() if one.__module__ == "runtime.errors"]


def tree(of: type[ServiceError]) -> Iterator[type[ServiceError]]:
    for one in of.__subclasses__():
        yield one
        yield from tree(one)


def received(status: Status, code: grpc.StatusCode) -> ServiceError:
    trailers = grpc.aio.Metadata((STATUS_DETAILS_KEY, status.SerializeToString()))
    return from_rpc_error(grpc.aio.AioRpcError(code, grpc.aio.Metadata(), trailers, status.message))


def test_each_base_has_its_own_code_and_says_when_it_is_right() -> None:
    assert len({base.code for base in BASES}) == len(BASES) == 12
    for one in tree(ServiceError):
        if not one.__module__.startswith("runtime."):
            continue
        assert one.__doc__
        assert one.reason == one.reason.upper()
        assert base_of(one.code) in one.__mro__


text = st.text(max_size=40)


@given(
    base=st.sampled_from(BASES),
    message=text,
    metadata=st.dictionaries(text, text, max_size=4),
    violations=st.lists(st.builds(FieldViolation, field=text, description=text), max_size=3),
    retry_after=st.none() | st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=1)),
    resource=st.none() | st.builds(Resource, type=st.text(min_size=1, max_size=9), name=text),
    reason=st.from_regex(r"[A-Z][A-Z_]{0,20}", fullmatch=True),
)
def test_what_a_status_says_is_what_the_error_said(
    base: type[ServiceError],
    message: str,
    metadata: dict[str, str],
    violations: list[FieldViolation],
    retry_after: timedelta | None,
    resource: Resource | None,
    reason: str,
) -> None:
    class Leaf(base):  # type: ignore[misc, valid-type] # one leaf of each base
        pass

    Leaf.reason = reason
    error = Leaf(
        message, metadata=metadata, violations=violations, retry_after=retry_after, resource=resource
    )

    back = received(to_status(error, "r-1"), base.code)

    assert type(back) is base
    assert (back.reason, back.message, dict(back.metadata)) == (reason, message, metadata)
    assert (list(back.violations), back.retry_after, back.resource) == (violations, retry_after, resource)


def test_a_reason_received_stays_with_its_error_alone() -> None:
    class Leaf(NotFound):
        reason: ClassVar[str] = "LEAF"

    assert received(to_status(Leaf("gone"), None), NotFound.code).reason == "LEAF"
    assert NotFound("other").reason == "NOT_FOUND"


@pytest.mark.parametrize(
    ("code", "base"),
    [
        pytest.param(grpc.StatusCode.UNAVAILABLE, Unavailable, id="the peer is down"),
        pytest.param(grpc.StatusCode.CANCELLED, Unavailable, id="the peer went away"),
        pytest.param(grpc.StatusCode.ABORTED, Aborted, id="a code of ours"),
        pytest.param(grpc.StatusCode.UNKNOWN, Internal, id="a code never sent"),
        pytest.param(grpc.StatusCode.DATA_LOSS, Internal, id="another code never sent"),
    ],
)
def test_a_status_without_details_becomes_its_base(code: grpc.StatusCode, base: type[ServiceError]) -> None:
    error = grpc.aio.AioRpcError(code, grpc.aio.Metadata(), grpc.aio.Metadata(), "text")

    back = from_rpc_error(error)

    assert type(back) is base
    assert (back.reason, back.message) == (base.reason, "text")


@given(st.binary(max_size=200))
def test_details_that_cannot_be_read_do_not_hide_the_code(details: bytes) -> None:
    trailers = grpc.aio.Metadata((STATUS_DETAILS_KEY, details))

    back = from_rpc_error(grpc.aio.AioRpcError(NotFound.code, grpc.aio.Metadata(), trailers, "text"))

    assert isinstance(back, NotFound)


def test_a_malformed_request_names_every_field_in_its_message() -> None:
    error = MalformedRequest(
        [
            FieldViolation(field="qty", description="must be > 0, got 0"),
            FieldViolation(field="side", description="is required"),
        ]
    )

    assert error.message == "qty: must be > 0, got 0; side: is required"
    assert error.reason == "MALFORMED_REQUEST"


def test_a_message_too_long_for_the_trailers_is_cut() -> None:
    status = to_status(NotFound("ü" * 10_000), None)

    assert status.message == "ü" * (MAX_MESSAGE_BYTES // 2)


def test_an_error_with_far_too_much_in_it_fits_the_trailers_of_any_peer() -> None:
    error = NotFound(
        "\U0001f4c8" * 10_000,
        metadata={str(number): "é" * 1000 for number in range(100)},
        violations=[FieldViolation(field="f" * 1000, description="d" * 1000) for _ in range(100)],
    )

    status = to_status(error, "r" * 128)

    base64, percent_encoded = status.ByteSize() * 4 / 3, len(status.message.encode()) * 3
    assert base64 + percent_encoded < 8 * 1024 * 1.2
    assert received(status, NotFound.code).violations


def test_an_errors_metadata_cannot_be_changed() -> None:
    given_metadata = {"a": "1"}
    error = NotFound("x", metadata=given_metadata)
    given_metadata["a"] = "2"

    assert error.metadata == {"a": "1"}
    with pytest.raises(TypeError):
        error.metadata["a"] = "2"  # type: ignore[index] # what this test is about
