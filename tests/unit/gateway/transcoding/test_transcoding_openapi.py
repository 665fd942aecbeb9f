"""OpenAPI documents: what routes, descriptors and comments become."""

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.transcoding.http_rule import Route, routes_of
from gateway.transcoding.json_options import JsonOptions, Unset
from gateway.transcoding.json_schema import digits_up_to
from gateway.transcoding.json_value import JsonObject
from gateway.transcoding.message_types import pool_of
from gateway.transcoding.openapi import DocumentOptions, document
from gateway.transcoding.proto_comments import comments_of
from unit.gateway.transcoding.everything_api import SERVICE, compile_protos, descriptor_set
from unit.gateway.transcoding.servicer import transcoder

LIBRARY = """
syntax = "proto3";
package library.v1;
import "google/api/annotations.proto";

// Keeps books. And lends them.
service Library {
  // Finds one book. Fails when it is lent.
  //
  // Second paragraph.
  rpc GetBook(GetBookRequest) returns (Book) {
    option (google.api.http) = {
      get: "/v1/{name=shelves/*/books/*}"
      additional_bindings { get: "/v1/books/{name}" }
    };
  }
  rpc PutBook(PutBookRequest) returns (Book) {
    option (google.api.http) = { put: "/v1/books/{id}" body: "*" };
  }
  rpc OldWay(GetBookRequest) returns (Book) {
    option deprecated = true;
    option (google.api.http) = { get: "/v1/old/{name}" };
  }
}
// Where a book is.
enum Place {
  // Nobody knows.
  PLACE_UNSPECIFIED = 0;
  LENT = 1; // Somebody has it.
}
message GetBookRequest {
  // Its shelf and number.
  string name = 1;
}
message PutBookRequest { string id = 1; Book book = 2; }
// Paper.
message Book {
  Place place = 1; // Where it is.
  int64 pages = 2;
  optional string title = 3;
  Book sequel = 4;
  string old = 5 [deprecated = true];
}
"""


def routes(files: Any, service: str) -> list[Route]:
    return [
        route for method in pool_of(files).FindServiceByName(service).methods for route in routes_of(method)
    ]


def library(**options: Any) -> Any:
    files = compile_protos({"library.proto": LIBRARY})
    made = document(
        routes(files, "library.v1.Library"),
        comments_of(files),
        DocumentOptions(title="Library", version="1", **options),
    )
    return json.loads(json.dumps(made))


def everything() -> Any:
    return document(
        transcoder().routes, comments_of(descriptor_set()), DocumentOptions(title="Everything", version="1")
    )


def parameters(operation: Any, place: str) -> dict[str, Any]:
    return {each["name"]: each for each in operation.get("parameters", []) if each["in"] == place}


def test_comments_become_descriptions_and_their_first_sentence_the_summary() -> None:
    made = library()
    get = made["paths"]["/v1/shelves/{shelvesId}/books/{booksId}"]["get"]
    book = made["components"]["schemas"]["library.v1.Book"]

    assert made["tags"] == [{"name": "Library", "description": "Keeps books. And lends them."}]
    assert get["summary"] == "Finds one book"
    assert get["description"] == "Finds one book. Fails when it is lent.\n\nSecond paragraph."
    assert book["description"] == "Paper."
    assert book["properties"]["place"]["description"] == "Where it is."
    assert made["components"]["schemas"]["library.v1.Place"] == {
        "type": "string",
        "enum": ["PLACE_UNSPECIFIED", "LENT"],
        "description": "Where a book is.\n- `PLACE_UNSPECIFIED`: Nobody knows.\n- `LENT`: Somebody has it.",
    }


def test_a_variable_of_several_segments_is_a_parameter_a_wildcard() -> None:
    get = library()["paths"]["/v1/shelves/{shelvesId}/books/{booksId}"]["get"]

    assert list(parameters(get, "path")) == ["shelvesId", "booksId"]
    assert parameters(get, "query") == {}


def test_paths_that_differ_in_parameter_names_only_are_one_path() -> None:
    shared = library()["paths"]["/v1/books/{name}"]

    assert set(shared) == {"get", "put"}
    assert list(parameters(shared["put"], "path")) == ["name"]


def test_a_field_of_the_path_is_not_in_the_body() -> None:
    put = library()["paths"]["/v1/books/{name}"]["put"]

    assert set(put["requestBody"]["content"]["application/json"]["schema"]["properties"]) == {"book"}


