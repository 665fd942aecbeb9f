import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from ipaddress import ip_network
from pathlib import Path

import pytest

from config.load import load_configuration
from config.schema import Configuration
from config.selling import AutoSell, CancelScope
from config.trading import AccountType, BalanceCheckMode
from runtime.address import Address
from runtime.redaction import redact
from runtime.settings import Section, SettingsError
from runtime.settings_section import fields_of

EXAMPLE = Path(__file__).parents[3] / "secrets.example.yml"
LONG_SECRET = "made-up-" * 8

LEGACY = """
database:
  url: mysql+pymysql://user:made-up-password@localhost:3306/opitios
alpaca:
  api_key: "your_api_key"
  secret_key: "your_secret_key"
  base_url: "https://paper-api.alpaca.markets"
  paper_trading: true
accounts:
  account_1:
    name: "Primary Account"
    api_key: "PK1"
    secret_key: "SK1"
    paper_trading: true
    region: "us"
    tier: "premium"
    max_connections: 5
    enabled: true
  account_2:
jwt:
  secret_key: "short-but-legacy"
  algorithm: "HS512"
  expiration_hours: 24
redis:
  host: localhost
  port: 6379
  db: 0
  password: null
app:
  name: "Opitios Alpaca"
  debug: false
  log_level: INFO
  allowed_origins: ["*"]
allowed_external_ips: ["203.0.113.7"]
trading:
  real_data_only: true
  enable_mock_data: false
  strict_error_handling: true
  max_option_symbols_per_request: 20
market:
  open_hour: 8
  open_minute: 50
  close_hour: 17
  close_minute: 0
  timezone: "US/Eastern"
  trading_days: [0, 1, 2, 3, 4]
rate_limit:
  default_limit: 120
  window_seconds: 60
discord:
  transaction_channel: "https://discord.test/api/webhooks/1/made-up-hook"
sell_module:
  enabled: true
  check_interval: 5
  order_cancel_minutes: 3
  zero_day_handling: true
  strategy_one:
    enabled: true
    profit_rate: 1.1
    stop_loss_rate: 0.8
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "secrets.yml"
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
    return path


def problems(folder: Path, text: str, environ: Mapping[str, str] | None = None) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load_configuration(write(folder, text), environ or {})
    return [str(one) for one in caught.value.problems]


def test_a_legacy_file_starts_unchanged(tmp_path: Path) -> None:
    configuration, warnings = load_configuration(write(tmp_path, LEGACY), {})

    assert configuration.trading.minimum_balance == 5000
    assert configuration.sell_module.enabled
    assert configuration.sell_module.strategy_one.profit_rate == Decimal("1.1")
    assert configuration.sell_module.position_time_limit.max_hold is None
    assert list(configuration.accounts) == ["account_1"]
    assert not configuration.console
    assert ip_network("203.0.113.7/32") in configuration.allowed_external_ips
    assert {one.path for one in warnings} == {"app.name", "jwt.secret_key", "auth.legacy_any_account"}


def test_an_empty_file_gives_the_defaults(tmp_path: Path) -> None:
    configuration, _ = load_configuration(write(tmp_path, ""), {})

    assert configuration == Configuration()
    assert configuration.trading.minimum_balance == Decimal(5000)
    assert configuration.trading.balance_check_mode is BalanceCheckMode.LITERAL
    assert configuration.sell_module.auto_sell is AutoSell.TRACKED
    assert configuration.sell_module.cancel_scope is CancelScope.OPTIONS
    assert str(configuration.services.gateway.listen) == "127.0.0.1:8090"
    assert configuration.services.order.dial == "127.0.0.1:50052"
    assert configuration.auth.trusted_proxies == (ip_network("127.0.0.1/32"),)


def test_the_example_loads_and_shows_every_default(tmp_path: Path) -> None:
    configuration, warnings = load_configuration(write(tmp_path, EXAMPLE.read_text(encoding="utf-8")), {})

    assert {one.path for one in warnings} == {"jwt.secret_key", "auth.legacy_any_account"}
    shown = configuration.model_copy(update={"accounts": {}})
    assert shown == Configuration().model_copy(update={"accounts": {}})


def keys_of(model: type[Section]) -> Iterator[str]:
    for name, field in fields_of(model).items():
        yield name
        inner = field.section or field.item_section
        if inner is not None:
            yield from keys_of(inner)


def test_the_example_shows_every_key_of_the_schema() -> None:
    text = EXAMPLE.read_text(encoding="utf-8")

    missing = [key for key in keys_of(Configuration) if not re.search(rf"\b{key}:", text)]

    assert missing == []


def test_every_problem_is_listed_at_once_with_its_key_path(tmp_path: Path) -> None:
    found = problems(
        tmp_path,
        """
