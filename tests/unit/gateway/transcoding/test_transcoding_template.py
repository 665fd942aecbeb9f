import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.transcoding.template import TemplateError, Variable, Wildcard, parse

ONE, MANY = Wildcard.ONE, Wildcard.MANY


@pytest.mark.parametrize(
    ("text", "segments", "verb"),
    [
        pytest.param("/", (), "", id="root"),
        pytest.param("/v1/books", ("v1", "books"), "", id="literals"),
        pytest.param("/v1/*/x", ("v1", ONE, "x"), "", id="anonymous-star"),
        pytest.param("/v1/**", ("v1", MANY), "", id="anonymous-double-star"),
        pytest.param("/v1/{book}", ("v1", ONE), "", id="variable-is-one-segment"),
        pytest.param("/v1/{book=*}", ("v1", ONE), "", id="variable-with-star"),
        pytest.param(
            "/v1/{book=shelves/*/books/*}", ("v1", "shelves", ONE, "books", ONE), "", id="several-segments"
        ),
        pytest.param("/v1/{path=**}/meta", ("v1", MANY, "meta"), "", id="literal-after-double-star"),
        pytest.param("/v1/orders:bulkPlace", ("v1", "orders"), "bulkPlace", id="verb-after-literal"),
        pytest.param("/v1/{book.id}:cancel", ("v1", ONE), "cancel", id="verb-after-variable"),
        pytest.param("/v1/{path=**}:download", ("v1", MANY), "download", id="verb-after-double-star"),
        pytest.param("/a%20b/c", ("a%20b", "c"), "", id="escaped-literal-stays-raw"),
        pytest.param("/~a-b_c.d/@x", ("~a-b_c.d", "@x"), "", id="punctuation"),
    ],
)
def test_a_template_is_read_as_the_grammar_says(text: str, segments: tuple[object, ...], verb: str) -> None:
    template = parse(text)

    assert (template.segments, template.verb) == (segments, verb)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param("", "expected '/'", id="empty"),
        pytest.param("v1/books", "expected '/'", id="no-leading-slash"),
        pytest.param("/v1/", "expected a segment", id="trailing-slash"),
        pytest.param("/v1//x", "expected a segment", id="empty-segment"),
        pytest.param("/v1/{a={b}}", "variables do not nest", id="nested-variable"),
        pytest.param("/v1/{a", "expected '}'", id="unclosed-variable"),
        pytest.param("/v1/{}", "expected a field name", id="empty-variable"),
        pytest.param("/v1/{a.}", "expected a field name", id="dangling-dot"),
        pytest.param("/v1/{1a}", "expected a field name", id="name-starts-with-digit"),
        pytest.param("/v1/{a=}", "expected a segment", id="empty-pattern"),
        pytest.param("/v1/{a}-{b}", "unexpected text", id="two-variables-in-a-segment"),
        pytest.param("/v1/x{a}", "unexpected text", id="text-before-variable"),
        pytest.param("/v1/***", "unexpected text", id="three-stars"),
        pytest.param("/v1/**/*", "only literals may follow **", id="star-after-double-star"),
        pytest.param("/v1/**/**", "only literals may follow **", id="two-double-stars"),
        pytest.param("/v1/**/{a=x}", "no variable may follow **", id="variable-after-double-star"),
        pytest.param("/v1/{a}/{a}", "bound twice", id="repeated-variable"),
        pytest.param("/v1/x:", "expected a verb", id="empty-verb"),
        pytest.param("/v1/x:a:b", "unexpected text", id="two-verbs"),
        pytest.param("/v1/x:a/b", "unexpected text", id="verb-in-the-middle"),
        pytest.param("/v1/a b", "unexpected text", id="space"),
        pytest.param("/v1/%zz", "expected a segment", id="broken-escape"),
        pytest.param("/v1/é", "expected a segment", id="non-ascii"),
        pytest.param("/v1?x=1", "unexpected text", id="query"),
    ],
)
def test_a_template_that_breaks_the_grammar_is_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(TemplateError) as caught:
        parse(text)

    assert reason in str(caught.value)


@pytest.mark.parametrize(
    ("text", "parts", "expected"),
    [
        pytest.param("/v1/{a}", ["v1", "x"], {"a": "x"}, id="one-segment"),
        pytest.param("/v1/{a}/y/{b.c}", ["v1", "x", "y", "z"], {"a": "x", "b.c": "z"}, id="two-variables"),
        pytest.param(
            "/v1/{a=s/*/b/*}/t", ["v1", "s", "1", "b", "2", "t"], {"a": "s/1/b/2"}, id="several-segments"
        ),
        pytest.param("/v1/{a=**}", ["v1"], {"a": ""}, id="double-star-takes-nothing"),
        pytest.param("/v1/{a=**}", ["v1", "x", "y"], {"a": "x/y"}, id="double-star-takes-the-rest"),
        pytest.param(
            "/v1/{a=**}/meta", ["v1", "x", "y", "meta"], {"a": "x/y"}, id="double-star-leaves-the-tail"
        ),
        pytest.param("/v1/{a=**}/meta", ["v1", "meta"], {"a": ""}, id="only-the-tail"),
        pytest.param(
            "/v1/{a=x/**}/m/n", ["v1", "x", "1", "2", "m", "n"], {"a": "x/1/2"}, id="pattern-with-tail"
        ),
        pytest.param("/v1/{a}/**/m", ["v1", "x", "1", "m"], {"a": "x"}, id="variable-before-double-star"),
    ],
)
def test_a_variable_takes_its_part_of_the_path(text: str, parts: list[str], expected: dict[str, str]) -> None:
    variables = parse(text).variables

    assert {".".join(variable.field_path): variable.take(parts) for variable in variables} == expected


@pytest.mark.parametrize(
    ("text", "several"),
    [
        pytest.param("/{a}", False, id="plain"),
        pytest.param("/{a=x}", False, id="one-literal"),
        pytest.param("/{a=x/*}", True, id="two-segments"),
        pytest.param("/{a=**}", True, id="double-star"),
    ],
)
def test_a_variable_knows_whether_it_takes_several_segments(text: str, several: bool) -> None:
    (variable,) = parse(text).variables

    assert isinstance(variable, Variable)
    assert variable.several is several


@given(st.text(alphabet="/{}*:=.ab%1", max_size=30))
def test_any_text_is_a_template_or_a_template_error(text: str) -> None:
    try:
        template = parse(text)
    except TemplateError:
        return
    assert template.text == text
    assert template.segments.count(MANY) <= 1
