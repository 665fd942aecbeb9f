"""The comments of proto files by the full name of what they describe."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TypeAlias

from google.protobuf.descriptor_pb2 import DescriptorProto, EnumDescriptorProto, FileDescriptorSet

_Path: TypeAlias = tuple[int, ...]

# Field numbers of descriptor.proto, of which the paths of source info are made.
_FILE_MESSAGE, _FILE_ENUM, _FILE_SERVICE = 4, 5, 6
_MESSAGE_FIELD, _MESSAGE_NESTED, _MESSAGE_ENUM, _MESSAGE_ONEOF = 2, 3, 4, 8
_MEMBER = 2
_LINE_START = re.compile(r"^ ", re.MULTILINE)


class Comments:
    """What the authors of some proto files wrote above, or behind, each definition."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._texts = dict(texts)

    def of(self, full_name: str) -> str:
        """The comment of a message, field, enum, enum value (as `pkg.Enum.VALUE`), service or method; empty for none."""
        return self._texts.get(full_name, "")


def comments_of(files: FileDescriptorSet) -> Comments:
    """The comments in a descriptor set; only one made with `--include_source_info` has any."""
    texts: dict[str, str] = {}
    for file in files.file:
        by_path = {
            tuple(location.path): _clean(location.leading_comments or location.trailing_comments)
            for location in file.source_code_info.location
            if location.leading_comments or location.trailing_comments
        }
        if not by_path:
            continue
        for path, name in _names(file.package, file.message_type, file.enum_type):
            if path in by_path:
                texts[name] = by_path[path]
        for number, service in enumerate(file.service):
            name = _join(file.package, service.name)
            for path, full_name in _members((_FILE_SERVICE, number), name, (m.name for m in service.method)):
                if path in by_path:
                    texts[full_name] = by_path[path]
    return Comments(texts)


def first_sentence(text: str) -> str:
    """The first sentence of a comment, on one line and without its full stop."""
    paragraph = " ".join(text.partition("\n\n")[0].split())
    return re.split(r"(?<=[.!?])\s", paragraph, maxsplit=1)[0].removesuffix(".")


def _names(
    package: str, messages: Iterable[DescriptorProto], enums: Iterable[EnumDescriptorProto]
) -> Iterator[tuple[_Path, str]]:
    for number, message in enumerate(messages):
        yield from _message_names((_FILE_MESSAGE, number), _join(package, message.name), message)
    for number, enum in enumerate(enums):
        name = _join(package, enum.name)
        yield from _members((_FILE_ENUM, number), name, (value.name for value in enum.value))


def _message_names(path: _Path, name: str, message: DescriptorProto) -> Iterator[tuple[_Path, str]]:
    yield path, name
    for number, field in enumerate(message.field):
        yield (*path, _MESSAGE_FIELD, number), f"{name}.{field.name}"
    for number, oneof in enumerate(message.oneof_decl):
        yield (*path, _MESSAGE_ONEOF, number), f"{name}.{oneof.name}"
    for number, nested in enumerate(message.nested_type):
        yield from _message_names((*path, _MESSAGE_NESTED, number), f"{name}.{nested.name}", nested)
    for number, enum in enumerate(message.enum_type):
        values = (value.name for value in enum.value)
        yield from _members((*path, _MESSAGE_ENUM, number), f"{name}.{enum.name}", values)


def _members(path: _Path, name: str, members: Iterable[str]) -> Iterator[tuple[_Path, str]]:
    """A service and its methods, or an enum and its values."""
    yield path, name
    for number, member in enumerate(members):
        yield (*path, _MEMBER, number), f"{name}.{member}"


def _join(package: str, name: str) -> str:
    return f"{package}.{name}" if package else name


def _clean(comment: str) -> str:
    # protoc keeps the space after the slashes of every line.
    return _LINE_START.sub("", comment).strip()
