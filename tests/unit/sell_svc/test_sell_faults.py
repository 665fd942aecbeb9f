"""The faults S-01 to S-39 of the former sell module, each with the tests that prove its end.

A row names every proof by file and test. Where another service ended the fault, its tests stand here too.
"""

import ast
from functools import cache
from pathlib import Path

import pytest

from gateway.auth.rights import RIGHTS, Right
from opitios.sell.v1 import sell_service_pb2

TESTS = Path(__file__).parents[2]
FAULTS = tuple(f"S-{number:02}" for number in range(1, 40))

WATCH = "unit/sell_svc/test_sell_account_watch.py"
CHAIN = "unit/sell_svc/test_sell_exit_chain.py"
DECIDE = "unit/sell_svc/test_sell_decide.py"
LADDER = "unit/sell_svc/test_sell_ladder.py"
LOOPS = "unit/sell_svc/test_sell_loops.py"
POLICY = "unit/sell_svc/test_sell_policy.py"
PRICE = "unit/sell_svc/test_sell_price.py"
PROPERTIES = "unit/sell_svc/test_sell_properties.py"
STALE = "unit/sell_svc/test_sell_stale.py"
WIRE = "unit/sell_svc/test_sell_wire.py"
ZONES = "unit/sell_svc/test_sell_time_zones.py"
NOTICES = "service/test_sell_svc_notices.py"
HERE = "unit/sell_svc/test_sell_faults.py"
RPC = "service/test_sell_svc_rpc.py"

TRACKING = "unit/order_svc/test_order_tracking.py"
LIFECYCLE = "unit/order_svc/test_order_lifecycle.py"
ORDER_RULES = "unit/order_svc/test_order_rules.py"
ORDER_CANCEL = "service/test_order_svc_cancel.py"
LOST_ANSWERS = "service/test_order_svc_lost_answers.py"
ACCOUNT_READS = "service/test_account_svc_reads.py"
SYMBOL = "unit/broker/test_broker_option_symbol.py"
OPEN_ORDERS = "unit/broker/test_broker_open_orders.py"
BROKER = "service/test_broker_client.py"
BROKER_SANDBOX = "service/test_broker_sandbox.py"
GATEWAY_SELL = "service/test_gateway_legacy_sell.py"

