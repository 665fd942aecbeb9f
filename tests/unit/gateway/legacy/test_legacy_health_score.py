"""What single checks amount to."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.legacy.health_score import ERROR, SKIP, SUCCESS, UNKNOWN, overall_status

GRADES = ["error", "warning", "good", "excellent"]
status = st.sampled_from([SUCCESS, SKIP, ERROR])


@pytest.mark.parametrize(
    ("good", "skipped", "bad", "grade"),
    [
        (8, 0, 0, "excellent"),
        (7, 1, 0, "excellent"),
        (9, 0, 1, "excellent"),
        (6, 1, 1, "good"),
        (7, 0, 3, "good"),
        (5, 0, 3, "warning"),
        (0, 8, 0, "warning"),
        (4, 0, 5, "error"),
        (0, 0, 1, "error"),
    ],
)
def test_the_share_of_successes_is_the_grade(good: int, skipped: int, bad: int, grade: str) -> None:
    assert overall_status([SUCCESS] * good + [SKIP] * skipped + [ERROR] * bad) == grade


def test_nothing_checked_is_not_known() -> None:
    assert overall_status([]) == UNKNOWN


@given(statuses=st.lists(status, min_size=1, max_size=12))
def test_a_further_success_never_lowers_the_grade(statuses: list[str]) -> None:
    before, after = overall_status(statuses), overall_status([*statuses, SUCCESS])

    assert GRADES.index(after) >= GRADES.index(before)
