"""The ways to reach people: a Discord webhook, and any address that Apprise knows."""

import asyncio
import importlib
from collections.abc import Sequence
from typing import Any, Final, Protocol, cast

import aiohttp

from config.notifications import NotificationSettings
from runtime.errors import StartupError
from runtime.settings import SecretStr
from sell_svc.notice import Notice
from sell_svc.notifier import Channel, NotDelivered

MAX_TITLE: Final = 256
MAX_DESCRIPTION: Final = 500
"""Ten of them with their titles stay within Discord's 6,000 characters of one message."""
MAX_RETRY_SECONDS: Final = 3.0

_TROUBLE: Final = 0xD83A3A
_NEWS: Final = 0x3A8FD8


def open_channels(
    webhook: SecretStr | None, settings: NotificationSettings, session: aiohttp.ClientSession
) -> tuple[Channel, ...]:
    """Every channel that is configured. Raises StartupError for an address that cannot be used."""
    discord = [] if webhook is None else [DiscordWebhook(webhook.get_secret_value(), session)]
    return (*discord, *(_apprise(number, one) for number, one in enumerate(settings.urls)))


def discord_message(notices: Sequence[Notice]) -> dict[str, Any]:
    """The body of one webhook call; no text in it can call anybody by name."""
    return {
        "allowed_mentions": {"parse": []},
        "embeds": [
            {
                "title": one.kind.value[:MAX_TITLE],
                "description": _cut(one.text, MAX_DESCRIPTION),
                "color": _TROUBLE if one.kind.is_trouble else _NEWS,
                "timestamp": one.at.isoformat(),
            }
            for one in notices
        ],
    }


def plain_message(notices: Sequence[Notice]) -> tuple[str, str]:
    """Title and body for channels of plain text."""
    if len(notices) == 1:
        return notices[0].kind.value, notices[0].text
    return f"Sell monitor: {len(notices)} notices", "\n\n".join(
        f"{one.kind.value} ({one.at:%T} UTC)\n{one.text}" for one in notices
    )


class DiscordWebhook:
    """Posts to one webhook; whoever knows the address can post, so no error shows it."""

    name = "discord"

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self._url = url
        self._session = session

    async def send(self, notices: Sequence[Notice]) -> None:
        """Posts once, and once more when Discord asks to wait a little. Raises NotDelivered."""
        wait = await self._post(notices)
        if wait is None:
            return
        if wait > MAX_RETRY_SECONDS:
            raise NotDelivered(f"too many messages, {wait:g} s to wait")
        await asyncio.sleep(wait)
        if await self._post(notices) is not None:
            raise NotDelivered("too many messages")

    async def _post(self, notices: Sequence[Notice]) -> float | None:
        try:
            async with self._session.post(
                self._url, json=discord_message(notices), allow_redirects=False
            ) as answer:
                if answer.status == 429:
                    return _seconds(answer.headers.get("Retry-After", ""))
                if not answer.ok or answer.status >= 300:
                    raise NotDelivered(f"HTTP {answer.status}")
        except (aiohttp.ClientError, ValueError) as error:
            # Its text would name the address.
            raise NotDelivered(type(error).__name__) from None
        return None


class _Apprise(Protocol):
    """What is used of apprise.Apprise."""

    def add(self, servers: str) -> bool: ...

    async def async_notify(self, *, body: str, title: str) -> bool | None: ...


class AppriseChannel:
    """One address of https://github.com/caronc/apprise, sent by that library in threads of its own."""

    def __init__(self, name: str, sender: _Apprise) -> None:
        self.name = name
        self._sender = sender

    async def send(self, notices: Sequence[Notice]) -> None:
        """Sends once. Raises NotDelivered."""
        title, body = plain_message(notices)
        if not await self._sender.async_notify(body=body, title=title):
            raise NotDelivered("refused or unreachable")


def _apprise(number: int, url: SecretStr) -> AppriseChannel:
    key = f"notifications.urls.{number}"
    try:
        # An extra that few need; a service without such an address starts without it.
        library = importlib.import_module("apprise")
    except ImportError:
        raise StartupError(
            f"{key}: needs the package apprise: pip install 'opitios-alpaca[apprise]'"
        ) from None
    # The library has no types that hold with and without it.
    sender = cast("_Apprise", library.Apprise())
    if not sender.add(url.get_secret_value()):
        raise StartupError(f"{key}: apprise does not know this kind of address")
    return AppriseChannel(key, sender)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        return 1.0
    # Also catches what is no number at all.
    return seconds if seconds >= 0 else 1.0


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