PROOFS: dict[str, tuple[tuple[str, str], ...]] = {
    "S-01": (
        (ZONES, "test_the_age_of_an_order_is_by_the_brokers_clock"),
        (STALE, "test_an_order_without_a_time_is_undecided_neither_new_nor_old"),
    ),
    "S-02": (
        (DECIDE, "test_without_a_time_limit_in_the_configuration_the_other_rules_work"),
        (WATCH, "test_a_bug_in_a_tick_ends_only_that_tick_and_shows"),
    ),
    "S-03": (
        (STALE, "test_it_needs_neither_positions_nor_an_open_session"),
        (WATCH, "test_stale_orders_are_cancelled_whatever_the_positions"),
        (RPC, "test_a_stale_order_of_an_account_without_positions_is_cancelled"),
    ),
    # Ended by order_svc: lots are a view of fills, so nothing is closed at acceptance.
    "S-04": (
        (ORDER_CANCEL, "test_lots_are_what_was_bought_here_less_what_was_sold_here"),
        (TRACKING, "test_a_sell_takes_from_the_oldest_lot_and_each_lot_keeps_its_permission"),
        (WATCH, "test_after_a_part_was_sold_only_the_rest_is"),
    ),
    "S-05": (
        (DECIDE, "test_the_order_of_the_rules_is_time_limit_zero_day_profit_and_each_position_is_sold_once"),
        (WATCH, "test_a_second_rule_does_not_make_a_second_exit"),
    ),
    "S-06": (
        (DECIDE, "test_zero_day"),
        (DECIDE, "test_permission_comes_from_tracked_lots_by_quantity"),
        (PROPERTIES, "test_nothing_is_sold_without_permission"),
    ),
    "S-07": ((ZONES, "test_expiry_is_by_the_new_york_date"),),
    "S-08": (
        (DECIDE, "test_zero_day"),
        (WIRE, "test_padded_symbols_and_adjusted_roots_are_one_and_the_same_contract"),
        (SYMBOL, "test_the_parts_are_read_from_the_right"),
        (ORDER_RULES, "test_symbols_are_made_canonical"),
    ),
    "S-09": ((DECIDE, "test_a_short_position_is_reported_and_left_alone"),),
    "S-10": (
        (DECIDE, "test_a_short_position_is_reported_and_left_alone"),
        (POLICY, "test_a_setting_that_cannot_be_honoured_stops_the_start"),
        (PROPERTIES, "test_no_sale_raises_the_number_of_uncovered_shorts"),
    ),
    # The list is account_svc's, which goes on trying an account that failed at its start.
    "S-11": (
        (RPC, "test_an_account_that_may_not_open_orders_keeps_its_stop_losses"),
        (LOOPS, "test_accounts_that_cannot_be_listed_are_watched_on"),
        (ACCOUNT_READS, "test_an_account_that_cannot_be_reached_at_the_start_may_trade_once_it_answers"),
    ),
    "S-12": (
        (DECIDE, "test_unknown_positions_yield_no_decision_at_all"),
        (WATCH, "test_what_cannot_be_read_sells_nothing_and_shows"),
        (RPC, "test_positions_that_could_not_be_read_are_not_an_empty_account"),
        (ACCOUNT_READS, "test_positions_of_one_account_that_cannot_be_read_are_an_error_not_an_empty_list"),
    ),
    "S-13": ((STALE, "test_the_scope_decides_which_orders_count"),),
    # Ended by the broker package.
    "S-14": (
        (OPEN_ORDERS, "test_every_order_is_read_once_also_where_stamps_fall_together"),
        (BROKER_SANDBOX, "test_more_open_orders_than_fit_a_page_are_all_read"),
    ),
    # What counts as open is order_svc's table.
    "S-15": (
        (STALE, "test_an_order_that_is_being_cancelled_is_not_cancelled_again"),
        (LIFECYCLE, "test_an_open_order_with_something_filled_is_partially_filled_whatever_its_status"),
    ),
    "S-16": (
        (STALE, "test_an_order_that_cannot_be_read_is_named"),
        (WIRE, "test_a_position_that_cannot_be_read_is_named_and_hides_no_other"),
        (OPEN_ORDERS, "test_what_could_not_be_read_is_still_told"),
    ),
    "S-17": (
        (DECIDE, "test_outside_the_session_nothing_is_sold_and_no_quote_is_asked_for"),
        (WATCH, "test_a_denied_exit_is_counted_shown_and_told_once_and_waits_longer_each_time"),
    ),
    "S-18": ((DECIDE, "test_close_window"),),
    "S-19": (
        (PRICE, "test_the_price_is_the_fresh_bid_then_the_mid_then_the_last_trade"),
        (PRICE, "test_without_a_fresh_price_it_is_unknown_and_says_why"),
        (DECIDE, "test_what_is_not_known_is_undecided_never_sold_and_never_held_in_silence"),
    ),
    # The broker package awaits alpaca-py; the monitor is a process of its own.
    "S-20": (
        (BROKER, "test_the_loop_is_never_blocked_and_no_thread_is_used"),
        (LOOPS, "test_a_frozen_account_delays_no_other"),
    ),
    "S-21": (
        (WATCH, "test_a_bug_in_a_tick_ends_only_that_tick_and_shows"),
        (GATEWAY_SELL, "test_a_loop_that_has_ended_by_itself_is_not_called_running"),
    ),
    "S-22": ((DECIDE, "test_position_time_limit"),),
    "S-23": (
        (DECIDE, "test_strategy_one_disabled_switches_profit_and_loss_off"),
        (POLICY, "test_strategy_one_disabled_leaves_no_thresholds"),
    ),
    "S-24": (
        (DECIDE, "test_the_form_of_the_exit_follows_the_bid"),
        (PRICE, "test_only_a_fresh_quote_shows_that_nobody_bids"),
        (LADDER, "test_the_price_follows_the_brokers_last_refusal"),
        (LADDER, "test_no_price_is_ever_below_a_tick"),
    ),
    "S-25": (
        (WATCH, "test_an_exit_whose_answer_was_lost_is_looked_for_not_repeated"),
        (WATCH, "test_stop_waits_for_the_action_under_way_and_begins_no_other"),
        (LOST_ANSWERS, "test_an_order_whose_answer_was_lost_is_found_and_bound"),
    ),
    # Ended by the broker package.
    "S-26": (
        (BROKER, "test_an_order_on_a_connection_that_dies_is_unknown_and_not_repeated_but_a_read_is"),
        (BROKER, "test_after_a_429_the_account_keeps_quiet"),
        (LOOPS, "test_a_failing_account_delays_no_other_and_says_why"),
    ),
    "S-27": (
        (WATCH, "test_a_failed_cancellation_is_tried_again_after_a_pause"),
        (ORDER_CANCEL, "test_a_lost_answer_to_a_cancel_is_settled_by_reading"),
    ),
    "S-28": (
        (DECIDE, "test_permission_comes_from_tracked_lots_by_quantity"),
        (TRACKING, "test_an_exit_of_the_monitor_leaves_its_owners_older_lot_alone"),
    ),
    # Ended by order_svc, which keeps its journal by the account's id and the canonical symbol.
    "S-29": (
        (ORDER_RULES, "test_symbols_are_made_canonical"),
        (ORDER_CANCEL, "test_lots_are_what_was_bought_here_less_what_was_sold_here"),
        (ACCOUNT_READS, "test_an_account_is_read_from_the_broker_by_id_or_name"),
    ),
    # The column is gone: an account's type is account_svc's to tell.
    "S-30": ((ACCOUNT_READS, "test_every_configured_account_is_listed_with_its_type_and_standing"),),
    "S-31": ((HERE, "test_the_broker_is_reached_through_the_other_services_only"),),
    "S-32": (
        (DECIDE, "test_thresholds_of_strategy_one_are_inclusive_and_exact"),
        (PROPERTIES, "test_the_profit_threshold_itself_sells_and_anything_below_it_does_not"),
    ),
    # The notice of a start used to be awaited before the loop; now nothing awaits a notice.
    "S-33": ((NOTICES, "test_a_channel_that_hangs_delays_nothing_and_is_given_up"),),
    "S-34": (
        (LOOPS, "test_stop_before_start_and_twice_is_nothing"),
        (LOOPS, "test_the_loops_stop_even_when_the_wish_cannot_be_stored"),
    ),
    # Who may control is the gateway's to know.
    "S-35": (
        (LOOPS, "test_start_and_stop_change_something_once"),
        (WATCH, "test_a_sale_is_sent_once_and_counted"),
        (HERE, "test_only_admins_control_the_monitor"),
    ),
    "S-36": ((WATCH, "test_a_denied_exit_is_counted_shown_and_told_once_and_waits_longer_each_time"),),
    "S-37": ((WATCH, "test_hanging_cancellations_delay_no_stop_loss"),),
    "S-38": (
        (DECIDE, "test_an_exit_under_way_is_waited_for"),
        (DECIDE, "test_without_a_whole_free_contract_the_position_is_held_quietly"),
        (DECIDE, "test_fractions_of_a_contract_stay"),
    ),
    "S-39": (
        (RPC, "test_a_second_instance_refuses_to_start"),
        (WATCH, "test_a_restart_or_a_second_replica_meets_at_the_same_exit"),
        (CHAIN, "test_the_walk_finds_the_newest_exit_and_remembers_only_where_to_begin"),
    ),
}


