import contextlib
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.settings_yaml import YamlProblem, parse_yaml


@given(st.decimals(allow_nan=False, allow_infinity=False, places=6))
def test_a_number_with_a_point_keeps_every_digit(number: Decimal) -> None:
    assert str(parse_yaml(f"{number:f}")) == str(Decimal(f"{number:f}"))


@given(st.text())
def test_any_text_is_read_or_refused_in_one_way(text: str) -> None:
    with contextlib.suppress(YamlProblem):
        parse_yaml(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("5_000", 5000),
        ("5_000.5", Decimal("5000.5")),
        ("yes", True),
        ("1e3", "1e3"),
        (".inf", ".inf"),
        ("{a: 1, b: {c: 2}}", {"a": 1, "b": {"c": 2}}),
        ("base: &b {x: 1}\nmore: {<<: *b, y: 2}", {"base": {"x": 1}, "more": {"x": 1, "y": 2}}),
    ],
)
def test_values_are_what_they_were_for_the_old_loader_but_exact(text: str, value: object) -> None:
    assert parse_yaml(text) == value


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param("a: 1\nb: {c: 1, c: 2}", "line 2: c is given twice", id="key given twice"),
        pytest.param("!!python/object/apply:os.system [x]", "line 1: ", id="a tag that would run code"),
        pytest.param("{[a]: 1}", "line 1: a key must be plain text", id="list as key"),
        pytest.param("&a {x: *a}", "line 1: ", id="a loop"),
        pytest.param("a: 'x", "line ", id="open quote"),
    ],
)
def test_what_cannot_be_used_is_located(text: str, problem: str) -> None:
    with pytest.raises(YamlProblem) as caught:
        parse_yaml(text)

    assert str(caught.value).startswith(problem)
