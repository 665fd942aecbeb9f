"""The google.api.http rules of a service's methods, read from descriptors and checked."""

from collections.abc import Iterator
from dataclasses import dataclass

from google.api import annotations_pb2, http_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor

from gateway.transcoding.failure import ConfigurationError
from gateway.transcoding.rpc import RpcMethod, rpc_method
from gateway.transcoding.template import Template, TemplateError, parse

WHOLE_BODY = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One HTTP method and path, and the gRPC method it stands for."""

    rpc: RpcMethod
    http_method: str
    """As requests spell it; `*` serves every method."""
    template: Template
    body: str
    """`*` for the whole message, the name of a field, or empty for no body."""
    response_body: str
    """The field that is the whole answer, or empty for the whole message."""

    def __str__(self) -> str:
        return f"{self.http_method} {self.template.text} ({self.rpc.full_name})"

    @property
    def body_field(self) -> FieldDescriptor | None:
        """The field that the body fills; None for none or the whole message."""
        return _field(self.rpc.input, self.body) if self.body not in ("", WHOLE_BODY) else None

    @property
    def response_field(self) -> FieldDescriptor | None:
        """The field that is the whole answer; None for the whole message."""
        return _field(self.rpc.output, self.response_body) if self.response_body else None


def routes_of(descriptor: MethodDescriptor) -> list[Route]:
    """The routes of one method, its own rule first; empty for a method without a rule."""
    options = descriptor.GetOptions()
    if not options.HasExtension(annotations_pb2.http):
        return []
    rpc = rpc_method(descriptor)
    return [_route(rpc, rule) for rule in _rules(options.Extensions[annotations_pb2.http], rpc)]


def _rules(rule: http_pb2.HttpRule, rpc: RpcMethod) -> Iterator[http_pb2.HttpRule]:
    yield rule
    for binding in rule.additional_bindings:
        if binding.additional_bindings:
            raise ConfigurationError(f"{rpc.full_name}: additional_bindings do not nest")
        yield binding


def _route(rpc: RpcMethod, rule: http_pb2.HttpRule) -> Route:
    http_method, path = _pattern(rpc, rule)
    try:
        template = parse(path)
        route = Route(
            rpc=rpc,
            http_method=http_method,
            template=template,
            body=rule.body,
            response_body=rule.response_body,
        )
        _check_fields(route)
    except (TemplateError, KeyError) as e:
        raise ConfigurationError(f"{rpc.full_name}: {e.args[0]}") from None
    return route


def _pattern(rpc: RpcMethod, rule: http_pb2.HttpRule) -> tuple[str, str]:
    kind = rule.WhichOneof("pattern")
    if kind is None:
        raise ConfigurationError(f"{rpc.full_name}: its http rule has no path")
    if kind == "custom":
        return rule.custom.kind, rule.custom.path
    return kind.upper(), getattr(rule, kind)


def _check_fields(route: Route) -> None:
    body_field, _ = route.body_field, route.response_field
    if body_field is None:
        return
    for variable in route.template.variables:
        if variable.field_path == (body_field.name,):
            raise ConfigurationError(f"{route}: {body_field.name} is bound by the path and by the body")


def _field(descriptor: Descriptor, name: str) -> FieldDescriptor:
    field = descriptor.fields_by_name.get(name)
    if field is None:
        raise KeyError(f"{descriptor.full_name} has no field {name!r} for a body")
    return field
