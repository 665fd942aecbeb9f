"""The loops of several accounts against fakes of both services, in real time and without sleeping."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import pytest

from fakes.sell_values import AAPL, ACCOUNT, POLICY, position, quote
from fakes.sell_world import FakeState, World, within
from runtime.clock import SYSTEM_CLOCK
from runtime.context import Deadline, use_deadline
from runtime.errors import Unavailable
from runtime.storage import StoreUnreachable
from sell_svc.account_watch import Pace
from sell_svc.control import Control, MonitorDisabled
from sell_svc.decisions import Decisions
from sell_svc.monitor import Monitor
from sell_svc.observation import AccountId

BOB = AccountId("bob")
CAROL = AccountId("carol")
INTERVAL = 0.01


def new_monitor(world: World) -> Monitor:
    return Monitor(
        accounts=world.accounts,
        orders=world.orders,
        read_market=world.read_market,
        read_policy=lambda _account: POLICY,
        decisions=Decisions(),
        pace=Pace(interval_seconds=INTERVAL, tick_seconds=30),
        clock=SYSTEM_CLOCK,
    )


@pytest.fixture
def world() -> World:
    made = World(ACCOUNT, BOB)
    made.quotes = {AAPL: quote("2.00")}
    return made


@pytest.fixture
async def monitor(world: World) -> AsyncIterator[Monitor]:
    made = new_monitor(world)
    yield made
    await within(made.stop())


def seen(account: AccountId) -> str:
    return f"list_open:{account}"


async def test_every_account_ticks_at_once_and_then_again_and_again(world: World, monitor: Monitor) -> None:
    monitor.start()

    await world.visits.reach(seen(ACCOUNT), 3)
    await world.visits.reach(seen(BOB), 3)

    report = monitor.report
    assert report.running
    assert report.accounts_known
    assert report.ticks >= 1
    assert [one.account_id for one in report.accounts] == [ACCOUNT, BOB]
    assert report.last_tick_at is not None


@pytest.mark.parametrize("call", ["read_holdings", "place_exit", "find_exit", "cancel"])
async def test_a_frozen_account_delays_no_other(world: World, monitor: Monitor, call: str) -> None:
    """Its calls hang; the others tick on."""
    for account in (ACCOUNT, BOB):
        world.hold(position(), account=account)
    world.freeze(f"{call}:{ACCOUNT}")
    monitor.start()
    await world.visits.reach(seen(ACCOUNT), 1)

    await world.visits.reach(seen(BOB), world.visits[seen(BOB)] + 5)

    assert [one.account_id for one in world.placed if one.account_id == BOB] == [BOB]
    world.thaw(f"{call}:{ACCOUNT}")


async def test_ticks_of_one_account_never_overlap(world: World, monitor: Monitor) -> None:
    world.freeze(f"read_holdings:{ACCOUNT}")
    monitor.start()
    await world.visits.reach(f"read_holdings:{ACCOUNT}", 1)

    await world.visits.reach(seen(BOB), 5)

    assert world.visits[f"read_holdings:{ACCOUNT}"] == 1
    world.thaw(f"read_holdings:{ACCOUNT}")


async def test_a_failing_account_delays_no_other_and_says_why(world: World, monitor: Monitor) -> None:
    world.fail(f"read_holdings:{ACCOUNT}", Unavailable("no connection"))
    world.hold(position(), account=BOB)
    monitor.start()

    await world.visits.reach(seen(BOB), 3)
    await world.visits.reach(seen(ACCOUNT), 3)

    errors = {one.account_id: one.error for one in monitor.report.accounts}
    assert errors == {ACCOUNT: "positions: UNAVAILABLE: no connection", BOB: ""}
    assert len(world.placed) == 1


async def test_accounts_come_and_go_with_the_configuration(world: World, monitor: Monitor) -> None:
    monitor.start()
    await world.visits.reach(seen(BOB), 1)

    world.listed = (ACCOUNT, CAROL)
    await world.visits.reach(seen(CAROL), 1)
    await world.visits.reach("list_accounts", world.visits["list_accounts"] + 2)

    assert [one.account_id for one in monitor.report.accounts] == [ACCOUNT, CAROL]


async def test_accounts_that_cannot_be_listed_are_watched_on(world: World, monitor: Monitor) -> None:
    """I10, S-11."""
    monitor.start()
    await world.visits.reach(seen(BOB), 1)

    world.fail("list_accounts", Unavailable("down"))
    await world.visits.reach("list_accounts", world.visits["list_accounts"] + 2)
    await world.visits.reach(seen(BOB), world.visits[seen(BOB)] + 3)

    assert not monitor.report.accounts_known
    assert len(monitor.report.accounts) == 2


async def test_the_counts_of_an_account_that_left_stay(world: World, monitor: Monitor) -> None:
    world.hold(position(), account=BOB)
    monitor.start()
    await world.visits.reach(f"place_exit:{BOB}", 1)

    world.listed = (ACCOUNT,)
    await world.visits.reach("list_accounts", world.visits["list_accounts"] + 3)

    assert monitor.report.tally.sold == 1


async def test_after_stop_nothing_ticks_and_a_start_counts_anew(world: World, monitor: Monitor) -> None:
    world.hold(position())
    monitor.start()
    await world.visits.reach("place_exit", 1)

    await within(monitor.stop())
    at_stop = world.visits["list_open"]
    sold = monitor.report.tally.sold
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(world.visits.reach("list_open", at_stop + 1), 5 * INTERVAL)
    monitor.start()

    assert sold == 1
    assert monitor.report.tally.sold == 0


async def test_stop_drains_every_account(world: World, monitor: Monitor) -> None:
    """I12."""
    world.hold(position())
    world.freeze("place_exit")
    monitor.start()
    await world.visits.reach("place_exit", 1)

    stopping = asyncio.create_task(monitor.stop())
    done, _ = await asyncio.wait({stopping}, timeout=5 * INTERVAL)
    assert not done
    world.thaw("place_exit")
    await within(stopping)

    assert len(world.placed) == 1
    assert not monitor.report.running


async def test_stop_before_start_and_twice_is_nothing(monitor: Monitor) -> None:
    await within(monitor.stop())
    monitor.start()
    await within(monitor.stop())
    await within(monitor.stop())

    assert not monitor.is_running


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """A control as one process has it."""

    control: Control
    monitor: Monitor


@pytest.fixture
async def open_desk(world: World) -> AsyncIterator[Callable[[FakeState, bool], Desk]]:
    made: list[Desk] = []

    def build(state: FakeState, enabled: bool) -> Desk:
        monitor = new_monitor(world)
        control = Control(monitor=monitor, state=state, enabled=enabled, clock=SYSTEM_CLOCK)
        made.append(Desk(control=control, monitor=monitor))
        return made[-1]

    yield build
    for one in made:
        await within(one.control.close())


OpenDesk = Callable[[FakeState, bool], Desk]


@pytest.mark.parametrize(
    ("stored", "enabled", "runs"),
    [
        pytest.param(None, True, True, id="the very first start, enabled"),
        pytest.param(None, False, False, id="the very first start, disabled"),
        pytest.param(True, True, True, id="told to run"),
        pytest.param(False, True, False, id="told to stop"),
        pytest.param(True, False, False, id="told to run, disabled since"),
    ],
)
async def test_a_process_resumes_what_was_asked_last(
    open_desk: OpenDesk, stored: bool | None, enabled: bool, runs: bool
) -> None:
    desk = open_desk(FakeState(running=stored), enabled)

    await desk.control.resume()

    assert desk.monitor.is_running is runs
    assert desk.control.is_as_desired is (stored is not True or enabled)


async def test_start_and_stop_change_something_once(open_desk: OpenDesk) -> None:
    """I12, S-35."""
    state = FakeState()
    desk = open_desk(state, True)
    await desk.control.resume()

    changed = [
        await desk.control.start(),
        await desk.control.stop(),
        await desk.control.stop(),
        await desk.control.start(),
        await desk.control.start(),
    ]

    assert changed == [False, True, False, True, False]
    assert desk.monitor.is_running


async def test_what_was_asked_survives_the_process(open_desk: OpenDesk) -> None:
    state = FakeState()
    first = open_desk(state, True)
    await first.control.resume()
    await first.control.stop()

    second = open_desk(state, True)
    await second.control.resume()
    stopped = second.monitor.is_running
    await second.control.start()
    # The process ends, nobody asked for a stop.
    await second.control.close()
    third = open_desk(state, True)
    await third.control.resume()

    assert not stopped
    assert third.monitor.is_running


async def test_a_disabled_monitor_refuses_to_start_and_names_the_key(open_desk: OpenDesk) -> None:
    desk = open_desk(FakeState(), False)

    for ask in (desk.control.start, desk.control.restart):
        with pytest.raises(MonitorDisabled, match=r"sell_module\.enabled"):
            await ask()

    assert not desk.monitor.is_running
    assert await desk.control.stop() is False


async def test_restart_runs_anew(open_desk: OpenDesk, world: World) -> None:
    state = FakeState(running=False)
    desk = open_desk(state, True)
    await desk.control.resume()

    await desk.control.restart()
    started = desk.monitor.report.started_at
    await world.visits.reach(seen(ACCOUNT), 1)
    await desk.control.restart()

    assert state.running is True
    assert desk.monitor.report.started_at != started


async def test_a_caller_that_leaves_does_not_leave_a_stop_half_done(
    open_desk: OpenDesk, world: World
) -> None:
    world.hold(position())
    world.freeze("place_exit")
    desk = open_desk(FakeState(), True)
    await desk.control.resume()
    await world.visits.reach("place_exit", 1)

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(desk.control.stop(), 0.05)
    (under_way,) = desk.control._under_way
    world.thaw("place_exit")
    await asyncio.wait_for(under_way, 5)

    assert not desk.monitor.is_running
    assert desk.control.desired_running is False


async def test_the_loops_stop_even_when_the_wish_cannot_be_stored(open_desk: OpenDesk) -> None:
    state = FakeState()
    desk = open_desk(state, True)
    await desk.control.resume()
    state.error = StoreUnreachable("disk full")

    with pytest.raises(StoreUnreachable):
        await desk.control.stop()

    assert not desk.monitor.is_running


async def test_the_loops_do_not_inherit_the_deadline_of_the_call_that_started_them(
    open_desk: OpenDesk, world: World
) -> None:
    found: list[object] = []
    world.accounts.on_list = found.append
    desk = open_desk(FakeState(), True)

    with use_deadline(Deadline.after(0.05)):
        await desk.control.start()
    await world.visits.reach("list_accounts", 2)

    assert found[:2] == [None, None]
