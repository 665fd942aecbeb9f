"""A gateway for any descriptor set: its services, each at the other end of a channel, as one ASGI application."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import grpc
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.message import DecodeError

from gateway.transcoding.app import Service, Transcoder
from gateway.transcoding.asgi import AsgiApp
from gateway.transcoding.channel_backend import ChannelBackend, channel_options
from gateway.transcoding.docs import Documented, docs_mounts
from gateway.transcoding.endpoint import Options
from gateway.transcoding.failure import ConfigurationError
from gateway.transcoding.health import ChannelHealth
from gateway.transcoding.http_rule import Route, routes_of
from gateway.transcoding.message_types import pool_of
from gateway.transcoding.openapi import DocumentOptions, document
from gateway.transcoding.profile import Profile
from gateway.transcoding.proto_comments import comments_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Standalone:
    """What to serve, and how."""

    files: FileDescriptorSet
    target: str = ""
    """HOST:PORT of the services that `targets` does not name; empty to serve only those it names."""
    targets: Mapping[str, str] = field(default_factory=dict)
    """HOST:PORT by the full name of a service."""
    profile: Profile = field(default_factory=Profile)
    options: Options = field(default_factory=Options)
    title: str = "API"
    version: str = "1"


def read_descriptors(path: Path) -> FileDescriptorSet:
    """The descriptor set in a file; ConfigurationError where there is none."""
    try:
        return FileDescriptorSet.FromString(path.read_bytes())
    except OSError as e:
        raise ConfigurationError(f"{path}: {e.strerror}") from None
    except DecodeError:
        raise ConfigurationError(f"{path}: is not a FileDescriptorSet") from None


def services_of(standalone: Standalone) -> dict[str, str]:
    """The target of every service with an http rule, by its full name; ConfigurationError where one has none."""
    pool = pool_of(standalone.files)
    names = [
        f"{file.package}.{service.name}".lstrip(".")
        for file in standalone.files.file
        for service in file.service
    ]
    if unknown := sorted(standalone.targets.keys() - set(names)):
        raise ConfigurationError(f"no such service in the descriptors: {', '.join(unknown)}")
    ruled = [
        name for name in names if any(routes_of(method) for method in pool.FindServiceByName(name).methods)
    ]
    served = {name: standalone.targets.get(name, standalone.target) for name in ruled}
    served = {name: target for name, target in served.items() if target}
    if not served:
        raise ConfigurationError("no service of the descriptors has both an http rule and a target")
    return served


@asynccontextmanager
async def open_standalone(standalone: Standalone) -> AsyncIterator[AsgiApp]:
    """The application, with its channels open until the block ends; ConfigurationError names what is wrong."""
    served = services_of(standalone)
    async with AsyncExitStack() as stack:
        options = channel_options(standalone.options.limits)
        channels = {
            target: await stack.enter_async_context(grpc.aio.insecure_channel(target, options=options))
            for target in sorted(set(served.values()))
        }
        services = [
            Service(name=name, backend=ChannelBackend(channels[target]), profile=standalone.profile)
            for name, target in served.items()
        ]
        pool = pool_of(standalone.files)
        routes = [
            route
            for name in served
            for method in pool.FindServiceByName(name).methods
            for route in routes_of(method)
        ]
        yield Transcoder(
            services,
            pool=pool,
            options=standalone.options,
            mounts=_docs(standalone, routes),
            check_health=ChannelHealth({name: channels[target] for name, target in served.items()}),
        )


def _docs(standalone: Standalone, routes: list[Route]) -> dict[str, AsgiApp]:
    options = DocumentOptions(
        title=standalone.title, version=standalone.version, json=standalone.profile.json
    )
    made = document(routes, comments_of(standalone.files), options)
    documented = Documented(name=standalone.title, path="/openapi.json", document=made)
    return docs_mounts(standalone.title, (documented,))