def test_every_operation_has_an_id_of_its_own() -> None:
    made = everything()
    ids = [operation["operationId"] for path in made["paths"].values() for operation in path.values()]

    assert len(set(ids)) == len(ids) > 50


def test_errors_are_google_rpc_status_unless_said_otherwise() -> None:
    usual = library()["paths"]["/v1/books/{name}"]["get"]["responses"]["default"]
    other = library(error_schema={"type": "object", "title": "Problem"})
    other_responses = other["paths"]["/v1/books/{name}"]["get"]["responses"]

    assert usual["content"]["application/json"]["schema"] == {
        "$ref": "#/components/schemas/google.rpc.Status"
    }
    assert other_responses["default"]["content"]["application/json"]["schema"]["title"] == "Problem"
    assert "google.rpc.Status" not in other["components"]["schemas"]


def test_json_options_decide_names_numbers_and_nulls() -> None:
    options = JsonOptions(proto_names=True, int64_as_number=True, enum_as_number=True, unset=Unset.NULL)
    schemas = library(json=options)["components"]["schemas"]
    book = schemas["library.v1.Book"]["properties"]

    assert book["pages"]["type"] == "integer"
    assert schemas["library.v1.Place"]["enum"] == [0, 1]
    assert book["title"]["anyOf"] == [{"type": "string"}, {"type": "null"}]
    assert "anyOf" not in book["old"]


def test_what_is_deprecated_says_so() -> None:
    made = library()

    assert made["components"]["schemas"]["library.v1.Book"]["properties"]["old"]["deprecated"]
    assert made["paths"]["/v1/old/{name}"]["get"]["deprecated"]
    assert "deprecated" not in made["paths"]["/v1/books/{name}"]["get"]


