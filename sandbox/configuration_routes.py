"""What the owner of an account may set: GET and PATCH /v2/account/configurations."""

from collections.abc import Mapping

from sandbox.accounts import Configuration
from sandbox.calls import Call, Reply
from sandbox.errors import bad_field

_FLAGS = (
    "suspend_trade", "no_shorting", "fractional_trading", "ptp_no_exception_entry", "disable_overnight_trading",
)  # fmt: skip
_MULTIPLIERS = ("1", "2", "4")
_EMAILS = ("all", "none")
_LEVELS = 4


def get_configuration(call: Call) -> Reply:
    """GET /v2/account/configurations."""
    return Reply(body=_shown(call))


def set_configuration(call: Call) -> Reply:
    """PATCH /v2/account/configurations: what is given changes, all of it or nothing."""
    body = call.json_object()
    changes = {name: value for name, value in body.items() if value is not None}
    flags = {name: _flag(changes, name) for name in _FLAGS if name in changes}
    multiplier = _word(changes, "max_margin_multiplier", _MULTIPLIERS)
    email = _word(changes, "trade_confirm_email", _EMAILS)
    level = changes.get("max_options_trading_level")
    if level is not None and (
        not isinstance(level, int) or isinstance(level, bool) or not 0 <= level < _LEVELS
    ):
        raise bad_field("max_options_trading_level must be 0 to 3")
    configuration = call.account.configuration
    for name, value in flags.items():
        setattr(configuration, name, value)
    configuration.max_margin_multiplier = multiplier or configuration.max_margin_multiplier
    configuration.trade_confirm_email = email or configuration.trade_confirm_email
    if isinstance(level, int):
        configuration.max_options_trading_level = level
    return Reply(body=_shown(call))


def _shown(call: Call) -> dict[str, object]:
    configuration: Configuration = call.account.configuration
    level = configuration.max_options_trading_level
    return {
        **{name: getattr(configuration, name) for name in _FLAGS},
        "max_margin_multiplier": configuration.max_margin_multiplier,
        "trade_confirm_email": configuration.trade_confirm_email,
        "max_options_trading_level": call.account.terms.options_level if level is None else level,
    }


def _flag(changes: Mapping[str, object], name: str) -> bool:
    value = changes[name]
    if not isinstance(value, bool):
        raise bad_field(f"{name} must be a boolean")
    return value


def _word(changes: Mapping[str, object], name: str, words: tuple[str, ...]) -> str | None:
    value = changes.get(name)
    if value is not None and value not in words:
        raise bad_field(f"{name} must be one of {', '.join(words)}")
    return None if value is None else str(value)