trading: {minimum_balance: -5, minimum_balanc: 1, balance_check_mode: exact}
sell_module: {order_cancel_minutes: 0, strategy_one: {profit_rate: high}}
services: {order: {listen: "50052"}, ordr: {}}
accounts: {a: {api_key: k}}
servces: {}
""",
    )

    assert found == [
        "trading.minimum_balanc: unknown key; did you mean minimum_balance?",
        "services.ordr: unknown key; did you mean order?",
        "servces: unknown key; did you mean services?",
        "trading.minimum_balance: must be >= 0, got -5",
        "trading.balance_check_mode: must be literal or projected, got 'exact'",
        "accounts.a.secret_key: is required",
        "sell_module.order_cancel_minutes: must be > 0, got 0",
        "sell_module.strategy_one.profit_rate: must be a number, got 'high'",
        "services.order.listen: must be host:port, such as 127.0.0.1:8090, got '50052'",
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param(
            "trading: {minimum_balance: .nan}", "trading.minimum_balance: must be a", id="not a number"
        ),
        pytest.param("trading: {minimum_balance: .inf}", "trading.minimum_balance: must be a", id="infinite"),
        pytest.param("trading: 5", "trading: must be a section with keys, got 5", id="section is a value"),
        pytest.param(
            "accounts: [a]", "accounts: must be a section with keys, got a list", id="accounts are a list"
        ),
        pytest.param(
            "trading: {minimum_balance: NaN}", "trading.minimum_balance: must be a", id="written NaN"
        ),
        pytest.param(
            "trading: {minimum_balance: 1.0e+400}", "trading.minimum_balance: must be <=", id="absurd"
        ),
        pytest.param(
            "sell_module: {check_interval: 1.0e+400}", "sell_module.check_interval: must be", id="for ever"
        ),
        pytest.param(
            "sell_module: {check_interval: -1}", "sell_module.check_interval: must be > 0", id="interval"
        ),
        pytest.param(
            "sell_module: {strategy_one: {profit_rate: 0.9}}",
            "sell_module.strategy_one.profit_rate: must be >= 1, got 0.9",
            id="a profit below the entry price",
        ),
        pytest.param(
            "sell_module: {strategy_one: {profit_rate: 1, stop_loss_rate: 1}}",
            "sell_module.strategy_one: profit_rate must be above stop_loss_rate, got 1 and 1",
            id="no room between the two rates",
        ),
        pytest.param(
            "sell_module: {position_time_limit: {enabled: true}}",
            "sell_module.position_time_limit: needs max_hold_minutes when enabled",
            id="time limit without a limit",
        ),
        pytest.param(
            "auth: {internal_networks: [10.0.0.0/33]}", "auth.internal_networks.0: must be", id="network"
        ),
        pytest.param("alpaca: {trading_url: ftp://x}", "alpaca.trading_url: must begin with http", id="url"),
        pytest.param("storage: {url: mysql://h/d}", "storage.url: ", id="storage url"),
        pytest.param("logging: {level: LOUD}", "logging.level: must be DEBUG, INFO", id="level"),
        pytest.param(
            "accounts: {a: {api_key: k, secret_key: s, account_type: cash}}",
            "accounts.a.account_type: must",
            id="type",
        ),
        pytest.param(
            "trading: {max_orders_per_minute: 1.5}",
            "trading.max_orders_per_minute: must be a whole number, got 1.5",
            id="half a count",
        ),
    ],
)
def test_a_bad_value_names_its_key_and_the_remedy(tmp_path: Path, text: str, problem: str) -> None:
    found = problems(tmp_path, text)

    assert len(found) == 1
    assert found[0].startswith(problem)


def test_a_key_unknown_in_a_legacy_section_is_a_warning(tmp_path: Path) -> None:
    _, warnings = load_configuration(write(tmp_path, "redis: {hots: x}\nmonitoring: {a: 1}\n"), {})

    texts = [str(one) for one in warnings]
    assert "redis.hots: unknown key, ignored; did you mean host?" in texts
    assert "monitoring: unknown key, ignored" in texts


def test_money_is_exact(tmp_path: Path) -> None:
    configuration, _ = load_configuration(write(tmp_path, "trading: {minimum_balance: 5000.10}"), {})

    assert str(configuration.trading.minimum_balance) == "5000.10"


def test_variables_win_over_the_file(tmp_path: Path) -> None:
    environ = {
        "OPITIOS_CONFIG": "elsewhere.yml",
        "OPITIOS_TRADING__MINIMUM_BALANCE": "0.1",
        "OPITIOS_ACCOUNTS__PAPER_1__ACCOUNT_TYPE": "live",
        "OPITIOS_ACCOUNTS__PAPER_1__API_KEY": "0123: [",
        "OPITIOS_SELL_MODULE__STRATEGY_ONE__PROFIT_RATE": "1.25",
        "OPITIOS_SERVICES__ORDER__LISTEN": "[::1]:0",
        "OPITIOS_ALLOWED_EXTERNAL_IPS": "[198.51.100.1]",
        "OTHER": "x",
    }
    path = write(tmp_path, "accounts: {Paper_1: {api_key: a, secret_key: b}}")

    configuration, _ = load_configuration(path, environ)

    assert configuration.trading.minimum_balance == Decimal("0.1")
    assert configuration.accounts["Paper_1"].account_type is AccountType.LIVE
    assert configuration.accounts["Paper_1"].api_key.get_secret_value() == "0123: ["
    assert configuration.sell_module.strategy_one.profit_rate == Decimal("1.25")
    assert configuration.services.order.listen == Address(host="::1", port=0)
    assert configuration.allowed_external_ips == (ip_network("198.51.100.1"),)


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("OPITIOS_TRADNG__X", "1", "OPITIOS_TRADNG__X: unknown key; did you mean trading?"),
        (
            "OPITIOS_TRADING__MINIMUM_BALANC",
            "1",
            "OPITIOS_TRADING__MINIMUM_BALANC: unknown key; did you mean minimum_balance?",
        ),
        ("OPITIOS_TRADING", "1", "OPITIOS_TRADING: names a section; add __ and a key"),
        ("OPITIOS_ACCOUNTS__A", "{}", "OPITIOS_ACCOUNTS__A: names a section; add __ and a key"),
        (
            "OPITIOS_TRADING__EXITS_EXEMPT__X",
            "1",
            "OPITIOS_TRADING__EXITS_EXEMPT__X: goes deeper than any key",
        ),
        ("OPITIOS_REDIS__HOTS", "1", "OPITIOS_REDIS__HOTS: unknown key; did you mean host?"),
        (
            "OPITIOS_TRADING__MINIMUM_BALANCE",
            "[1",
            "trading.minimum_balance: must be a number, got '[1' (from OPITIOS_TRADING__MINIMUM_BALANCE)",
        ),
        (
            "OPITIOS_TRADING__MINIMUM_BALANCE",
            "-1",
            "trading.minimum_balance: must be >= 0, got -1 (from OPITIOS_TRADING__MINIMUM_BALANCE)",
        ),
    ],
)
def test_a_variable_that_fits_nothing_is_a_problem(
    tmp_path: Path, name: str, value: str, problem: str
) -> None:
    assert problems(tmp_path, "", {name: value}) == [problem]


def test_no_problem_shows_a_secret(tmp_path: Path) -> None:
    secret = "sesame-made-up"
    found = problems(
        tmp_path,
        f"""
