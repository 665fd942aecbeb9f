from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.transcoding import percent


@pytest.mark.parametrize(
    ("raw", "whole", "kept"),
    [
        pytest.param("plain", "plain", "plain", id="plain"),
        pytest.param("a%20b", "a b", "a b", id="space"),
        pytest.param("a%2Fb", "a/b", "a%2Fb", id="slash"),
        pytest.param("a%2fb%3A", "a/b:", "a%2fb:", id="lower-case-slash"),
        pytest.param("%252F", "%2F", "%2F", id="decoded-once"),
        pytest.param("a+b", "a+b", "a+b", id="plus-is-a-plus"),
        pytest.param("caf%C3%A9", "café", "café", id="utf-8"),
        pytest.param("%2B", "+", "+", id="escaped-plus"),
    ],
)
def test_a_path_value_is_decoded_once(raw: str, whole: str, kept: str) -> None:
    assert percent.decode(raw) == whole
    assert percent.decode_keeping_slashes(raw) == kept


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param("%zz", id="not-hexadecimal"),
        pytest.param("a%", id="cut-short"),
        pytest.param("%4", id="one-digit"),
        pytest.param("%ff", id="not-utf-8"),
        pytest.param("%C3", id="half-a-character"),
        pytest.param("%ED%A0%80", id="surrogate"),
        pytest.param("\xff", id="raw-byte-not-utf-8"),
        pytest.param("%2F%zz", id="broken-beside-a-slash"),
    ],
)
def test_a_broken_encoding_is_an_error(raw: str) -> None:
    for decode in (percent.decode, percent.decode_keeping_slashes, percent.decode_form):
        with pytest.raises(percent.PercentError):
            decode(raw)


def test_a_plus_in_a_query_is_a_space_and_an_escaped_one_a_plus() -> None:
    assert percent.decode_form("a+b%2Bc") == "a b+c"


@given(st.text(alphabet=st.characters(codec="utf-8")))
def test_what_was_quoted_is_read_back(text: str) -> None:
    assert percent.decode(quote(text, safe="")) == text
