"""Lanes: batches in order within one, several at a time, none starved, nothing lost at the end."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.store_lanes import MAX_BATCH, Lanes, LanesClosed

WAIT_SECONDS = 20.0


def test_what_waits_in_a_lane_is_handed_out_as_one_batch_in_order() -> None:
    lanes: Lanes[int] = Lanes()
    for number in range(3):
        lanes.put("a", number)

    assert lanes.take() == ("a", [0, 1, 2])
    assert lanes.pending == 0


def test_a_lane_that_is_taken_is_not_handed_out_again_until_it_is_done() -> None:
    lanes: Lanes[int] = Lanes()
    lanes.put("a", 1)
    lanes.take()
    lanes.put("a", 2)
    lanes.put("b", 3)

    assert lanes.take() == ("b", [3])
    lanes.done("a")
    assert lanes.take() == ("a", [2])


def test_a_crowded_lane_lets_the_others_have_their_turn() -> None:
    lanes: Lanes[int] = Lanes()
    for number in range(MAX_BATCH + 1):
        lanes.put("crowded", number)
    lanes.put("quiet", 0)

    taken = lanes.take()
    assert taken is not None
    assert (taken[0], len(taken[1])) == ("crowded", MAX_BATCH)
    lanes.done("crowded")
    assert lanes.take() == ("quiet", [0])
    assert lanes.take() == ("crowded", [MAX_BATCH])


def test_a_closed_queue_hands_out_what_waits_and_takes_nothing_in() -> None:
    lanes: Lanes[int] = Lanes()
    lanes.put("a", 1)
    lanes.take()
    lanes.put("a", 2)
    lanes.close()

    with pytest.raises(LanesClosed):
        lanes.put("b", 3)
    lanes.done("a")
    assert lanes.take() == ("a", [2])
    lanes.done("a")
    assert lanes.take() is None


@given(items=st.lists(st.sampled_from([None, "a", "b", "c"]), max_size=300), threads=st.integers(1, 4))
def test_every_item_is_handed_out_once_in_the_order_of_its_lane_and_never_beside_it(
    items: list[str | None], threads: int
) -> None:
    lanes: Lanes[int] = Lanes()
    seen: dict[str | None, list[int]] = {}
    busy: set[str | None] = set()
    overlaps: list[str | None] = []
    guard = threading.Lock()

    def work() -> None:
        while (taken := lanes.take()) is not None:
            lane, batch = taken
            with guard:
                if lane in busy:
                    overlaps.append(lane)
                busy.add(lane)
            seen.setdefault(lane, []).extend(batch)
            with guard:
                busy.discard(lane)
            lanes.done(lane)

    with ThreadPoolExecutor(threads) as pool:
        working = [pool.submit(work) for _ in range(threads)]
        for number, lane in enumerate(items):
            lanes.put(lane, number)
        lanes.close()
        for one in working:
            one.result(WAIT_SECONDS)

    assert not overlaps
    assert seen == {
        lane: [number for number, other in enumerate(items) if other == lane] for lane in set(items)
    }
