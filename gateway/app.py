"""Builds the gateway: channels to the services, the two surfaces on one transcoder, and the server before them."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Final, Self

import grpc
from google.protobuf.descriptor import ServiceDescriptor

from config.schema import Configuration
from gateway.auth.callers import legacy_networks
from gateway.auth.token import TokenVerifier
from gateway.background import Background
from gateway.cors import Cors
from gateway.edge import Edge
from gateway.gatekeeper import CALLER_KEY, Gatekeeper, TrustedNetworks
from gateway.http_server import HttpServer
from gateway.legacy import running_parts
from gateway.legacy.account_health import AccountHealthRoutes
from gateway.legacy.accounts import AccountRoutes
from gateway.legacy.admin import AdminRoutes
from gateway.legacy.bulk import BulkPlacing
from gateway.legacy.clients import Services
from gateway.legacy.dashboard import DashboardRoutes
from gateway.legacy.health import HealthRoutes
from gateway.legacy.option_data import OptionDataRoutes
from gateway.legacy.order_list import OrderListRoutes
from gateway.legacy.orders import OrderRoutes
from gateway.legacy.placing import OrderPlacing
from gateway.legacy.profile import legacy_profile
from gateway.legacy.rate_limit import SlidingWindow
from gateway.legacy.root import root_app
from gateway.legacy.sell import SellRoutes
from gateway.legacy.sell_view import SellDefaults
from gateway.legacy.servicer import LegacyApi, LegacyRoutes
from gateway.legacy.stock_data import StockDataRoutes
from gateway.legacy.tokens import TokenRoutes
from gateway.pages import InternalNetworks, Page, Pages
from gateway.route_list import route_list_page
from gateway.transcoding.app import Service, Transcoder
from gateway.transcoding.asgi import AsgiApp
from gateway.transcoding.channel_backend import ChannelBackend
from gateway.transcoding.deadline import TimeoutOptions
from gateway.transcoding.endpoint import Options
from gateway.transcoding.health import ChannelHealth
from gateway.transcoding.http_rule import routes_of
from gateway.transcoding.local_backend import LocalBackend
from gateway.transcoding.metadata import MetadataOptions
from gateway.unserved import Unserved
from gateway.v1 import GuardedBackend, v1_profile
from opitios.account.v1 import account_service_pb2, market_data_service_pb2
from opitios.legacy.v1 import legacy_api_pb2
from opitios.order.v1 import order_service_pb2
from opitios.sell.v1 import sell_service_pb2
from runtime.channel import RetryPolicy, open_channel, retry_policy
from runtime.clock import SYSTEM_CLOCK, Clock

SERVICE: Final = "gateway"
ACCOUNT_SERVICE: Final = account_service_pb2.DESCRIPTOR.services_by_name["AccountService"].full_name
MARKET_DATA_SERVICE: Final = market_data_service_pb2.DESCRIPTOR.services_by_name[
    "MarketDataService"
].full_name
ORDER_SERVICE: Final = order_service_pb2.DESCRIPTOR.services_by_name["OrderService"].full_name
SELL_SERVICE: Final = sell_service_pb2.DESCRIPTOR.services_by_name["SellService"].full_name
LEGACY_API: Final = legacy_api_pb2.DESCRIPTOR.services_by_name["LegacyApi"].full_name

LOOK_UP_SECONDS: Final = 8.0
"""What a call may take beyond the order itself: a lost answer is still looked up in it."""
MAX_CALL_SECONDS: Final = 60.0

# reliability.md, section 6: reads, and writes that a repeat cannot do twice. Never PlaceOrder.
_ACCOUNT_RETRIES: Final[tuple[RetryPolicy, ...]] = (
    retry_policy(ACCOUNT_SERVICE, ("ListAccounts", "GetAccount", "CheckBalance", "ListPositions")),
    retry_policy(
        MARKET_DATA_SERVICE,
        ("GetStockQuotes", "GetOptionQuotes", "GetMarketClock", "GetOptionChain", "GetStockBars"),
    ),
)
_ORDER_RETRIES: Final = (
    retry_policy(
        ORDER_SERVICE,
        (
            "PreviewOrder",
            "GetOrder",
            "ListOrders",
            "ListAttempts",
            "GetTradingState",
            "HaltTrading",
            "ResumeTrading",
        ),
    ),
    retry_policy(
        ORDER_SERVICE,
        ("CancelOrder",),
        codes=(grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED),
    ),
)
_SELL_RETRIES: Final = (
    retry_policy(SELL_SERVICE, ("GetStatus", "ListDecisions", "StartMonitoring", "StopMonitoring")),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Channels:
    """The channels to the three services."""

    account: grpc.aio.Channel
    order: grpc.aio.Channel
    sell: grpc.aio.Channel

    @classmethod
    async def open(cls, configuration: Configuration, stack: AsyncExitStack) -> Self:
        """Channels that the stack closes; they connect on first use."""
        services, tls = configuration.services, configuration.services.tls_files
        return cls(
            account=await stack.enter_async_context(
                open_channel(services.account.dial, tls=tls, retries=_ACCOUNT_RETRIES)
            ),
            order=await stack.enter_async_context(
                open_channel(services.order.dial, tls=tls, retries=_ORDER_RETRIES)
            ),
            sell=await stack.enter_async_context(
                open_channel(services.sell.dial, tls=tls, retries=_SELL_RETRIES)
            ),
        )


@asynccontextmanager
async def open_app(configuration: Configuration, clock: Clock = SYSTEM_CLOCK) -> AsyncIterator[HttpServer]:
    """The gateway, listening; raises StartupError naming the key that is wrong."""
    async with AsyncExitStack() as stack:
        channels = await Channels.open(configuration, stack)
        background = await stack.enter_async_context(Background())
        server = HttpServer(
            build_asgi(configuration, channels, background, clock),
            listen=configuration.services.gateway.listen,
            listen_key="services.gateway.listen",
        )
        yield await stack.enter_async_context(server)


def build_asgi(
    configuration: Configuration, channels: Channels, background: Background, clock: Clock = SYSTEM_CLOCK
) -> AsgiApp:
    """The whole application without a server before it."""
    legacy = LocalBackend(LegacyApi(_legacy_routes(configuration, channels, background, clock)))
    order_seconds = configuration.trading.order_timeout_seconds
    paths = _paths(legacy_api_pb2.DESCRIPTOR.services_by_name["LegacyApi"])
    transcoder = Transcoder(
        [
            _v1(ACCOUNT_SERVICE, channels.account),
            _v1(MARKET_DATA_SERVICE, channels.account),
            _v1(ORDER_SERVICE, channels.order),
            _v1(SELL_SERVICE, channels.sell),
            Service(name=LEGACY_API, backend=legacy, profile=legacy_profile()),
        ],
        options=Options(
            metadata=MetadataOptions(
                forwarded=frozenset({"traceparent", "tracestate"}), reserved=frozenset({CALLER_KEY})
            ),
            timeouts=TimeoutOptions(default_s=order_seconds + LOOK_UP_SECONDS, maximum_s=MAX_CALL_SECONDS),
        ),
        authorize=_gatekeeper(configuration, clock),
        error_response=Unserved(paths),
        mounts={"/": root_app, running_parts.PATH: running_parts.running_parts_app(clock)},
        check_health=ChannelHealth(
            {
                ACCOUNT_SERVICE: channels.account,
                MARKET_DATA_SERVICE: channels.account,
                ORDER_SERVICE: channels.order,
                SELL_SERVICE: channels.sell,
            }
        ),
    )
    pages = Pages(transcoder, pages=_pages(transcoder), networks=_internal_networks(configuration))
    return Edge(pages, cors=Cors(origins=frozenset(configuration.app.allowed_origins)), clock=clock)


def _pages(transcoder: Transcoder) -> dict[str, Page]:
    """What people read, by path; /openapi.json and static files are added here."""
    routes = route_list_page(transcoder.routes)
    return {"/docs": routes, "/redoc": routes}


def _internal_networks(configuration: Configuration) -> InternalNetworks:
    auth = configuration.auth
    return InternalNetworks(
        internal=legacy_networks(auth.internal_networks, configuration.allowed_external_ips),
        proxies=auth.trusted_proxies,
    )


def _paths(service: ServiceDescriptor) -> list[str]:
    """The paths of a service that are literals as a whole."""
    routes = [route for method in service.methods for route in routes_of(method)]
    return [route.template.text for route in routes if not route.template.variables]


def _v1(name: str, channel: grpc.aio.Channel) -> Service:
    return Service(name=name, backend=GuardedBackend(ChannelBackend(channel)), profile=v1_profile())


def _tokens(configuration: Configuration) -> TokenVerifier:
    jwt = configuration.jwt
    return TokenVerifier(
        secret=jwt.secret_key.get_secret_value() if jwt.secret_key is not None else None,
        algorithm=jwt.algorithm.value,
    )


def _gatekeeper(configuration: Configuration, clock: Clock) -> Gatekeeper:
    auth = configuration.auth
    return Gatekeeper(
        tokens=_tokens(configuration),
        networks=TrustedNetworks(
            internal=auth.networks,
            legacy_internal=legacy_networks(auth.internal_networks, configuration.allowed_external_ips),
            proxies=auth.trusted_proxies,
        ),
        limits=SlidingWindow(
            clock,
            default_limit=configuration.rate_limit.default_limit,
            window_seconds=configuration.rate_limit.window_seconds,
        ),
    )


def _legacy_routes(
    configuration: Configuration, channels: Channels, background: Background, clock: Clock
) -> LegacyRoutes:
    services = Services.over(account=channels.account, order=channels.order, sell=channels.sell)
    any_account = configuration.auth.legacy_any_account
    max_option_symbols = configuration.trading.max_option_symbols_per_request
    return LegacyRoutes(
        accounts=AccountRoutes(services, any_account=any_account),
        orders=_order_routes(configuration, services, clock),
        order_list=OrderListRoutes(services, any_account=any_account),
        sell=SellRoutes(services, defaults=_sell_defaults(configuration), clock=clock),
        health=HealthRoutes(
            services,
            configured_accounts=sum(account.enabled for account in configuration.accounts.values()),
            max_option_symbols=max_option_symbols,
            clock=clock,
        ),
        account_health=AccountHealthRoutes(
            services, any_account=any_account, background=background, clock=clock
        ),
        stock_data=StockDataRoutes(services, any_account=any_account, clock=clock),
        option_data=OptionDataRoutes(services, any_account=any_account, max_symbols=max_option_symbols),
        tokens=TokenRoutes(_tokens(configuration), clock),
        admin=AdminRoutes(services),
        dashboard=DashboardRoutes(services, any_account=any_account, clock=clock),
    )


def _order_routes(configuration: Configuration, services: Services, clock: Clock) -> OrderRoutes:
    placing = OrderPlacing(services, order_seconds=configuration.trading.order_timeout_seconds)
    return OrderRoutes(
        services,
        placing=placing,
        bulk=BulkPlacing(services, placing),
        any_account=configuration.auth.legacy_any_account,
        clock=clock,
    )


def _sell_defaults(configuration: Configuration) -> SellDefaults:
    sell = configuration.sell_module
    return SellDefaults(
        enabled=sell.enabled,
        check_interval_seconds=sell.check_interval,
        order_cancel_minutes=sell.order_cancel_minutes,
        zero_day_handling=sell.zero_day_handling,
        strategy_enabled=sell.strategy_one.enabled,
        profit_rate=sell.strategy_one.profit_rate,
        stop_loss_rate=sell.strategy_one.stop_loss_rate,
    )
