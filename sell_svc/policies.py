"""Which policy holds where: the configuration, and what was changed at run time, which survives a restart."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType
from typing import Final, Protocol

from loguru import logger
from pydantic import ValidationError

from config.selling import PolicyOverrideSettings, SellModuleSettings
from runtime.clock import Clock
from runtime.errors import FieldViolation, MalformedRequest, NotFound, StartupError
from sell_svc.observation import AccountId
from sell_svc.policy import Policy

NOTHING: Final = PolicyOverrideSettings()
MAX_STORED: Final = 10_000
"""Scopes changed at run time; each costs memory in every account it reaches (I14)."""


class AccountNotFound(NotFound):
    """Nobody watches this account; nothing was changed."""

    reason = "ACCOUNT_NOT_FOUND"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Whom an override is for; empty text means everyone, or every underlying."""

    account_id: AccountId = AccountId("")  # noqa: RUF009 - immutable
    underlying: str = ""


class PolicyStore(Protocol):
    """What was changed at run time; survives the process."""

    async def read(self) -> Mapping[Scope, PolicyOverrideSettings]:
        """Every override. Raises StoreUnreachable, StartupError for one that makes no sense."""
        ...

    async def save(self, scope: Scope, override: PolicyOverrideSettings, at: datetime) -> None:
        """Durable when it returns; an empty override removes the scope's. Raises StoreUnreachable."""
        ...


class PolicyBook:
    """Every policy at one moment; a change makes a new book.

    From the widest to the narrowest: everyone, an underlying, an account, an underlying of an account.
    The narrower wins field by field, and within a scope what was changed at run time.
    Raises ValueError where a combination makes no sense.
    """

    def __init__(
        self, settings: SellModuleSettings, stored: Mapping[Scope, PolicyOverrideSettings] | None = None
    ) -> None:
        self.stored: Final = MappingProxyType(dict(stored or {}))
        """What was changed at run time."""
        self._settings = settings
        self._policies: dict[AccountId, Policy] = {}
        # Nobody's account stands for those that nothing names.
        for account_id in {
            AccountId(""),
            *settings.account_policies,
            *(one.account_id for one in self.stored),
        }:
            self.of(AccountId(account_id))

    @property
    def settings(self) -> SellModuleSettings:
        """What holds for everyone."""
        return _merged(self._settings, [self._at(Scope())])

    def of(self, account_id: AccountId) -> Policy:
        """The policy of an account, with those of its underlyings inside."""
        known = self._policies.get(account_id)
        if known is None:
            known = self._policies[account_id] = self._compute(account_id)
        return known

    def changed(self, scope: Scope, override: PolicyOverrideSettings) -> "PolicyBook":
        """The book with one scope changed; an empty override takes the change back."""
        rest = {one: what for one, what in self.stored.items() if one != scope}
        return PolicyBook(self._settings, rest if override == NOTHING else {**rest, scope: override})

    def _compute(self, account_id: AccountId) -> Policy:
        named = {
            *self._settings.underlying_policies,
            *(one.underlying for one in self.stored if one.underlying and one.account_id in {"", account_id}),
        }
        return replace(
            self._policy(account_id, ""),
            by_underlying=MappingProxyType({one: self._policy(account_id, one) for one in sorted(named)}),
        )

    def _policy(self, account_id: AccountId, underlying: str) -> Policy:
        return Policy.from_settings(_merged(self._settings, self._layers(account_id, underlying)))

    def _layers(self, account_id: AccountId, underlying: str) -> Iterator[PolicyOverrideSettings]:
        yield self._at(Scope())
        if underlying:
            yield self._settings.underlying_policies.get(underlying, NOTHING)
            yield self._at(Scope(underlying=underlying))
        if account_id:
            yield self._settings.account_policies.get(account_id, NOTHING)
            yield self._at(Scope(account_id=account_id))
        if account_id and underlying:
            yield self._at(Scope(account_id=account_id, underlying=underlying))

    def _at(self, scope: Scope) -> PolicyOverrideSettings:
        return self.stored.get(scope, NOTHING)