@cache
def names_in(path: str) -> frozenset[str]:
    """The test functions of a file, under tests/."""
    tree = ast.parse((TESTS / path).read_text("utf-8"))
    return frozenset(
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    )


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_has_a_proof(fault: str) -> None:
    assert PROOFS.get(fault), f"{fault} has no test"


@pytest.mark.parametrize(
    ("path", "name"), sorted({proof for proofs in PROOFS.values() for proof in proofs}), ids=str
)
def test_every_proof_exists(path: str, name: str) -> None:
    assert name in names_in(path)


def test_nothing_but_faults_is_in_the_table() -> None:
    assert set(PROOFS) <= set(FAULTS)


def test_the_broker_is_reached_through_the_other_services_only() -> None:
    """S-31: there is one way to trade, so none that was forgotten."""
    reached = {
        name
        for path in (TESTS.parent / "sell_svc").glob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        for name in _imported(node)
        if name.split(".")[0] in {"broker", "alpaca", "order_svc", "account_svc"}
    }

    assert reached == {"broker.option_symbol"}


def test_only_admins_control_the_monitor() -> None:
    """S-35."""
    service = sell_service_pb2.DESCRIPTOR.services_by_name["SellService"]
    asked = {
        method.name: RIGHTS.get(f"{service.full_name}/{method.name}")
        for method in service.methods
        if not method.name.startswith(("Get", "List"))
    }

    assert {"StartMonitoring", "StopMonitoring", "RestartMonitoring"} <= set(asked)
    assert set(asked.values()) == {Right.ADMIN}


def _imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.ImportFrom):
        return [node.module or ""]
    return [one.name for one in node.names] if isinstance(node, ast.Import) else []
