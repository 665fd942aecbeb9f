"""Notices on their way to people, over a real HTTP server."""

import json
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from types import ModuleType

import aiohttp
import pytest
from aiohttp import web
from loguru import logger

from config.notifications import NotificationSettings
from config.schema import Configuration
from fakes.sell_services import Book, account_service, order_service
from fakes.sell_values import NOW
from fakes.sell_webhook import Webhook, webhook
from fakes.sell_world import ManualClock
from runtime.errors import FailedPrecondition, StartupError
from runtime.settings import SecretStr
from sell_svc.app import open_app
from sell_svc.channels import DiscordWebhook, open_channels
from sell_svc.notice import Notice, NoticeKind
from sell_svc.notifier import BATCH, MAX_WAITING, NotDelivered, Notifier

OPTION = "AAPL270115C00200000"


class Denied(FailedPrecondition):
    reason = "INSUFFICIENT_BALANCE"


@pytest.fixture
async def hook() -> AsyncIterator[Webhook]:
    async with webhook() as made:
        yield made


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as made:
        yield made


@pytest.fixture
def log() -> "list[str]":
    lines: list[str] = []
    logger.add(lambda line: lines.append(str(line)), level="WARNING")
    return lines


def notice(text: str = "2 x A", kind: NoticeKind = NoticeKind.SOLD, cause: str = "") -> Notice:
    return Notice(kind=kind, text=text, at=NOW, cause=cause)


async def test_a_notice_arrives_with_everything_it_says_and_calls_nobody(
    hook: Webhook, session: aiohttp.ClientSession
) -> None:
    async with Notifier([DiscordWebhook(hook.url, session)], clock=ManualClock()) as notifier:
        notifier.tell(notice("@everyone sold"))

    (body,) = hook.bodies
    (embed,) = body["embeds"]
    assert (embed["title"], embed["description"]) == ("Sold", "@everyone sold")
    assert embed["timestamp"] == NOW.isoformat()
    assert body["allowed_mentions"] == {"parse": []}


async def test_many_notices_share_messages_and_keep_their_order(
    hook: Webhook, session: aiohttp.ClientSession
) -> None:
    async with Notifier([DiscordWebhook(hook.url, session)], clock=ManualClock()) as notifier:
        for number in range(2 * BATCH + 1):
            notifier.tell(notice("x" * 10_000 if number == 0 else str(number)))

    texts = [one["description"] for body in hook.bodies for one in body["embeds"]]
    assert [len(body["embeds"]) for body in hook.bodies] == [BATCH, BATCH, 1]
    assert texts[1:] == [str(number) for number in range(1, 2 * BATCH + 1)]
    # Discord refuses a message of more than 6,000 characters.
    assert all(
        sum(len(one["title"] + one["description"]) for one in body["embeds"]) < 6000 for body in hook.bodies
    )


async def test_a_channel_that_hangs_delays_nothing_and_is_given_up(
    hook: Webhook, session: aiohttp.ClientSession, log: list[str]
) -> None:
    """S-33."""
    hook.gate.clear()
    clock = ManualClock()
    async with Notifier([DiscordWebhook(hook.url, session)], clock=clock, send_seconds=0.05) as notifier:
        for _ in range(BATCH + 1):
            notifier.tell(notice())
        await hook.visits.reach("post", 2)

    assert notifier.undelivered == BATCH + 1
    assert [one for one in log if "no answer within 0.05 s" in one]
    assert len(log) == 1


async def test_the_end_waits_for_deliveries_only_so_long(
    hook: Webhook, session: aiohttp.ClientSession
) -> None:
    hook.gate.clear()
    async with Notifier(
        [DiscordWebhook(hook.url, session)], clock=ManualClock(), drain_seconds=0.05
    ) as notifier:
        for _ in range(2 * BATCH):
            notifier.tell(notice())
        await hook.visits.reach("post", 1)

    assert notifier.undelivered == BATCH
    assert len(hook.bodies) == 1


async def test_a_slow_channel_delays_no_other(hook: Webhook, session: aiohttp.ClientSession) -> None:
    async with webhook() as slow:
        slow.gate.clear()
        channels = [DiscordWebhook(slow.url, session), DiscordWebhook(hook.url, session)]
        async with Notifier(channels, clock=ManualClock(), drain_seconds=0.05) as notifier:
            notifier.tell(notice("first"))
            await slow.visits.reach("post", 1)
            await hook.visits.reach("post", 1)
            notifier.tell(notice("second"))
            await hook.visits.reach("post", 2)

    assert len(slow.bodies) == 1


async def test_too_many_notices_drop_the_oldest_and_are_counted(
    hook: Webhook, session: aiohttp.ClientSession
) -> None:
    """I14."""
    hook.gate.clear()
    async with Notifier([DiscordWebhook(hook.url, session)], clock=ManualClock()) as notifier:
        notifier.tell(notice("under way"))
        await hook.visits.reach("post", 1)
        for number in range(MAX_WAITING + 5):
            notifier.tell(notice(str(number)))
        dropped = notifier.undelivered
        hook.gate.set()

    assert dropped == 5
    assert hook.bodies[1]["embeds"][0]["description"] == "5"


