import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.account_type import AccountType, VerdictSource, detect_account_type, judge_account_type

PAPER, LIVE = AccountType.PAPER, AccountType.LIVE


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        pytest.param("PA3ABC123", PAPER, id="paper"),
        pytest.param("PA", PAPER, id="nothing-but-the-prefix"),
        pytest.param("123456789", LIVE, id="digits"),
        pytest.param("pa3ABC123", LIVE, id="lower-case"),
        pytest.param("Pa3ABC123", LIVE, id="mixed-case"),
        pytest.param(" PA3ABC123", LIVE, id="leading-space"),
        pytest.param("APA3ABC", LIVE, id="prefix-further-in"),
        pytest.param("P", LIVE, id="half-a-prefix"),
    ],
)
def test_the_prefix_of_the_number_tells_the_type(number: str, expected: AccountType) -> None:
    assert detect_account_type(number) is expected


@given(rest=st.text())
def test_every_number_that_starts_with_pa_is_paper(rest: str) -> None:
    assert detect_account_type("PA" + rest) is PAPER


@given(number=st.text(min_size=1).filter(lambda text: not text.startswith("PA")))
def test_every_other_number_is_live(number: str) -> None:
    assert detect_account_type(number) is LIVE


def test_an_empty_number_has_no_type() -> None:
    with pytest.raises(ValueError, match="empty account number"):
        detect_account_type("")


@pytest.mark.parametrize(
    ("number", "override", "paper_trading", "account_type", "source", "contradicting_keys"),
    [
        pytest.param("PA1", None, True, PAPER, VerdictSource.DETECTED, (), id="paper-as-configured"),
        pytest.param("9001", None, False, LIVE, VerdictSource.DETECTED, (), id="live-as-configured"),
        pytest.param(
            "9001",
            None,
            True,
            LIVE,
            VerdictSource.DETECTED,
            ("accounts.main.paper_trading to false", "accounts.main.account_type"),
            id="live-number-configured-as-paper",
        ),
        pytest.param(
            "PA1",
            None,
            False,
            PAPER,
            VerdictSource.DETECTED,
            ("accounts.main.paper_trading to true", "accounts.main.account_type"),
            id="paper-number-configured-as-live",
        ),
        pytest.param(
            "9001", PAPER, True, PAPER, VerdictSource.OVERRIDDEN, (), id="override-of-a-misleading-number"
        ),
        pytest.param(
            "PA1", LIVE, False, LIVE, VerdictSource.OVERRIDDEN, (), id="override-against-the-prefix"
        ),
        pytest.param(
            "9001",
            PAPER,
            False,
            PAPER,
            VerdictSource.OVERRIDDEN,
            ("accounts.main.paper_trading to true", "remove accounts.main.account_type"),
            id="override-against-the-endpoint",
        ),
        pytest.param(
            "PA1",
            LIVE,
            True,
            LIVE,
            VerdictSource.OVERRIDDEN,
            ("accounts.main.paper_trading to false",),
            id="live-override-on-the-paper-endpoint",
        ),
    ],
)
def test_the_verdict_names_the_key_to_change(
    number: str,
    override: AccountType | None,
    paper_trading: bool,
    account_type: AccountType,
    source: VerdictSource,
    contradicting_keys: tuple[str, ...],
) -> None:
    verdict = judge_account_type(
        account_id="main", account_number=number, override=override, paper_trading=paper_trading
    )

    assert verdict.account_type is account_type
    assert verdict.source is source
    assert (verdict.contradiction is None) == (not contradicting_keys)
    for key in contradicting_keys:
        assert key in (verdict.contradiction or "")


@given(
    number=st.text(min_size=1), override=st.none() | st.sampled_from(AccountType), paper_trading=st.booleans()
)
def test_an_account_without_contradiction_has_the_type_of_its_endpoint(
    number: str, override: AccountType | None, paper_trading: bool
) -> None:
    verdict = judge_account_type(
        account_id="main", account_number=number, override=override, paper_trading=paper_trading
    )

    endpoint = PAPER if paper_trading else LIVE
    assert (verdict.contradiction is None) == (verdict.account_type is endpoint)