accounts: {{a: {{api_key: [{secret}], secret_key: {{x: {secret}}}}}}}
jwt: {{secret_key: [{secret}]}}
database: {{url: [{secret}]}}
storage: {{url: "{secret}://x"}}
discord: {{transaction_channel: [{secret}]}}
""",
        {"OPITIOS_REDIS__PASSWORD": "", "OPITIOS_ALPACA__API_KEY": secret},
    )

    assert len(found) >= 5
    assert secret not in "\n".join(found)


def test_broken_yaml_is_located_without_quoting_the_line(tmp_path: Path) -> None:
    found = problems(tmp_path, "jwt:\n  secret_key: sesame: open: sesame\n")

    assert len(found) == 1
    assert "line 2" in found[0]
    assert "sesame" not in found[0]


def test_a_key_given_twice_is_a_problem(tmp_path: Path) -> None:
    assert (
        "line 3: minimum_balance is given twice"
        in problems(tmp_path, "trading:\n  minimum_balance: 1\n  minimum_balance: 2\n")[0]
    )


def test_an_empty_value_is_a_warning_and_its_default_holds(tmp_path: Path) -> None:
    configuration, warnings = load_configuration(
        write(tmp_path, "trading: {minimum_balance: }\nsell_module:\n"), {}
    )

    assert configuration.trading.minimum_balance == 5000
    assert "trading.minimum_balance: is empty, so its default is used" in map(str, warnings)


def test_a_missing_file_names_the_ways_to_give_one(tmp_path: Path) -> None:
    with pytest.raises(
        SettingsError, match=r"no such file; give one by --config PATH, by OPITIOS_CONFIG=PATH"
    ):
        load_configuration(tmp_path / "none.yml", {})


def test_a_file_open_to_others_is_a_warning(tmp_path: Path) -> None:
    path = write(tmp_path, "")
    path.chmod(0o644)

    _, warnings = load_configuration(path, {})

    assert any("is open to others (mode 0644); run: chmod 600" in str(one) for one in warnings)


def test_secrets_are_hidden_in_the_configuration_and_from_the_log(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        f"""
accounts: {{a: {{api_key: made-up-key-1, secret_key: made-up-secret-1}}}}
jwt: {{secret_key: {LONG_SECRET}}}
database: {{url: "mysql+pymysql://user:made-up-password-1@h/d"}}
discord: {{transaction_channel: "https://made-up.test/hook"}}
""",
    )

    configuration, _ = load_configuration(path, {})

    secrets = (
        "made-up-key-1",
        "made-up-secret-1",
        LONG_SECRET,
        "made-up-password-1",
        "https://made-up.test/hook",
    )
    for secret in secrets:
        assert secret not in repr(configuration)
        assert redact(f"<{secret}>") == "<***>"


@pytest.mark.parametrize(
    ("text", "path"),
    [
        pytest.param("", "jwt.secret_key", id="no token key"),
        pytest.param("jwt: {secret_key: short-made-up}", "jwt.secret_key", id="short key"),
        pytest.param(
            "services: {gateway: {listen: 0.0.0.0:8090}}", "auth.internal_networks", id="open gateway"
        ),
        pytest.param("", "auth.legacy_any_account", id="any account"),
        pytest.param(
            "services: {order: {listen: 10.0.0.1:1}}", "services.tls", id="plain text between machines"
        ),
        pytest.param(
            "database: {url: 'mysql+pymysql://u:p@db.internal/x'}", "database.url", id="plain text to MySQL"
        ),
        pytest.param(
            "storage: {url: 'postgresql://u:p@10.0.0.9/x?sslmode=prefer'}",
            "storage.url",
            id="plain text to PostgreSQL",
        ),
    ],
)
def test_what_is_allowed_but_risky_is_a_warning(tmp_path: Path, text: str, path: str) -> None:
    _, warnings = load_configuration(write(tmp_path, text), {})

    assert path in {one.path for one in warnings}


def test_a_careful_file_has_no_warning(tmp_path: Path) -> None:
    text = f"jwt: {{secret_key: {LONG_SECRET}}}\nauth: {{legacy_any_account: false}}\n"

    assert load_configuration(write(tmp_path, text), {})[1] == ()


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("database: {url: 'mysql+pymysql://u:p@localhost/x'}", id="this machine by name"),
        pytest.param("database: {url: 'mysql+pymysql://u:p@127.0.0.1/x'}", id="this machine by address"),
        pytest.param("database: {url: 'mysql+pymysql://u:p@db/x?ssl_ca=ca.pem'}", id="MySQL with TLS"),
        pytest.param("storage: {url: 'postgresql://u:p@db/x?sslmode=verify-full'}", id="PostgreSQL with TLS"),
        pytest.param("storage: {url: 'postgresql:///x?host=/run/postgresql'}", id="a local socket"),
        pytest.param("database: {url: nonsense}", id="no url"),
    ],
)
def test_a_database_that_nobody_can_overhear_has_no_warning(tmp_path: Path, text: str) -> None:
    _, warnings = load_configuration(write(tmp_path, text), {})

    assert not {"storage.url", "database.url"} & {one.path for one in warnings}


def test_services_dial_loopback_where_they_listen_on_every_address(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "services: {order: {listen: 0.0.0.0:1}, sell: {listen: '[::]:2'}, account: {listen: 10.0.0.1:3, target: 'dns:///a:3'}}",
    )

    services = load_configuration(path, {})[0].services

    assert (services.order.dial, services.sell.dial, services.account.dial) == (
        "127.0.0.1:1",
        "127.0.0.1:2",
        "dns:///a:3",
    )


def test_the_configuration_cannot_be_changed() -> None:
    configuration = Configuration()

    with pytest.raises(ValueError, match="frozen"):
        configuration.trading.minimum_balance = Decimal(0)