async def test_a_cause_is_told_once_an_hour_and_every_sale_is_told() -> None:
    clock = ManualClock()
    told: list[str] = []

    class Keeper:
        name = "keeper"

        async def send(self, notices: object) -> None:
            assert isinstance(notices, list)
            told.extend(one.text for one in notices)

    async with Notifier([Keeper()], clock=clock) as notifier:
        for seconds in (0, 5, 3590, 10):
            clock.advance(seconds)
            notifier.tell(notice(f"blocked {seconds}", NoticeKind.EXIT_BLOCKED, cause="alice|A"))
            notifier.tell(notice(f"sold {seconds}"))
        notifier.tell(notice("blocked too", NoticeKind.EXIT_BLOCKED, cause="bob|A"))

    assert [one for one in told if one.startswith("blocked")] == ["blocked 0", "blocked 10", "blocked too"]
    assert len([one for one in told if one.startswith("sold")]) == 4


@pytest.mark.parametrize(
    ("status", "headers", "posts", "lost"),
    [
        pytest.param(429, {"Retry-After": "0.01"}, 2, 0, id="asked to wait a little"),
        pytest.param(429, {"Retry-After": "600"}, 1, 1, id="asked to wait too long"),
        pytest.param(500, {}, 1, 1, id="broken"),
        pytest.param(302, {"Location": "http://127.0.0.1:1/elsewhere"}, 1, 1, id="sent elsewhere"),
    ],
)
async def test_what_the_webhook_answers(
    hook: Webhook,
    session: aiohttp.ClientSession,
    log: list[str],
    status: int,
    headers: dict[str, str],
    posts: int,
    lost: int,
) -> None:
    hook.answers = [web.Response(status=status, headers=headers)]
    async with Notifier([DiscordWebhook(hook.url, session)], clock=ManualClock()) as notifier:
        notifier.tell(notice())

    assert (len(hook.bodies), notifier.undelivered) == (posts, lost)
    # Whoever knows the address can post.
    assert not [line for line in log if hook.url in line]


async def test_an_unreachable_webhook_shows_its_address_to_nobody(
    session: aiohttp.ClientSession, log: list[str]
) -> None:
    async with Notifier(
        [DiscordWebhook("http://127.0.0.1:1/secret", session)], clock=ManualClock()
    ) as notifier:
        notifier.tell(notice())

    assert notifier.undelivered == 1
    assert len(log) == 1
    assert "secret" not in log[0]


async def test_an_apprise_address_needs_the_extra_and_names_it(
    session: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    settings = NotificationSettings(urls=(SecretStr("json://127.0.0.1/secret"),))

    with pytest.raises(StartupError) as caught:
        open_channels(None, settings, session)

    assert "notifications.urls.0" in str(caught.value)
    assert "opitios-alpaca[apprise]" in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("taken", [True, False])
async def test_an_apprise_address_is_sent_by_that_library(
    session: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch, taken: bool
) -> None:
    """The library's two methods that are used, as its documentation has them."""
    sent: list[tuple[str, str]] = []

    class Apprise:
        def add(self, servers: str) -> bool:
            return servers.startswith("json://")

        async def async_notify(self, *, body: str, title: str) -> bool:
            sent.append((title, body))
            return taken

    library = ModuleType("apprise")
    library.Apprise = Apprise  # type: ignore[attr-defined] # a module made for this test
    monkeypatch.setitem(sys.modules, "apprise", library)
    (channel,) = open_channels(None, NotificationSettings(urls=(SecretStr("json://x"),)), session)
    with pytest.raises(StartupError, match="does not know"):
        open_channels(None, NotificationSettings(urls=(SecretStr("nonsense"),)), session)

    if taken:
        await channel.send([notice()])
        await channel.send([notice(), notice("blocked", NoticeKind.EXIT_BLOCKED)])
    else:
        with pytest.raises(NotDelivered):
            await channel.send([notice()])

    assert sent[0] == ("Sold", "2 x A")
    assert not taken or sent[1][0] == "Sell monitor: 2 notices"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
async def test_the_real_library_delivers(hook: Webhook, session: aiohttp.ClientSession) -> None:
    pytest.importorskip("apprise")
    address = hook.url.replace("http://", "json://")
    (channel,) = open_channels(None, NotificationSettings(urls=(SecretStr(address),)), session)

    await channel.send([notice("2 x A")])

    (body,) = hook.bodies
    assert (body["title"], body["message"]) == ("Sold", "2 x A")


async def test_the_service_tells_of_its_start_its_sales_its_blocked_exits_once_and_its_end(
    hook: Webhook, tmp_path: Path
) -> None:
    book = Book()
    book.hold(OPTION, qty="2", entry="1.00")
    book.bid(OPTION, "0.50")
    book.open_order("stale", OPTION, age=timedelta(hours=1))
    book.refusal = Denied("cash 4000.00 is below 5000.00")
    async with account_service(book) as account, order_service(book) as order:
        configuration = Configuration.model_validate(
            {
                "sell_module": {"enabled": True, "check_interval": 0.02, "auto_sell": "all"},
                "services": {
                    "account": {"target": f"127.0.0.1:{account.port}"},
                    "order": {"target": f"127.0.0.1:{order.port}"},
                    "sell": {"listen": "127.0.0.1:0"},
                },
                "storage": {"url": f"sqlite:///{tmp_path}/opitios.db"},
                "discord": {"transaction_channel": hook.url},
            }
        )
        async with open_app(configuration):
            await book.visits.reach("PlaceOrder", 1)
            await book.visits.reach("CancelOrder", 1)
            await book.visits.reach("ListPositions", book.visits["ListPositions"] + 20)

    counts = {title: hook.titles.count(title) for title in hook.titles}
    assert counts["Sell monitor started"] == 1
    assert counts["Exit blocked by the balance guard"] == 1
    assert counts["Stale order cancelled"] == 1
    assert "Account failing" not in counts
    assert hook.titles[-1] == "Sell monitor stopped"
    assert "cash 4000.00 is below 5000.00" in json.dumps(hook.bodies)