def test_security_schemes_are_asked_for_everywhere() -> None:
    made = library(security_schemes={"bearer": {"type": "http", "scheme": "bearer"}})

    assert made["security"] == [{"bearer": []}]
    assert made["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"


def test_an_amendment_has_the_last_word() -> None:
    def amend(route: Route, operation: JsonObject) -> JsonObject:
        return {**operation, "summary": route.rpc.name}

    assert library(amend=amend)["paths"]["/v1/old/{name}"]["get"]["summary"] == "OldWay"


@pytest.mark.parametrize(
    ("name", "schema"),
    [
        pytest.param("int64Value", {"type": "string", "format": "int64"}, id="int64-is-text"),
        pytest.param("uint64Value", {"type": "string", "format": "uint64"}, id="uint64-is-text"),
        pytest.param("int32Value", {"type": "integer", "minimum": -(2**31)}, id="int32-has-its-range"),
        pytest.param("uint32Value", {"minimum": 0, "maximum": 2**32 - 1}, id="uint32-has-its-range"),
        pytest.param("data", {"type": "string", "contentEncoding": "base64"}, id="bytes"),
        pytest.param("at", {"type": "string", "format": "date-time"}, id="timestamp"),
        pytest.param("lasting", {"type": "string"}, id="duration"),
        pytest.param("wrappedBool", {"type": "boolean"}, id="wrapper-is-its-value"),
        pytest.param("structure", {"type": "object"}, id="struct"),
        pytest.param("child", {"$ref": "#/components/schemas/everything.v1.Everything"}, id="itself"),
        pytest.param("penNames", {"type": "array", "items": {"type": "string"}}, id="repeated"),
        pytest.param("labels", {"type": "object", "additionalProperties": {"type": "string"}}, id="map"),
        pytest.param("byFlag", {"propertyNames": {"enum": ["true", "false"]}}, id="map-with-boolean-keys"),
        pytest.param("choiceNull", {"type": "null"}, id="null-value"),
    ],
)  # fmt: skip
def test_a_field_has_the_schema_of_its_json(name: str, schema: JsonObject) -> None:
    properties = everything()["components"]["schemas"]["everything.v1.Everything"]["properties"]

    assert schema.items() <= properties[name].items()


def test_two_members_of_a_oneof_exclude_each_other() -> None:
    (rule,) = everything()["components"]["schemas"]["everything.v1.Everything"]["allOf"]

    assert {"required": ["choiceText"]} in rule["oneOf"]


def test_query_parameters_are_flat_and_recursion_is_cut() -> None:
    get = everything()["paths"]["/v1/items/{text}"]["get"]
    query = parameters(get, "query")

    assert "text" not in query
    assert not any(name.startswith("child") for name in query)
    assert query["labels"]["style"] == "deepObject"
    assert list(query["structure"]["content"]) == ["application/json"]
    assert "renamed" in query, "its JSON name has a dot, which steps into a message"
    assert "byName" not in query


def test_a_body_field_is_not_a_query_parameter() -> None:
    patch = everything()["paths"]["/v1/items/{text}"]["patch"]

    assert "requestBody" in patch
    assert not any(name.startswith("child") for name in parameters(patch, "query"))
    assert parameters(everything()["paths"]["/v1/items"]["post"], "query") == {}


def test_the_members_of_a_oneof_that_the_path_decides_are_not_asked_for() -> None:
    paths = everything()["paths"]["/v1/choice/{choiceText}"]
    body = paths["put"]["requestBody"]["content"]["application/json"]["schema"]["properties"]

    assert "choiceInt" not in parameters(paths["get"], "query")
    assert not {"choiceInt", "choiceChild", "choiceNull", "choiceText"} & body.keys()


def test_a_stream_is_its_line_and_its_event() -> None:
    content = everything()["paths"]["/v1/watch"]["get"]["responses"]["200"]["content"]

    assert set(content["application/json"]["schema"]["properties"]) == {"result", "error"}
    assert content["text/event-stream"]["schema"] == {"$ref": "#/components/schemas/everything.v1.Everything"}


def test_raw_bodies_are_of_any_type_and_client_streams_are_arrays() -> None:
    paths = everything()["paths"]

    assert paths["/v1/upload"]["post"]["requestBody"]["content"] == {"*/*": {"schema": {}}}
    assert paths["/v1/download/{name}"]["get"]["responses"]["200"]["content"] == {"*/*": {"schema": {}}}
    collect = paths["/v1/collect"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert collect["type"] == "array"


def test_a_response_body_is_the_whole_answer() -> None:
    answer = everything()["paths"]["/v1/part/penNames"]["get"]["responses"]["200"]

    assert answer["content"]["application/json"]["schema"] == {"type": "array", "items": {"type": "string"}}


def test_a_response_body_that_may_be_unset_may_be_null() -> None:
    answer = everything()["paths"]["/v1/part/at"]["get"]["responses"]["200"]

    schema = answer["content"]["application/json"]["schema"]
    assert schema["anyOf"] == [{"type": "string", "format": "date-time"}, {"type": "null"}]


@pytest.mark.parametrize("highest", [0, 7, 10, 2**31 - 1, 2**63, 2**64 - 1, 315_575_999_999])
@given(data=st.data())
def test_a_pattern_takes_the_numbers_of_its_range_and_no_others(highest: int, data: st.DataObject) -> None:
    pattern = re.compile(digits_up_to(highest))
    number = data.draw(st.integers(0, 2 * highest + 20) | st.integers(max(0, highest - 20), highest + 20))

    assert bool(pattern.fullmatch(str(number))) == (number <= highest)


def test_the_keys_of_a_map_have_the_range_of_their_type() -> None:
    properties = everything()["components"]["schemas"]["everything.v1.Everything"]["properties"]
    pattern = re.compile(properties["counts"]["propertyNames"]["pattern"])

    assert all(pattern.search(key) for key in ("0", "-2147483648", "2147483647"))
    assert not any(pattern.search(key) for key in ("2147483648", "-2147483649", "1.0", "", "x"))


def test_a_method_that_the_format_does_not_know_is_left_out_and_any_method_is_five() -> None:
    paths = everything()["paths"]

    assert set(paths["/v1/custom/{text}"]) == {"head"}
    assert set(paths["/v1/anyMethod/{text}"]) == {"get", "put", "post", "delete", "patch"}


def test_every_reference_has_a_target() -> None:
    made = everything()
    targets = {f"#/components/schemas/{name}" for name in made["components"]["schemas"]}

    def references(value: Any) -> set[str]:
        if isinstance(value, dict):
            own = {value["$ref"]} if "$ref" in value else set()
            return own.union(*(references(item) for item in value.values()))
        return set().union(*(references(item) for item in value)) if isinstance(value, list) else set()

    assert references(made) == targets


@pytest.mark.parametrize("make", [everything, library], ids=["everything", "library"])
def test_an_independent_validator_finds_nothing_wrong(make: Any) -> None:
    validator = pytest.importorskip("openapi_spec_validator")

    validator.OpenAPIV31SpecValidator(json.loads(json.dumps(make()))).validate()


def test_the_service_is_the_one_of_the_transcoder() -> None:
    assert {route.rpc.service for route in transcoder().routes} == {SERVICE}
