"""Reads a scenario from YAML, every problem found at once and named with its path."""

from dataclasses import replace
from datetime import date, time, timedelta
from decimal import Decimal
from pathlib import Path
from uuid import NAMESPACE_URL, UUID, uuid5

import yaml

from sandbox.accounts import AccountTerms
from sandbox.archive import DEFAULT_KEEP_ORDERS, DEFAULT_KEEP_REQUESTS
from sandbox.floor import Latencies
from sandbox.instant import MILLISECOND, SECOND, Instant, in_new_york, new_york_date, parse
from sandbox.instruments import Instrument, OptionContract, Stock, asset_id_of, plain_instrument
from sandbox.option_symbol import OptionSymbol, OptionType, find_option_symbol
from sandbox.quotes import QuoteChange
from sandbox.reading import Problems, Section
from sandbox.scenario import Listing, Present, Scenario, ScenarioError, StartingAccount, StartingPosition
from sandbox.sessions import SessionCalendar

DEFAULT_SCENARIO = Path(__file__).with_name("default_scenario.yml")

_ZERO = Decimal(0)
_SESSION_HOUR = time(10)
_DEFAULT_PER_MINUTE = 200
# Stands in for a contract whose symbol is wrong, so that reading goes on to the next problem.
_PLACEHOLDER = OptionContract(
    symbol="", asset_id="", root_symbol="", underlying_symbol="-", expiration_date=date.max,
    option_type=OptionType.CALL, strike_price=Decimal(1),
)  # fmt: skip
_STATUSES = (
    "ACTIVE", "INACTIVE", "ONBOARDING", "SUBMISSION_FAILED", "SUBMITTED", "ACCOUNT_UPDATED", "APPROVAL_PENDING",
    "REJECTED", "ACCOUNT_CLOSED", "APPROVED", "ACTION_REQUIRED", "LIMITED", "PAPER_ONLY", "ACCOUNT_CLOSED_PENDING",
)  # fmt: skip


