"""The accounts of both sources together."""

import pytest
from pydantic import SecretStr

from broker.credentials import AccountCredentials
from broker.legacy_database.accounts import LegacyAccount, LegacyAccounts, RefusedAccount, merge


def credentials(account_id: str, key: str = "key") -> AccountCredentials:
    return AccountCredentials(
        account_id=account_id,
        name=account_id,
        api_key=SecretStr(key),
        secret_key=SecretStr("secret"),
        paper_trading=True,
    )


def legacy(*names: str) -> LegacyAccounts:
    accounts = tuple(LegacyAccount(credentials=credentials(name, "table"), user_uuid=name) for name in names)
    return LegacyAccounts(accounts=accounts, refused=())


def test_accounts_of_both_sources_are_used() -> None:
    sources = merge([credentials("file")], legacy("alice", "bob"))

    assert [one.account_id for one in sources.accounts] == ["file", "alice", "bob"]
    assert sources.refused == ()


@pytest.mark.parametrize("spelling", ["alice", "Alice"])
def test_an_id_of_both_stays_the_files_and_the_tables_is_refused_by_name(spelling: str) -> None:
    sources = merge([credentials("alice", "file")], legacy(spelling, "bob"))

    assert [(one.account_id, one.api_key.get_secret_value()) for one in sources.accounts] == [
        ("alice", "file"),
        ("bob", "table"),
    ]
    (refused,) = sources.refused
    assert refused.account_id == spelling
    assert "accounts.alice" in refused.reason


def test_what_the_table_refused_is_passed_on() -> None:
    bad = RefusedAccount(account_id="bad", reason="why")

    assert merge([], LegacyAccounts(accounts=(), refused=(bad,))).refused == (bad,)
