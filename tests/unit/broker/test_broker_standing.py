from datetime import UTC, datetime
from decimal import Decimal

import pytest
from pydantic import SecretStr

from broker.account_type import AccountType, VerdictSource
from broker.credentials import AccountCredentials
from broker.faults import BrokerUnreachable, CredentialsRefused
from broker.report_parsing import account_reading
from broker.reports import AccountReading
from broker.standing import (
    AccountDisabled,
    AccountUnverified,
    StandingProblem,
    judge_failure,
    judge_reading,
    not_yet_read,
)

NOW = datetime(2026, 11, 24, 15, 0, tzinfo=UTC)


def credentials(*, paper_trading: bool = True, account_type: AccountType | None = None) -> AccountCredentials:
    return AccountCredentials(
        account_id="main",
        name="Main",
        api_key=SecretStr("PKSEEDEDKEY"),
        secret_key=SecretStr("seeded-secret"),
        paper_trading=paper_trading,
        account_type=account_type,
    )


def reading(number: str | None) -> AccountReading:
    raw = {
        "account_number": number,
        "status": "ACTIVE",
        "cash": "1",
        "buying_power": "1",
        "equity": "1",
        "trading_blocked": False,
        "account_blocked": False,
    }
    return account_reading(raw, requested_at=NOW, requested_monotonic=0.0)


def test_an_account_may_not_trade_before_it_was_read() -> None:
    standing = not_yet_read(credentials(), NOW)

    assert (standing.tradable, standing.account_type) == (False, None)
    with pytest.raises(AccountUnverified):
        standing.check_tradable()


def test_a_reading_that_fits_makes_the_account_tradable() -> None:
    standing = judge_reading(credentials(), reading("PA1"), NOW)

    assert standing.check_tradable() is standing
    assert (standing.account_number, standing.account_type) == ("PA1", AccountType.PAPER)
    assert standing.source is VerdictSource.DETECTED


def test_a_contradiction_disables_the_account_and_names_the_key() -> None:
    standing = judge_reading(credentials(), reading("900001"), NOW)

    assert standing.account_type is AccountType.LIVE
    with pytest.raises(AccountDisabled, match=r"accounts\.main\.paper_trading") as refused:
        standing.check_tradable()
    assert refused.value.metadata == {"account_id": "main", "problem": "type_contradiction"}


def test_an_override_makes_a_misleading_number_tradable() -> None:
    standing = judge_reading(credentials(account_type=AccountType.PAPER), reading("900001"), NOW)

    assert standing.tradable
    assert standing.source is VerdictSource.OVERRIDDEN


def test_an_account_without_a_number_may_trade_only_with_an_override() -> None:
    unknown = judge_reading(credentials(), reading(None), NOW)
    overridden = judge_reading(credentials(account_type=AccountType.PAPER), reading(None), NOW)

    assert unknown.problem is StandingProblem.NO_ACCOUNT_NUMBER
    assert overridden.tradable


def test_refused_keys_disable_and_an_unreachable_broker_only_delays() -> None:
    refused = judge_failure(credentials(), CredentialsRefused("Alpaca refuses the account's keys"), NOW)
    unreachable = judge_failure(credentials(), BrokerUnreachable("Alpaca did not answer"), NOW)

    with pytest.raises(AccountDisabled, match=r"accounts\.main\.api_key"):
        refused.check_tradable()
    with pytest.raises(AccountUnverified, match="did not answer"):
        unreachable.check_tradable()


def test_keys_do_not_show() -> None:
    shown = f"{credentials()!r} {not_yet_read(credentials(), NOW)!r}"

    assert "PKSEEDEDKEY" not in shown
    assert "seeded-secret" not in shown
    assert reading("PA1").cash == Decimal(1)