def load_scenario(path: Path, present: Present) -> Scenario:
    """The scenario of a YAML file.

    Raises:
        ScenarioError: the file cannot be read, is no YAML, or holds values that cannot be used.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ScenarioError([f"{path}: cannot be read: {error}"]) from error
    try:
        tree = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ScenarioError([f"{path}: is no YAML: {error}"]) from error
    return read_scenario(tree, present)


def read_scenario(tree: object, present: Present) -> Scenario:
    """The scenario of a decoded YAML or JSON document.

    Raises:
        ScenarioError: with every problem found.
    """
    problems = Problems()
    root = Section(tree, "", problems)
    starts_at, speed = _read_clock(root, present)
    today = new_york_date(starts_at)
    trading, data = _read_limits(root)
    answer_s, latencies = _read_latencies(root)
    keep_orders, keep_requests = _read_ledger(root)
    at_start = Present(now=starts_at, calendar=present.calendar)
    listings = (*_read_quotes(root, starts_at), *_read_options(root, at_start))
    accounts = tuple(_read_accounts(root, today, present.calendar))
    scenario = Scenario(
        starts_at=starts_at,
        speed=speed,
        trading_per_minute=trading,
        data_per_minute=data,
        answer_latency_s=answer_s,
        latencies=latencies,
        auto_match=root.choice("matching", ("auto", "manual"), "auto") == "auto",
        keep_orders=keep_orders,
        keep_requests=keep_requests,
        accounts=accounts,
        listings=listings,
    )
    root.finish()
    if problems.found:
        raise ScenarioError(problems.found)
    return scenario


def read_account(section: Section, today: date, calendar: SessionCalendar) -> StartingAccount:
    """One account; `name`, `key`, `secret` and `account_number` are required."""
    name = section.text("name")
    multiplier = section.find_whole("multiplier", least=1)
    if multiplier not in (None, 1, 2, 4):
        section.problems.note(section.at("multiplier"), f"must be 1, 2 or 4, got {multiplier}")
    level = section.find_whole("options_level")
    if level is not None and level > 3:
        section.problems.note(section.at("options_level"), f"must be 0 to 3, got {level}")
    account = StartingAccount(
        terms=AccountTerms(
            name=name,
            account_id=_read_uuid(section, "id", uuid5(NAMESPACE_URL, f"sandbox:account:{name}")),
            key=section.text("key"),
            secret=section.text("secret"),
            account_number=section.text("account_number"),
            status=section.choice("status", _STATUSES, "ACTIVE"),
            multiplier=2 if multiplier is None else multiplier,
            options_level=3 if level is None else level,
            shorting_enabled=section.flag("shorting_enabled", default=True),
            trading_blocked=section.flag("trading_blocked", default=False),
            transfers_blocked=section.flag("transfers_blocked", default=False),
            account_blocked=section.flag("account_blocked", default=False),
            trade_suspended_by_user=section.flag("trade_suspended_by_user", default=False),
        ),
        cash=section.number("cash", _ZERO),
        positions=tuple(_read_position(each, today, calendar) for each in section.sections("positions")),
    )
    section.finish()
    return account


def read_quote_change(section: Section, now: Instant) -> QuoteChange:
    """The parts of a quote that are given; `age_seconds` makes it one that has been silent for so long."""
    age = section.find_number("age_seconds", least=_ZERO)
    return QuoteChange(
        silent_since=None if age is None else Instant(now - int(age * SECOND)),
        bid=section.find_number("bid", least=_ZERO),
        ask=section.find_number("ask", least=_ZERO),
        last=section.find_number("last", least=_ZERO),
        bid_size=section.find_whole("bid_size"),
        ask_size=section.find_whole("ask_size"),
        prev_close=section.find_number("prev_close", least=_ZERO),
    )


def session_start(present: Present) -> Instant:
    """10:00 in New York on the latest trading day, when the market is surely open."""
    from_day = present.calendar.last_on_or_before(new_york_date(present.now)).day
    return in_new_york(from_day, _SESSION_HOUR)


def _read_clock(root: Section, present: Present) -> tuple[Instant, float]:
    section = root.section("clock")
    speed = section.number("speed", Decimal(1), least=_ZERO)
    frozen = section.flag("frozen", default=False)
    starts_at = read_moment(section, "at", "session", present)
    section.finish()
    return starts_at, 0.0 if frozen else float(speed)


def read_moment(section: Section, key: str, default: str, present: Present) -> Instant:
    """A point in time: `session`, `real`, or ISO 8601 (no offset means UTC)."""
    value = section.raw(key)
    text = default if value is None else str(value)
    if text == "session":
        return session_start(present)
    if text == "real":
        return present.now
    try:
        at = parse(text)
    except ValueError:
        section.problems.note(section.at(key), f"must be session, real or an ISO 8601 time, got {text!r}")
        return present.now
    if not present.calendar.covers(at):
        section.problems.note(section.at(key), f"lies outside the calendar, got {text!r}")
        return present.now
    return at


def _read_limits(root: Section) -> tuple[int | None, int | None]:
    value = root.raw("rate_limit")
    if not isinstance(value, dict):
        limit = root.find_whole("rate_limit", least=1) if value is not None else None
        if not root.has("rate_limit"):
            limit = _DEFAULT_PER_MINUTE
        return limit, limit
    section = root.section("rate_limit")
    limits = [
        section.find_whole(key, least=1) if section.has(key) else _DEFAULT_PER_MINUTE
        for key in ("trading", "data")
    ]
    section.finish()
    return limits[0], limits[1]


def _read_ledger(root: Section) -> tuple[int, int]:
    section = root.section("ledger")
    orders, requests = section.find_whole("keep_orders"), section.find_whole("keep_requests")
    section.finish()
    return (
        DEFAULT_KEEP_ORDERS if orders is None else orders,
        DEFAULT_KEEP_REQUESTS if requests is None else requests,
    )


def _read_latencies(root: Section) -> tuple[float, Latencies]:
    value = root.raw("latency_ms")
    if not isinstance(value, dict):
        return float(root.number("latency_ms", _ZERO, least=_ZERO)) / 1000, Latencies()
    section = root.section("latency_ms")
    answer, fill, cancel = (section.number(key, _ZERO, least=_ZERO) for key in ("answer", "fill", "cancel"))
    section.finish()
    return float(answer) / 1000, Latencies(
        fill_ns=int(fill * MILLISECOND), cancel_ns=int(cancel * MILLISECOND)
    )


def _read_quotes(root: Section, now: Instant) -> list[Listing]:
    quotes = root.section("quotes")
    return [_read_listing(quotes.section(symbol), symbol, now) for symbol in quotes.names()]


def _read_listing(section: Section, symbol: str, now: Instant) -> Listing:
    if find_option_symbol(symbol) is not None:
        instrument: Instrument = _contract_of(symbol, section)
    else:
        instrument = Stock(
            symbol=symbol,
            asset_id=asset_id_of(symbol),
            name=section.text("name", f"{symbol} Common Stock"),
            exchange=section.text("exchange", "NASDAQ"),
            tradable=section.flag("tradable", default=True),
            shortable=section.flag("shortable", default=True),
            fractionable=section.flag("fractionable", default=True),
        )
    listing = Listing(instrument=instrument, quote=read_quote_change(section, now))
    section.finish()
    return listing


def _read_options(root: Section, start: Present) -> list[Listing]:
    today, listings = new_york_date(start.now), []
    for section in root.sections("options"):
        contract = _contract_of(_read_option_symbol(section, today, start.calendar), section)
        listings.append(Listing(instrument=contract, quote=read_quote_change(section, start.now)))
        section.finish()
    return listings


def _contract_of(symbol: str, section: Section) -> OptionContract:
    """The contract of a symbol; an adjusted one names its underlying, multiplier and size."""
    contract = plain_instrument(symbol)
    if not isinstance(contract, OptionContract):
        section.problems.note(section.at("symbol"), f"must be an option symbol, got {symbol!r}")
        contract = _PLACEHOLDER
    return replace(
        contract,
        underlying_symbol=section.text("underlying", contract.underlying_symbol),
        multiplier=section.number("multiplier", contract.multiplier, least=Decimal(1)),
        size=section.number("size", contract.size, least=Decimal(1)),
        tradable=section.flag("tradable", default=True),
    )


def _read_option_symbol(section: Section, today: date, calendar: SessionCalendar) -> str:
    """A symbol given as it is, or by its parts with an expiry relative to the exchange's date."""
    if section.has("symbol"):
        return section.text("symbol")
    underlying = section.text("underlying")
    kind = section.choice("type", ("call", "put"), "call")
    strike = section.number("strike", least=Decimal("0.001"))
    days = section.find_whole("expires_in_days")
    if days is None and not section.has("expires_in_days"):
        section.problems.note(section.at("expires_in_days"), "is required where symbol is absent")
    return str(
        OptionSymbol(
            root=section.text("root", underlying),
            expiration_date=calendar.first_on_or_after(today + timedelta(days=days or 0)).day,
            option_type=OptionType.PUT if kind == "put" else OptionType.CALL,
            strike_price=strike,
        )
    )


def _read_accounts(root: Section, today: date, calendar: SessionCalendar) -> list[StartingAccount]:
    accounts = [read_account(section, today, calendar) for section in root.sections("accounts")]
    for what in ("name", "key", "account_id"):
        seen: set[str] = set()
        for account in accounts:
            value = str(getattr(account.terms, what))
            if value in seen and value:
                root.problems.note("accounts", f"two accounts have the {what} {value!r}")
            seen.add(value)
    return accounts


def _read_uuid(section: Section, key: str, default: UUID) -> str:
    text = section.text(key, str(default))
    try:
        return str(UUID(text))
    except ValueError:
        section.problems.note(section.at(key), f"must be a UUID, got {text!r}")
        return text


def _read_position(section: Section, today: date, calendar: SessionCalendar) -> StartingPosition:
    option = section.section("option")
    symbol = _read_option_symbol(option, today, calendar) if section.has("option") else section.text("symbol")
    option.finish()
    qty = section.number("qty")
    if not qty:
        section.problems.note(section.at("qty"), "must not be 0")
    position = StartingPosition(
        symbol=symbol, qty=qty, avg_entry_price=section.number("avg_entry_price", least=_ZERO)
    )
    section.finish()
    return position
