"""`notifications`: who is told what the sell monitor does, besides `discord.transaction_channel`."""

from typing import Annotated

from pydantic import Field

from runtime.settings import SecretStr, Section


class NotificationSettings(Section):
    """`notifications`: addresses as Apprise writes them, which hold passwords, so they are secrets."""

    urls: tuple[SecretStr, ...] = ()
    summary_hour: Annotated[int, Field(ge=0, le=23)] = 17
    """Hour of New York from which the day's summary is told."""
