"""YAML read safely and exactly: numbers with a point stay decimal, a key given twice is an error."""

from decimal import Decimal, InvalidOperation
from typing import Final

import yaml


class YamlProblem(Exception):
    """The text is not usable YAML; says where and what, without quoting the text."""


class _ExactLoader(yaml.SafeLoader):
    """PyYAML's safe loader with the two changes of this module."""


_MERGE_TAG: Final = "tag:yaml.org,2002:merge"


def parse_yaml(text: str) -> object:
    """The one document in the text; mappings are dicts, decimal numbers are `Decimal`. Raises YamlProblem."""
    try:
        return yaml.load(text, Loader=_ExactLoader)  # noqa: S506 - a subclass of SafeLoader
    except yaml.MarkedYAMLError as error:
        # Its own text quotes the line, which may hold a secret.
        where = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise YamlProblem(f"{where}{error.problem or 'is not valid YAML'}") from None
    except (yaml.YAMLError, RecursionError):
        raise YamlProblem("is not valid YAML") from None


def _construct_decimal(loader: _ExactLoader, node: yaml.ScalarNode) -> object:
    text = str(loader.construct_scalar(node)).replace("_", "")
    try:
        return Decimal(text)
    except InvalidOperation:
        # `.inf`, `.nan` and base-60 numbers: no setting wants one, so the text reaches validation as it stands.
        return text


def _construct_mapping(loader: _ExactLoader, node: yaml.MappingNode) -> dict[object, object]:
    seen: set[object] = set()
    for key_node, _ in node.value:
        if key_node.tag == _MERGE_TAG:
            continue
        key: object = loader.construct_object(key_node, deep=True)
        if not isinstance(key, str | int | Decimal):
            raise yaml.constructor.ConstructorError(
                None, None, "a key must be plain text", key_node.start_mark
            )
        if key in seen:
            raise yaml.constructor.ConstructorError(None, None, f"{key} is given twice", key_node.start_mark)
        seen.add(key)
    loader.flatten_mapping(node)
    return {
        loader.construct_object(key, deep=True): loader.construct_object(value, deep=True)
        for key, value in node.value
    }


_ExactLoader.add_constructor("tag:yaml.org,2002:float", _construct_decimal)
_ExactLoader.add_constructor("tag:yaml.org,2002:map", _construct_mapping)