class Policies:
    """The book in force; changes are durable before they hold, one at a time."""

    def __init__(
        self,
        settings: SellModuleSettings,
        *,
        store: PolicyStore,
        list_accounts: Callable[[], Awaitable[Collection[AccountId]]],
        clock: Clock,
    ) -> None:
        """Holds what the configuration says until `load`. Raises StartupError where that makes no sense."""
        self._settings = settings
        self._store = store
        self._list_accounts = list_accounts
        self._clock = clock
        self._lock = asyncio.Lock()
        self.book = _open(settings, {})
        """The book in force; a tick reads it once."""

    async def load(self) -> None:
        """Takes in what was changed before. Raises StoreUnreachable, StartupError."""
        self.book = _open(self._settings, await self._store.read())

    def of(self, account_id: AccountId) -> Policy:
        """The policy in force for an account, with those of its underlyings inside."""
        return self.book.of(account_id)

    async def set(self, scope: Scope, override: PolicyOverrideSettings) -> bool:
        """Holds from the next tick on and after a restart; says whether that changed anything. Safe to repeat.

        Raises MalformedRequest where it makes no sense together with what it narrows or is narrowed by;
        nothing was changed then. Raises AccountNotFound, StoreUnreachable.
        """
        if scope.account_id and override != NOTHING:
            await self._require(scope.account_id)
        async with self._lock:
            before = self.book.stored.get(scope, NOTHING)
            book = self._judged(scope, override)
            if before != override:
                await self._store.save(scope, override, self._clock.now())
                logger.info(f"Sell policy of {_name(scope)}: {override.model_dump_json(exclude_none=True)}")
            self.book = book
            return before != override

    async def _require(self, account_id: AccountId) -> None:
        # A stop loss set for a misspelt account would protect nobody.
        if account_id not in await self._list_accounts():
            raise AccountNotFound(f"no enabled account has the id {account_id!r}")

    def _judged(self, scope: Scope, override: PolicyOverrideSettings) -> PolicyBook:
        if scope.underlying and override.order_cancel_minutes is not None:
            raise _malformed("override.order_cancel_minutes", "is for accounts, not for an underlying")
        try:
            book = self.book.changed(scope, override)
        except ValueError as error:
            raise _malformed("override", _first_problem(error)) from error
        if len(book.stored) > MAX_STORED:
            raise _malformed("override", f"{MAX_STORED} scopes are changed already; take some back")
        return book


def _open(settings: SellModuleSettings, stored: Mapping[Scope, PolicyOverrideSettings]) -> PolicyBook:
    try:
        return PolicyBook(settings, stored)
    except ValueError as error:
        raise StartupError(
            f"sell_module and its policies do not fit together: {_first_problem(error)}"
        ) from error


def _merged(settings: SellModuleSettings, overrides: Iterable[PolicyOverrideSettings]) -> SellModuleSettings:
    values = settings.model_dump(exclude={"account_policies", "underlying_policies"})
    for override in overrides:
        _apply(values, override.model_dump(exclude_none=True))
    return SellModuleSettings.model_validate(values)


def _apply(values: dict[str, object], changes: dict[str, object]) -> None:
    strategy = values["strategy_one"]
    # A dump of a section is a mapping of its fields.
    assert isinstance(strategy, dict)  # noqa: S101 - tells the type, never fails
    for field, key in (("strategy_enabled", "enabled"), ("profit_rate",) * 2, ("stop_loss_rate",) * 2):
        if field in changes:
            strategy[key] = changes.pop(field)
    if "max_hold_minutes" in changes:
        minutes = changes.pop("max_hold_minutes")
        values["position_time_limit"] = {"enabled": bool(minutes), "max_hold_minutes": minutes or None}
    values.update(changes)


def _name(scope: Scope) -> str:
    return f"account {scope.account_id or 'any'}, underlying {scope.underlying or 'any'}"


def _malformed(field: str, problem: str) -> MalformedRequest:
    return MalformedRequest([FieldViolation(field=field, description=problem)])


def _first_problem(error: ValueError) -> str:
    if isinstance(error, ValidationError):
        return error.errors(include_url=False)[0]["msg"].removeprefix("Value error, ")
    return str(error)
